/* star_fuzz - any star file with any stream through star-transform
 *
 * The input is a star file, a NUL, a stream, a NUL and a reference file, which stands for every one
 * that the star file names. Nothing may crash; running it twice writes the same bytes; and what is
 * written is a stream whose rows hold values of the types announced. */
#define _GNU_SOURCE
#define main star_transform_main
int star_transform_main(int argc, char **argv);
#include "../../transform/star-transform.c"
#undef main

#include <stdio.h>
#include <sys/mman.h>

#include "file.h"
#include "value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_LINES = 40 }; /* of a stream: joins multiply them */

/* A file of these bytes, and its path. */
static int file_of(struct str bytes, char path[64])
{
	int fd = memfd_create("star_fuzz", 0);

	if (fd < 0 || (bytes.len && write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len))
		abort();
	lseek(fd, 0, SEEK_SET);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* The bytes up to the next NUL; *in is what stands behind it. */
static struct str part(struct str *in)
{
	const char *nul = in->len ? memchr(in->data, '\0', in->len) : NULL;
	struct str s = { in->data, nul ? (size_t)(nul - in->data) : in->len };
	size_t used = s.len + (nul != NULL);

	*in = (struct str){ in->data + used, in->len - used };
	return s;
}

/* A series may be as long as its author wants: here it is to be short. */
static bool is_short(struct str sql, struct str stream)
{
	size_t digits = 0, lines = 0;
	bool series = memmem(sql.data, sql.len, "generate", 8) != NULL;

	for (size_t i = 0; i < sql.len && digits < 4; i++)
		digits = sql.data[i] >= '0' && sql.data[i] <= '9' ? digits + 1 : 0;
	for (size_t i = 0; i < stream.len; i++)
		lines += stream.data[i] == '\n';
	return lines <= MOST_LINES && !(series && digits >= 4);
}

static int transform_once(const char *star_path, int in, int out, const char *reference,
			  struct err *e)
{
	struct transform t = { 0 };
	int rc;

	wire_open(&t.in, in, "in", NULL, 0);
	out_init(&t.out, dup(out), "out"); /* which it closes */
	rc = star_read(&t.star, star_path, e);
	for (size_t i = 0; i < t.star.file_count && rc == OK; i++) {
		free(t.star.files[i].path);
		t.star.files[i].path = xstrdup(reference);
	}
	if (rc == OK)
		rc = check_star(&t, e);
	if (rc == OK)
		add_ddl(&t);
	if (rc == OK)
		rc = lineage_add_tables(&t.star, &t.out.buf, e);
	if (rc == OK)
		rc = lineage_add_graph(&t.star, &t.out.buf, e);
	buf_reset(&t.out.buf);
	if (rc == OK)
		rc = transform(&t, e);
	if (rc == OK)
		rc = out_close(&t.out, e);
	release(&t);
	return rc;
}

static void check_row(struct wire_reader *r)
{
	for (size_t i = 0; i < r->table->column_count; i++) {
		const struct wire_column *c = &r->table->columns[i];
		const struct field *f = &r->fields[i];
		struct err e;

		if (f->kind == F_ABSENT || f->kind == F_NULL)
			continue;
		if (value_check_field(sqltype_of_wire(&c->type, c->type_name), f, &e) != OK) {
			fprintf(stderr, "%s\n", e.msg);
			abort();
		}
	}
}

static void check_output(int fd)
{
	enum wire_event event = WIRE_TABLE;
	struct wire_reader r;
	struct err e;
	int rc = OK;

	lseek(fd, 0, SEEK_SET);
	wire_open(&r, fd, "out", NULL, 0);
	while (rc == OK && event != WIRE_EOF) {
		rc = wire_next(&r, &event, &e);
		if (rc == OK && event == WIRE_ROW && (rc = wire_fields(&r, &e)) == OK)
			check_row(&r);
	}
	if (rc != OK) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	wire_release(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct str sql = part(&in), stream = part(&in), reference = part(&in);
	struct buf first = { 0 }, second = { 0 };
	char star_path[64], in_path[64], out_path[64], again_path[64], reference_path[64];
	struct err e;
	int fds[5], rc;

	if (!is_short(sql, stream))
		return 0;
	fds[0] = file_of(sql, star_path);
	fds[1] = file_of(stream, in_path);
	fds[2] = file_of(reference, reference_path);
	fds[3] = file_of(STR(""), out_path);
	fds[4] = file_of(STR(""), again_path);
	rc = transform_once(star_path, fds[1], fds[3], reference_path, &e);
	if (rc == OK) {
		check_output(fds[3]);
		lseek(fds[1], 0, SEEK_SET);
		if (transform_once(star_path, fds[1], fds[4], reference_path, &e) != OK ||
		    file_read(out_path, SIZE_MAX, &first, &e) != OK ||
		    file_read(again_path, SIZE_MAX, &second, &e) != OK ||
		    !str_eq(buf_str(&first), buf_str(&second)))
			abort();
	}
	for (size_t i = 0; i < 5; i++)
		close(fds[i]);
	buf_release(&first);
	buf_release(&second);
	return 0;
}
