/* s3-put - standard input into a lake or one object, on S3 or in files */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compress.h"
#include "delta.h"
#include "file.h"
#include "json.h"
#include "lake_write.h"
#include "log.h"
#include "opt.h"
#include "out.h"
#include "progress.h"
#include "sig.h"
#include "state.h"
#include "store.h"
#include "wire.h"

enum {
	CHUNK = 256 * 1024,
	ROW_GROUP_SIZE = 16 << 20,
	PATIENCE = 250 /* times 20 ms: how long a command may take to end */
};

static const char *bare_table, *compress, *format_option, *numeric_as;
static const char *state_out, *content_type, *empty;
static bool insist_framed, show_state, delta, single_writer;
static uint64_t max_row = WIRE_MAX_ROW;
static struct lake_layout layout = { .encoding.parquet = { .codec = BLOCK_ZSTD,
							  .row_group_size = ROW_GROUP_SIZE } };

static const struct opt opts[] = {
	{ 0, "format", "name", OPT_STRING, &format_option,
	  "of a lake's objects: jsonl (default), csv or parquet" },
	{ 0, "compress", "codec", OPT_STRING, &compress,
	  "gzip or zstd; of Parquet none, snappy, gzip or zstd (its default)" },
	{ 0, "partition-by", "column", OPT_STRING, &layout.partition_by,
	  "an object for each value of this column, in a folder column=value" },
	{ 0, "delta", NULL, OPT_FLAG, &delta,
	  "publish every step to a Delta Lake table for each table, too" },
	{ 0, "numeric-as", "what", OPT_STRING, &numeric_as,
	  "numerics in Parquet are decimal (default) or string" },
	{ 0, "row-group-size", "size", OPT_SIZE, &layout.encoding.parquet.row_group_size,
	  "memory that a Parquet row group may take (default 16M)" },
	{ 0, "content-type", "type", OPT_STRING, &content_type,
	  "of a single object (default by its name)" },
	{ 0, "table", "name", OPT_STRING, &bare_table, "bare rows are of this table" },
	{ 0, "framed", NULL, OPT_FLAG, &insist_framed, "refuse input without a frame" },
	{ 0, "empty", "what", OPT_STRING, &empty,
	  "a stream without a row or a delete is ok (default), or skip: exit 99" },
	{ 0, "state-out", "file", OPT_STRING, &state_out,
	  "write the state here after each commit" },
	{ 0, "show-state", NULL, OPT_FLAG, &show_state,
	  "print the state of the lake's last step and exit" },
	{ 0, "single-writer", NULL, OPT_FLAG, &single_writer,
	  "no other run writes into the lake: its store may ignore If-None-Match" },
	{ 0, "max-row", "size", OPT_SIZE, &max_row, "longest row accepted (default 256M)" },
	OPT_END
};

static const struct tool tool = {
	"s3-put",
	"[--format name] [--compress codec] [--partition-by column] [--delta]\n"
	" [--numeric-as what] [--row-group-size size] [--table name | --framed]\n"
	" [--empty what] [--state-out file] [--single-writer] [--max-row size] url/\n"
	"[--compress codec] [--content-type type] [--framed] [--max-row size] url "
	"[-- command ...]\n"
	"--show-state url/",
	"Uploads rows into a lake (a URL that ends in a slash) or standard input as one object.",
	opts
};

struct put {
	const char *url;
	struct wire_reader in;
	struct lake *lake;
	struct lake_writer *writer;
	struct delta *delta;
	struct store *store;
	char *key;
	struct upload *upload;
	struct compressor *compressor;
	struct buf packed, state, new_state;
	uint64_t steps, bytes, objects;
	uint64_t lines, step_lines; /* rows and deletes of all steps, and of the open one */
	pid_t child;
	int fd;
};

static int interrupted(struct err *e)
{
	return err_set(e, FAILED, "interrupted");
}

/* --- into a lake --- */

/* A step that changes nothing needs no record; but the first one tells of the tables. */
static bool is_news(const struct put *p)
{
	struct str state = buf_str(&p->new_state), committed = lake_state(p->lake);

	return p->step_lines || lake_last(p->lake) == 0 ||
	       (state.len && !str_eq(state, committed) &&
		state_order(state, committed) != STATE_SAME);
}

