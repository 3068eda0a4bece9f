/* parquet2jsonl - a Parquet file as JSON Lines, framed or bare */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "opt.h"
#include "out.h"
#include "parquet_read.h"
#include "progress.h"

static const char *table_name;
static bool bare_rows, no_verify;

static const struct opt opts[] = {
	{ 0, "rows", NULL, OPT_FLAG, &bare_rows, "write bare rows, without a frame" },
	{ 0, "table", "name", OPT_STRING, &table_name, "name the table so" },
	{ 0, "no-verify", NULL, OPT_FLAG, &no_verify, "do not check the pages' checksums" },
	OPT_END
};

static const struct tool tool = {
	"parquet2jsonl", "[--rows] [--table name] [--no-verify] [file]",
	"Writes a Parquet file, or standard input, as JSON Lines.", opts
};

enum { COPY_CHUNK = 256 * 1024 };

struct input {
	const char *name;
	int fd;
};

/* Reading jumps to the end and back, which a pipe cannot: its bytes go through a file without a
 * name. */
static int spool(struct input *in, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	struct buf path = { 0 }, chunk = { 0 };
	int fd, rc = OK;
	ssize_t n;

	buf_addf(&path, "%s/parquet2jsonl.XXXXXX", dir && *dir ? dir : "/tmp");
	fd = mkstemp(path.data);
	if (fd < 0) {
		rc = err_errno(e, "could not create %s", path.data);
		goto done;
	}
	unlink(path.data);
	buf_need(&chunk, COPY_CHUNK);
	do {
		n = read(in->fd, chunk.data, COPY_CHUNK);
		if (n > 0)
			rc = write_all(fd, chunk.data, (size_t)n, path.data, e);
	} while (rc == OK && (n > 0 || (n < 0 && errno == EINTR)));
	if (rc == OK && n < 0)
		rc = err_errno(e, "could not read %s", in->name);
	in->fd = fd;
done:
	buf_release(&path);
	buf_release(&chunk);
	return rc;
}

static int read_at(void *arg, uint64_t offset, size_t len, char *to, struct err *e)
{
	struct input *in = arg;

	while (len) {
		ssize_t n = pread(in->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "could not read %s", in->name);
		if (n == 0)
			return err_set(e, FAILED, "%s became shorter while it was read", in->name);
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return OK;
}

static int open_source(struct input *in, struct parquet_source *source, struct err *e)
{
	struct stat st;
	int rc;

	if (in->fd < 0)
		return err_errno(e, "could not open %s", in->name);
	if (fstat(in->fd, &st) != 0)
		return err_errno(e, "could not read %s", in->name);
	if (!S_ISREG(st.st_mode)) {
		if ((rc = spool(in, e)) != OK)
			return rc;
		if (fstat(in->fd, &st) != 0)
			return err_errno(e, "could not read %s", in->name);
	}
	*source = (struct parquet_source){ in->name, (uint64_t)st.st_size, read_at, in, 0 };
	return OK;
}

static int add_rows(struct parquet_reader *r, struct out *out, struct err *e)
{
	enum wire_event event;
	size_t before = out->buf.len;
	int rc;

	while ((rc = parquet_reader_next(r, &out->buf, &event, e)) == OK && event != WIRE_EOF) {
		if (event == WIRE_DELETE && bare_rows) {
			err_set(e, BAD_DATA, "bare rows cannot say that a row was deleted");
			return err_hint(e, BAD_DATA, "A frame can: leave out --rows.");
		}
		progress_add(1, out->buf.len - before);
		if ((rc = out_more(out, e)) != OK)
			return rc;
		before = out->buf.len;
	}
	out->buf.len = rc == OK ? out->buf.len : before; /* no half a row */
	return rc;
}

static int convert(struct parquet_reader *r, struct out *out, struct err *e)
{
	struct wire_table *t = parquet_reader_table(r);
	int rc;

	if (!bare_rows)
		wire_add_table(&out->buf, t);
	if ((rc = add_rows(r, out, e)) != OK) {
		struct err ignored;

		out_flush(out, &ignored);
		return rc;
	}
	if (!bare_rows && parquet_reader_state(r).len)
		wire_add_state(&out->buf, parquet_reader_state(r));
	if (!bare_rows)
		wire_add_end(&out->buf, &t, 1);
	if ((rc = out_close(out, e)) == OK)
		log_info("wrote %llu rows (%llu bytes) in %.1f s", (unsigned long long)t->rows,
			 (unsigned long long)out->bytes, progress_seconds());
	return rc;
}

static int run(int argc, char **argv, struct err *e)
{
	struct input in = { "standard input", STDIN_FILENO };
	struct parquet_source source;
	struct parquet_reader *r = NULL;
	struct out out;
	int operand, rc = opt_parse(&tool, argc, argv, &operand, e);

	if (rc != OK)
		return rc;
	if (argc - operand > 1)
		return opt_misuse(e, "one file, please");
	if (operand < argc && strcmp(argv[operand], "-") != 0) {
		in.name = argv[operand];
		in.fd = open(in.name, O_RDONLY);
	}
	out_init(&out, STDOUT_FILENO, "standard output");
	if ((rc = open_source(&in, &source, e)) == OK &&
	    (rc = parquet_reader_open(&r, &source, table_name, !no_verify, e)) == OK)
		rc = convert(r, &out, e);
	progress_clear();
	parquet_reader_free(r);
	out_release(&out);
	return rc;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	return log_exit(run(argc, argv, &e), &e);
}
