/* parquet_test - Parquet files written and read in memory, whole, split, and damaged */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "parquet_read.h"
#include "parquet_write.h"

#include "../fuzz/parquet_fuzz.c"

/* --- files in memory --- */

static int to_buf(void *arg, struct str bytes, struct err *e)
{
	(void)e;
	buf_addstr(arg, bytes);
	return OK;
}

static const struct parquet_options defaults = { .codec = BLOCK_ZSTD,
						 .row_group_size = PARQUET_ROW_GROUP_SIZE };

static const char head[] =
	"{\"@table\":\"t\",\"columns\":[{\"name\":\"id\",\"type\":\"int4\"},"
	"{\"name\":\"v\",\"type\":\"text\"}],\"key\":[\"id\"],\"mode\":\"full\"}\n";

/* A frame that is all in memory already. */
static void open_frame(struct wire_reader *in, struct str frame)
{
	enum wire_event event;
	struct err e;

	wire_open(in, -1, "frame", NULL, 0);
	wire_preload(in, frame);
	assert_int_equal(wire_next(in, &event, &e), OK);
	assert_int_equal(event, WIRE_TABLE);
}

static void write_frame(struct buf *file, struct str frame, const struct parquet_options *o)
{
	struct parquet_writer *w;
	struct wire_reader in;
	enum wire_event event;
	struct err e;

	open_frame(&in, frame);
	assert_int_equal(parquet_writer_open(&w, in.table, o, to_buf, file, &e), OK);
	while (wire_next(&in, &event, &e) == OK && event == WIRE_ROW) {
		assert_int_equal(wire_fields(&in, &e), OK);
		assert_int_equal(parquet_writer_row(w, in.fields, &e), OK);
	}
	assert_int_equal(event, WIRE_END);
	assert_int_equal(parquet_writer_close(w, &e), OK);
	parquet_writer_free(w);
	wire_release(&in);
}

/* All of a file, as a frame again. */
static int read_frame(struct buf *frame, struct str file, struct err *e)
{
	struct parquet_source source = { "file", file.len, read_memory, &file, 0 };
	enum wire_event event = WIRE_ROW;
	struct parquet_reader *r;
	struct wire_table *t;
	int rc = parquet_reader_open(&r, &source, NULL, true, e);

	if (rc != OK)
		return rc;
	t = parquet_reader_table(r);
	wire_add_table(frame, t);
	while (rc == OK && event != WIRE_EOF)
		rc = parquet_reader_next(r, frame, &event, e);
	wire_add_end(frame, &t, 1);
	parquet_reader_free(r);
	return rc;
}

static void check_round(struct str frame, const struct parquet_options *o)
{
	struct buf file = { 0 }, again = { 0 };
	struct err e = { 0 };

	write_frame(&file, frame, o);
	if (read_frame(&again, buf_str(&file), &e) != OK)
		fail_msg("%s", e.msg);
	assert_int_equal(again.len, frame.len);
	assert_memory_equal(again.data, frame.data, frame.len);
	buf_release(&file);
	buf_release(&again);
}

/* Which rows are null: what pages, runs and dictionaries depend on. */
enum nulls { NONE, ALL, EVERY_OTHER, FIRST, LAST, LONG_RUNS, NULLS };

static bool is_null(enum nulls nulls, size_t i, size_t n)
{
	switch (nulls) {
	case ALL: return true;
	case EVERY_OTHER: return i % 2;
	case FIRST: return i == 0;
	case LAST: return i + 1 == n;
	case LONG_RUNS: return i / 1000 % 2;
	default: return false;
	}
}

static void add_frame(struct buf *b, size_t n, enum nulls nulls, size_t distinct)
{
	buf_addz(b, head);
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, "{\"id\":%zu,\"v\":", i);
		if (is_null(nulls, i, n))
			buf_addz(b, "null}\n");
		else
			buf_addf(b, "\"%zx\"}\n", i * 2654435761u % distinct);
	}
	buf_addf(b, "{\"@end\":{\"rows\":{\"t\":%zu}}}\n", n);
}