static int commit(struct put *p, struct err *e)
{
	struct buf line = { 0 };
	bool news = is_news(p);
	int rc = state_check_forward(buf_str(&p->new_state), lake_state(p->lake), p->url, e);

	if (rc == BAD_DATA && !*e->hint)
		err_hint(e, rc, "Is the URL that is read the right one? Another source goes into a "
				"lake of its own.");
	if (rc == OK && news)
		rc = lake_writer_commit(p->writer, buf_str(&p->new_state),
					delta ? delta_note(p->delta) : STR(""), e);
	if (rc == OK && delta)
		rc = delta_publish(p->delta, e);
	if (rc != OK)
		return rc;
	p->steps += news;
	p->lines += p->step_lines;
	p->step_lines = 0;
	buf_reset(&p->state);
	buf_addstr(&p->state, buf_str(&p->new_state));
	if (state_out && p->state.len) {
		buf_addstr(&line, buf_str(&p->state));
		buf_addch(&line, '\n');
		rc = file_write_atomic(state_out, buf_str(&line), e);
		if (rc != OK)
			err_wrap(e, rc, "the step is committed, but");
	}
	buf_release(&line);
	return rc;
}

/* A step is committed when the line behind its @state has come: behind the last one that is @end,
 * whose counts have then been checked. */
static int put_lake(struct put *p, struct err *e)
{
	enum wire_event event = WIRE_TABLE;
	bool complete = false, open_step = true;
	int rc = lake_open(p->url, &p->lake, e);

	p->writer = lake_writer_new(p->lake, &layout);
	if (single_writer)
		lake_single_writer(p->lake);
	if (rc == OK && delta)
		rc = delta_open(p->lake, &layout.encoding.parquet, &p->delta, e);
	while (rc == OK && (rc = wire_next(&p->in, &event, e)) == OK && event != WIRE_EOF) {
		if (complete && event != WIRE_END) {
			rc = commit(p, e);
			complete = false;
			open_step = false;
		}
		if (rc != OK)
			break;
		switch (event) {
		case WIRE_TABLE:
			lake_writer_table(p->writer, p->in.table);
			if (delta && p->in.announces)
				rc = delta_check(p->delta, p->in.table, layout.partition_by, e);
			break;
		case WIRE_ROW:
		case WIRE_DELETE:
			open_step = true;
			p->step_lines++;
			progress_add(event == WIRE_ROW, p->in.whole.len);
			rc = lake_writer_add(p->writer, &p->in, event == WIRE_DELETE, e);
			break;
		case WIRE_STATE:
			buf_reset(&p->new_state);
			buf_addstr(&p->new_state, p->in.line);
			complete = true;
			break;
		default:
			break;
		}
		if (rc == OK && sig_caught())
			rc = interrupted(e);
	}
	if (rc == OK && (complete || open_step))
		rc = commit(p, e);
	return rc;
}

static int print_state(struct put *p, struct out *out, struct err *e)
{
	int rc = lake_open(p->url, &p->lake, e);
	struct str state;

	if (rc != OK)
		return rc;
	state = lake_state(p->lake);
	buf_addstr(&out->buf, state.len ? state : STR("{}"));
	buf_addch(&out->buf, '\n');
	return out_close(out, e);
}

/* --- as one object --- */

/* Can it be the value of a header? */
static bool is_type(const char *text)
{
	size_t blanks = strspn(text, " \t"), i = blanks;

	while (text[i] && ((unsigned char)text[i] >= ' ' || text[i] == '\t') && text[i] != 0x7f)
		i++;
	return i > blanks && !text[i];
}

static int write_out(struct put *p, struct str data, bool last, struct err *e)
{
	int rc;

	p->bytes += data.len;
	progress_add(0, data.len);
	if (!p->compressor)
		return upload_write(p->upload, data, e);
	buf_reset(&p->packed);
	rc = compressor_run(p->compressor, data, last, &p->packed, e);
	return rc == OK ? upload_write(p->upload, buf_str(&p->packed), e) : rc;
}

/* A frame that began must end properly; its bytes go on as they are. */
static int put_frame(struct put *p, struct err *e)
{
	enum wire_event event;
	int rc = OK;

	for (;;) {
		if ((rc = wire_next(&p->in, &event, e)) != OK || event == WIRE_EOF)
			return rc;
		if ((rc = write_out(p, p->in.whole, false, e)) != OK)
			return rc;
		if (sig_caught())
			return interrupted(e);
	}
}

/* Append what comes next; *eof at the end. */
static int read_more(struct put *p, struct buf *b, bool *eof, struct err *e)
{
	ssize_t n;

	buf_need(b, CHUNK);
	do
		n = read(p->fd, b->data + b->len, CHUNK);
	while (n < 0 && errno == EINTR && !sig_caught());
	if (sig_caught())
		return interrupted(e);
	if (n < 0)
		return err_errno(e, "could not read standard input");
	*eof = n == 0;
	b->len += (size_t)n;
	return OK;
}

