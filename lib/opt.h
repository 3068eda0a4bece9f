/* opt.h - one table per tool drives parsing, --help and the check against its man page.
 *
 *     static const char *dbname;
 *     static const struct opt opts[] = {
 *             { 'd', "dbname", "conninfo", OPT_STRING, &dbname, "connection string or URI" },
 *             OPT_END
 *     };
 *     static const struct tool tool = { "pg-extract", "[-d conninfo] [table ...]",
 *             "Reads tables of a PostgreSQL database as framed JSON Lines.", opts };
 *
 * Every tool also has -h/--help, -V/--version, -v/--verbose, --log format and --progress, handled
 * here. --help and --version print to stdout and exit 0. Options and operands may mix; "--" ends
 * the options. Numbers and sizes are checked here, a tool's ranges in the tool. */
#ifndef STARPIPE_OPT_H
#define STARPIPE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum opt_kind {
	OPT_FLAG,   /* bool * */
	OPT_STRING, /* const char **, borrowed from argv */
	OPT_LIST,   /* struct opt_list *, in the order given */
	OPT_SIZE,   /* uint64_t *, bytes: 512, 64K, 16MiB */
	OPT_NUMBER  /* uint64_t * */
};

struct opt_list {
	const char **items;
	size_t count, cap;
};

struct opt {
	char letter;      /* 0: long form only */
	const char *name;
	const char *arg;  /* NULL for a flag */
	enum opt_kind kind;
	void *to;
	const char *help; /* starts lower case, no full stop */
};

#define OPT_END { 0, NULL, NULL, OPT_FLAG, NULL, NULL }

struct tool {
	const char *name;
	const char *synopsis; /* behind the name; a newline starts another form, a newline
				 and a blank another line of the same */
	const char *summary;  /* one sentence */
	const struct opt *opts;
};

/* Starts log, parses argv and sets *operand to the index of the first operand in the permuted
 * argv. On a mistake returns USAGE with a hint at --help. */
int opt_parse(const struct tool *t, int argc, char **argv, int *operand, struct err *e);

/* A mistake only the tool can see ("--table needs --query"): USAGE, with the same hint. */
int opt_misuse(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