static void rows_of_any_count_and_nulls_come_back(void **state)
{
	static const size_t counts[] = { 0,   1,   7,	  8,	 9,	511,
					 512, 513, 19999, 20000, 20001, 40001 };
	static const size_t distinct[] = { 1, 2, 3, 255, 257, 11000, SIZE_MAX };

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++)
		for (size_t d = 0; d < sizeof(distinct) / sizeof(*distinct); d++)
			for (int nulls = NONE; nulls < NULLS; nulls++) {
				struct buf frame = { 0 };

				if (counts[c] > 1000 && (c + d + (size_t)nulls) % 3)
					continue;
				add_frame(&frame, counts[c], (enum nulls)nulls, distinct[d]);
				check_round(buf_str(&frame), &defaults);
				buf_release(&frame);
			}
}

static void a_dictionary_that_grows_too_large_is_given_up_within_a_row_group(void **state)
{
	struct buf frame = { 0 };

	(void)state;
	/* few values first, so that a dictionary begins, then none is there twice */
	buf_addz(&frame, head);
	for (size_t i = 0; i < 150000; i++)
		buf_addf(&frame, "{\"id\":%zu,\"v\":\"value %zu\"}\n", i, i < 30000 ? i % 10 : i);
	buf_addz(&frame, "{\"@end\":{\"rows\":{\"t\":150000}}}\n");
	check_round(buf_str(&frame), &defaults);
	buf_release(&frame);
}

static void rows_come_back_from_row_groups_of_any_size_in_every_codec(void **state)
{
	static const enum block_codec codecs[] = { BLOCK_NONE, BLOCK_SNAPPY, BLOCK_GZIP,
						   BLOCK_ZSTD };
	struct buf frame = { 0 };

	(void)state;
	add_frame(&frame, 30000, EVERY_OTHER, 30000);
	for (size_t c = 0; c < 4; c++)
		for (uint64_t size = 1024; size <= 1 << 24; size *= 128) {
			struct parquet_options o = { codecs[c], size, false, false };

			check_round(buf_str(&frame), &o);
		}
	buf_release(&frame);
}

static void flushing_gives_all_memory_back(void **state)
{
	struct buf file = { 0 }, frame = { 0 }, again = { 0 };
	struct parquet_writer *w;
	struct wire_reader in;
	enum wire_event event;
	size_t idle;
	struct err e;

	(void)state;
	add_frame(&frame, 10000, NONE, SIZE_MAX);
	open_frame(&in, buf_str(&frame));
	assert_int_equal(parquet_writer_open(&w, in.table, &defaults, to_buf, &file, &e), OK);
	idle = parquet_writer_held(w);
	for (int i = 0; wire_next(&in, &event, &e) == OK && event == WIRE_ROW; i++) {
		assert_int_equal(wire_fields(&in, &e), OK);
		assert_int_equal(parquet_writer_row(w, in.fields, &e), OK);
		if (i % 1000 != 999)
			continue;
		assert_true(parquet_writer_held(w) > 10000);
		assert_int_equal(parquet_writer_flush(w, &e), OK);
		assert_true(parquet_writer_held(w) < idle + 4096); /* the footer's part */
	}
	assert_int_equal(parquet_writer_close(w, &e), OK);
	parquet_writer_free(w);
	wire_release(&in);
	assert_int_equal(read_frame(&again, buf_str(&file), &e), OK);
	assert_string_equal(again.data, frame.data);
	buf_release(&file);
	buf_release(&frame);
	buf_release(&again);
}

/* --- damage --- */