static int put_bytes(struct put *p, struct buf *chunk, struct err *e)
{
	bool eof = false;
	int rc = write_out(p, buf_str(chunk), false, e);

	while (rc == OK && !eof) {
		buf_reset(chunk);
		if ((rc = read_more(p, chunk, &eof, e)) == OK)
			rc = write_out(p, buf_str(chunk), false, e);
	}
	return rc;
}

/* The first bytes tell a frame from anything else. */
static int read_first(struct put *p, struct buf *first, struct err *e)
{
	bool eof = false;
	int rc = OK;

	while (rc == OK && !eof && first->len < 9)
		rc = read_more(p, first, &eof, e);
	return rc;
}

static int start_child(struct put *p, char **argv, struct err *e)
{
	int ends[2];
	pid_t child;

	if (pipe(ends) != 0)
		return err_errno(e, "could not make a pipe");
	if ((child = fork()) < 0)
		return err_errno(e, "could not start a process");
	p->child = child;
	if (!isatty(STDIN_FILENO)) /* a terminal's keys reach the command anyway */
		setpgid(p->child, 0);
	if (p->child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(argv[0], argv);
		log_error(err_errno(e, "could not run %s", argv[0]), e);
		_exit(127);
	}
	close(ends[1]);
	p->fd = ends[0];
	return OK;
}

/* The object is completed only if its producer says that it is whole. */
static int child_succeeded(struct put *p, const char *name, struct err *e)
{
	int status;

	if (!p->child)
		return OK;
	while (waitpid(p->child, &status, 0) < 0)
		if (sig_caught())
			return interrupted(e);
		else if (errno != EINTR)
			return err_errno(e, "could not wait for %s", name);
	p->child = 0;
	if (WIFSIGNALED(status))
		return err_set(e, CUT_SHORT, "%s was killed by signal %d: nothing was uploaded",
			       name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return err_set(e, CUT_SHORT, "%s exited %d: nothing was uploaded", name,
			       WEXITSTATUS(status));
	return OK;
}

/* What will not be uploaded need not be produced: end the command, and all that it started. */
static void stop_child(struct put *p)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };
	pid_t target = getpgid(p->child) == p->child ? -p->child : p->child;

	close(p->fd);
	for (int tries = 0; waitpid(p->child, NULL, WNOHANG) == 0; tries++) {
		if (tries == 0 || tries == PATIENCE)
			kill(target, tries ? SIGKILL : SIGTERM);
		nanosleep(&pause, NULL);
	}
	p->child = 0;
}

static int put_object(struct put *p, char **command, struct err *e)
{
	struct buf first = { 0 };
	int rc;

	if ((rc = store_open(p->url, &p->store, &p->key, e)) != OK)
		return rc;
	if (!*p->key)
		return opt_misuse(e, "%s names a bucket, not an object", p->url);
	if (command && (rc = start_child(p, command, e)) != OK)
		return rc;
	if ((rc = read_first(p, &first, e)) != OK)
		goto done;
	if ((rc = upload_open(p->store, p->key, content_type, &p->upload, e)) != OK)
		goto done;
	p->compressor = compressor_new(layout.encoding.codec);
	p->in.fd = p->fd;
	if (insist_framed || (first.len >= 9 && memcmp(first.data, "{\"@table\"", 9) == 0)) {
		wire_preload(&p->in, buf_str(&first));
		rc = put_frame(p, e);
	} else {
		rc = put_bytes(p, &first, e);
	}
	if (rc == OK)
		rc = child_succeeded(p, command ? command[0] : "", e);
	if (rc == OK && p->compressor)
		rc = write_out(p, (struct str){ "", 0 }, true, e);
	if (rc == OK && sig_caught())
		rc = interrupted(e);
	if (rc == OK && (rc = upload_commit(p->upload, e)) == OK) {
		p->upload = NULL;
		p->objects = 1;
	}
done:
	buf_release(&first);
	return rc;
}

/* --- the tool --- */

static int print_receipt(struct put *p, struct out *out, struct err *e)
{
	struct buf *b = &out->buf;

	buf_addz(b, "{\"tool\":\"s3-put\",\"url\":");
	json_add_string(b, str_of(p->url));
	if (p->lake) {
		buf_addf(b, ",\"steps\":%llu,\"rows\":{", (unsigned long long)p->steps);
		for (size_t i = 0; i < p->in.table_count; i++) {
			buf_addz(b, i ? "," : "");
			json_add_string(b, str_of(p->in.tables[i]->name));
			buf_addf(b, ":%llu", (unsigned long long)p->in.tables[i]->rows);
		}
		buf_addch(b, '}');
	}
	buf_addf(b, ",\"objects\":%llu,\"bytes\":%llu,\"seconds\":%.3f",
		 (unsigned long long)p->objects, (unsigned long long)p->bytes,
		 progress_seconds());
	if (p->state.len) {
		buf_addz(b, ",\"state\":");
		buf_addstr(b, buf_str(&p->state));
	}
	buf_addz(b, "}\n");
	return out_close(out, e);
}

static int work(struct put *p, struct out *out, char **command, struct err *e)
{
	bool lake = p->url[0] && p->url[strlen(p->url) - 1] == '/';
	const char *lakes_own = format_option	    ? "format" :
				layout.partition_by ? "partition-by" :
				delta		    ? "delta" :
				show_state	    ? "show-state" :
				state_out	    ? "state-out" :
				empty		    ? "empty" :
				bare_table	    ? "table" :
				single_writer	    ? "single-writer" :
						      NULL;
	int rc;

	if (!lake && lakes_own)
		return opt_misuse(e, "--%s goes with a lake, a URL that ends in a slash",
				  lakes_own);
	if (lake && (command || content_type))
		return opt_misuse(e, "%s goes with one object, and %s is a lake",
				  command ? "a command" : "--content-type", p->url);
	if (content_type && !is_type(content_type))
		return opt_misuse(e, "\"%s\" is no content type", content_type);
	if (show_state)
		return print_state(p, out, e);
	if (lake) {
		rc = put_lake(p, e);
		p->objects = p->writer ? lake_writer_objects(p->writer) : 0;
		p->bytes = p->writer ? lake_writer_bytes(p->writer) : 0;
	} else {
		rc = put_object(p, command, e);
	}
	if (rc == OK)
		rc = print_receipt(p, out, e);
	if (rc == OK)
		log_info("put %llu bytes as %llu objects in %.1f s", (unsigned long long)p->bytes,
			 (unsigned long long)p->objects, progress_seconds());
	if (rc == OK && lake && empty && strcmp(empty, "skip") == 0 && p->lines == 0)
		rc = NOTHING_NEW;
	return rc;
}

static void release(struct put *p)
{
	upload_abort(p->upload);
	if (p->child)
		stop_child(p);
	delta_close(p->delta);
	lake_writer_free(p->writer);
	lake_close(p->lake);
	compressor_free(p->compressor);
	store_close(p->store);
	free(p->key);
	wire_release(&p->in);
	buf_release(&p->packed);
	buf_release(&p->state);
	buf_release(&p->new_state);
}

/* What the options make of a lake's objects. */
static int read_layout(struct err *e)
{
	struct encoding *how = &layout.encoding;

	if (delta)
		how->format = FORMAT_PARQUET;
	if (format_option && !format_parse(format_option, &how->format))
		return opt_misuse(e, "--format: \"%s\" is neither jsonl, csv nor parquet",
				  format_option);
	if (delta && how->format != FORMAT_PARQUET)
		return opt_misuse(e, "--delta is of Parquet, not of %s", format_option);
	layout.times_as_text = delta;
	if (how->format == FORMAT_PARQUET)
		return parquet_options_read(&how->parquet, compress, numeric_as, e);
	if (numeric_as || how->parquet.row_group_size != ROW_GROUP_SIZE)
		return opt_misuse(e, "--%s goes with --format parquet",
				  numeric_as ? "numeric-as" : "row-group-size");
	if (compress && !codec_parse(compress, &how->codec))
		return opt_misuse(e, "--compress: \"%s\" is neither gzip nor zstd", compress);
	return OK;
}

static int run(int argc, char **argv, struct err *e)
{
	struct put p = { .fd = STDIN_FILENO };
	struct out out;
	int operand, rc = opt_parse(&tool, argc, argv, &operand, e);

	if (rc != OK)
		return rc;
	if (operand == argc)
		return opt_misuse(e, "which URL?");
	if (insist_framed && bare_table)
		return opt_misuse(e, "--framed refuses what --table allows");
	if ((rc = read_layout(e)) != OK)
		return rc;
	if (empty && strcmp(empty, "ok") != 0 && strcmp(empty, "skip") != 0)
		return opt_misuse(e, "--empty is ok or skip, not \"%s\"", empty);
	p.url = argv[operand++];
	sig_catch();
	wire_open(&p.in, STDIN_FILENO, "standard input", insist_framed ? NULL : bare_table,
		  max_row);
	out_init(&out, STDOUT_FILENO, "standard output");
	rc = work(&p, &out, operand < argc ? argv + operand : NULL, e);
	progress_clear();
	release(&p);
	out_release(&out);
	sig_die();
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