static const char small[] =
	"{\"@table\":\"s\",\"columns\":[{\"name\":\"i\",\"type\":\"int4\"},"
	"{\"name\":\"d\",\"type\":\"numeric(20,2)\"},{\"name\":\"t\",\"type\":\"text\"},"
	"{\"name\":\"b\",\"type\":\"bool\"}],\"mode\":\"full\"}\n"
	"{\"i\":1,\"d\":-1.50,\"t\":\"one\",\"b\":true}\n"
	"{\"i\":2,\"d\":null,\"t\":\"one\",\"b\":null}\n"
	"{\"i\":1,\"d\":2.00,\"t\":\"three\",\"b\":false}\n"
	"{\"@end\":{\"rows\":{\"s\":3}}}\n";

static void a_file_cut_off_at_any_byte_is_refused(void **state)
{
	struct buf file = { 0 }, frame = { 0 };
	struct err e;

	(void)state;
	write_frame(&file, str_of(small), &defaults);
	for (size_t n = 0; n < file.len; n++) {
		/* of exactly that length, so that a sanitizer sees any byte read behind it */
		char *cut = malloc(n ? n : 1);

		memcpy(cut, file.data, n);
		buf_reset(&frame);
		assert_int_equal(read_frame(&frame, (struct str){ cut, n }, &e), BAD_DATA);
		free(cut);
	}
	buf_release(&file);
	buf_release(&frame);
}

static void any_byte_changed_in_a_page_is_noticed(void **state)
{
	struct buf file = { 0 }, frame = { 0 };
	struct str whole = str_of(small);
	size_t pages, same = 0;
	struct err e;

	(void)state;
	write_frame(&file, whole, &defaults);
	pages = file.len - 8 - (unsigned char)file.data[file.len - 8] -
		(size_t)(unsigned char)file.data[file.len - 7] * 256;
	for (size_t i = 4; i < pages; i++) {
		file.data[i] ^= 1;
		buf_reset(&frame);
		/* a header has bytes that say nothing: how levels are encoded that are not there */
		if (read_frame(&frame, buf_str(&file), &e) == OK) {
			assert_int_equal(frame.len, whole.len);
			assert_memory_equal(frame.data, whole.data, whole.len);
			same++;
		}
		file.data[i] ^= 1;
	}
	assert_true(same < pages / 5);
	buf_release(&file);
	buf_release(&frame);
}

static void any_byte_changed_to_anything_crashes_nothing(void **state)
{
	static const unsigned char masks[] = { 0x01, 0x80, 0xff, 0x7f, 0x10 };
	const struct parquet_options plain = { .row_group_size = PARQUET_ROW_GROUP_SIZE };

	(void)state;
	for (int codec = 0; codec < 2; codec++) {
		struct buf file = { 0 };

		write_frame(&file, str_of(small), codec ? &plain : &defaults);
		for (size_t i = 0; i < file.len; i++)
			for (size_t m = 0; m < sizeof(masks); m++) {
				file.data[i] ^= (char)masks[m];
				LLVMFuzzerTestOneInput((uint8_t *)file.data, file.len);
				file.data[i] ^= (char)masks[m];
			}
		buf_release(&file);
	}
}

static void add_footer(struct buf *b, enum parquet_type type, int bits)
{
	struct thrift_out o = { .b = b };

	thrift_put_struct(&o, 0);
	thrift_put_list(&o, 2, THRIFT_STRUCT, 2);
	thrift_put_struct(&o, 0);
	thrift_put_i32(&o, 5, 1); /* the root's children */
	thrift_end(&o);
	thrift_put_struct(&o, 0);
	thrift_put_i32(&o, 1, (int32_t)type);
	thrift_put_binary(&o, 4, STR("i"));
	thrift_put_struct(&o, 10);
	thrift_put_struct(&o, PQ_INTEGER);
	thrift_put_i8(&o, 1, bits);
	thrift_put_bool(&o, 2, true);
	thrift_end(&o);
	thrift_end(&o);
	thrift_end(&o);
	thrift_put_i64(&o, 3, 0);
	thrift_put_list(&o, 4, THRIFT_STRUCT, 0);
	thrift_end(&o);
}

static void an_integer_of_fewer_bits_than_its_column_has_is_no_type(void **state)
{
	(void)state;
	for (int bits = 4; bits <= 128; bits *= 2)
		for (enum parquet_type type = PQ_INT32; type <= PQ_INT64; type++) {
			bool fits = type == PQ_INT64 ? bits == 64 : bits >= 8 && bits <= 32;
			struct parquet_meta m;
			struct buf b = { 0 };
			struct err e;

			add_footer(&b, type, bits);
			assert_int_equal(parquet_meta_read(&m, buf_str(&b), 4, &e), OK);
			assert_int_equal(m.leaves[0].logical, fits ? PQ_INTEGER : PQ_PLAIN);
			parquet_meta_release(&m);
			buf_release(&b);
		}
}

/* --- footers and pages that no writer makes --- */

static void put_element(struct thrift_out *o, const char *name, enum parquet_type type)
{
	thrift_put_struct(o, 0);
	thrift_put_i32(o, 1, (int32_t)type);
	thrift_put_i32(o, 3, 0); /* required */
	thrift_put_binary(o, 4, str_of(name));
	if (type == PQ_BYTES)
		thrift_put_i32(o, 6, PQC_UTF8);
	thrift_end(o);
}

static void put_root(struct thrift_out *o, size_t columns)
{
	thrift_put_list(o, 2, THRIFT_STRUCT, columns + 1);
	thrift_put_struct(o, 0);
	thrift_put_i32(o, 5, (int32_t)columns);
	thrift_end(o);
}

static void a_file_of_more_columns_than_postgresql_has_is_refused(void **state)
{
	static const size_t counts[] = { 1600, 1601, 1602, 200000 };

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		struct buf b = { 0 };
		struct thrift_out o = { .b = &b };
		struct parquet_meta m;
		struct err e;
		int rc;

		thrift_put_struct(&o, 0);
		put_root(&o, counts[k]);
		for (size_t i = 0; i < counts[k]; i++) {
			char name[32];

			snprintf(name, sizeof(name), "c%zu", i);
			put_element(&o, name, PQ_INT32);
		}
		thrift_put_i64(&o, 3, 0);
		thrift_put_list(&o, 4, THRIFT_STRUCT, 0);
		thrift_end(&o);
		rc = parquet_meta_read(&m, buf_str(&b), 4, &e);
		assert_int_equal(rc, counts[k] <= 1601 ? OK : BAD_DATA);
		assert_true(m.arena.bytes < b.len * 100 + 65536);
		if (rc != OK)
			assert_non_null(strstr(e.msg, "columns"));
		parquet_meta_release(&m);
		buf_release(&b);
	}
}

/* A file of one column and one page, body, of one value. Every row group has that page. */
static void add_file(struct buf *b, enum parquet_type type, struct str body, size_t groups)
{
	struct thrift_out o = { .b = b };
	struct buf packed = { 0 };
	struct err e;
	size_t end, len;

	assert_int_equal(block_pack(BLOCK_ZSTD, body, &packed, &e), OK);
	buf_addz(b, "PAR1");
	thrift_put_struct(&o, 0);
	thrift_put_i32(&o, 1, PQ_DATA_PAGE);
	thrift_put_i32(&o, 2, (int32_t)body.len);
	thrift_put_i32(&o, 3, (int32_t)packed.len);
	thrift_put_struct(&o, 5);
	thrift_put_i32(&o, 1, 1);
	thrift_put_i32(&o, 2, PQE_PLAIN);
	thrift_put_i32(&o, 3, PQE_RLE);
	thrift_put_i32(&o, 4, PQE_RLE);
	thrift_end(&o);
	thrift_end(&o);
	buf_addstr(b, buf_str(&packed));
	buf_release(&packed);
	end = b->len;
	thrift_put_struct(&o, 0);
	put_root(&o, 1);
	put_element(&o, "v", type);
	thrift_put_i64(&o, 3, (int64_t)groups);
	thrift_put_list(&o, 4, THRIFT_STRUCT, groups);
	for (size_t i = 0; i < groups; i++) {
		thrift_put_struct(&o, 0);
		thrift_put_list(&o, 1, THRIFT_STRUCT, 1);
		thrift_put_struct(&o, 0);
		thrift_put_struct(&o, 3);
		thrift_put_i32(&o, 1, (int32_t)type);
		thrift_put_i32(&o, 4, BLOCK_ZSTD);
		thrift_put_i64(&o, 5, 1);
		thrift_put_i64(&o, 7, (int64_t)end - 4);
		thrift_put_i64(&o, 9, 4);
		thrift_end(&o);
		thrift_end(&o);
		thrift_put_i64(&o, 3, 1);
		thrift_end(&o);
	}
	thrift_end(&o);
	len = b->len - end;
	for (int i = 0; i < 4; i++)
		buf_addch(b, (char)(len >> 8 * i));
	buf_addz(b, "PAR1");
}

static void a_page_of_two_row_groups_is_refused(void **state)
{
	struct buf file = { 0 }, frame = { 0 };
	struct err e;

	(void)state;
	add_file(&file, PQ_INT32, (struct str){ "\1\0\0\0", 4 }, 1);
	assert_int_equal(read_frame(&frame, buf_str(&file), &e), OK);
	assert_non_null(strstr(frame.data, "{\"v\":1}\n"));
	buf_reset(&file);
	add_file(&file, PQ_INT32, (struct str){ "\1\0\0\0", 4 }, 1000);
	assert_int_equal(read_frame(&frame, buf_str(&file), &e), BAD_DATA);
	assert_non_null(strstr(e.msg, "in common"));
	buf_release(&file);
	buf_release(&frame);
}

/* 30 MiB of a few bytes are a page that is allowed; 180 MiB of \u0001 as its row are not. */
static void a_row_that_grows_beyond_the_bound_of_memory_is_refused(void **state)
{
	size_t len = (size_t)30 << 20;
	struct buf body = { 0 }, file = { 0 }, frame = { 0 };
	struct err e;

	(void)state;
	for (int c = 'a'; c; c = c == 'a' ? '\1' : 0) {
		buf_reset(&body);
		buf_reset(&file);
		buf_reset(&frame);
		for (int i = 0; i < 4; i++)
			buf_addch(&body, (char)(len >> 8 * i));
		buf_need(&body, len);
		memset(body.data + 4, c, len);
		body.len += len;
		add_file(&file, PQ_BYTES, buf_str(&body), 1);
		assert_int_equal(read_frame(&frame, buf_str(&file), &e),
				 c == 'a' ? OK : BAD_DATA);
		assert_true(frame.cap <= 2 * PARQUET_MEMORY(file.len));
	}
	assert_non_null(strstr(e.msg, "the row would take more than"));
	buf_release(&body);
	buf_release(&file);
	buf_release(&frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_any_count_and_nulls_come_back),
		cmocka_unit_test(a_dictionary_that_grows_too_large_is_given_up_within_a_row_group),
		cmocka_unit_test(rows_come_back_from_row_groups_of_any_size_in_every_codec),
		cmocka_unit_test(flushing_gives_all_memory_back),
		cmocka_unit_test(a_file_cut_off_at_any_byte_is_refused),
		cmocka_unit_test(any_byte_changed_in_a_page_is_noticed),
		cmocka_unit_test(any_byte_changed_to_anything_crashes_nothing),
		cmocka_unit_test(an_integer_of_fewer_bits_than_its_column_has_is_no_type),
		cmocka_unit_test(a_file_of_more_columns_than_postgresql_has_is_refused),
		cmocka_unit_test(a_page_of_two_row_groups_is_refused),
		cmocka_unit_test(a_row_that_grows_beyond_the_bound_of_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
