/* opt - command lines, from one table */
#include "opt.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "progress.h"
#include "str.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

enum { MAX_OPTS = 48, FIRST_LONG = 256 };

static bool want_help, want_version, want_verbose, want_progress;
static const char *log_as;

static const struct opt common[] = {
	{ 0, "log", "format", OPT_STRING, &log_as, "messages as text (default), json or logfmt" },
	{ 0, "progress", NULL, OPT_FLAG, &want_progress,
	  "show progress on stderr even where it is no terminal" },
	{ 'v', "verbose", NULL, OPT_FLAG, &want_verbose, "say on stderr what was done" },
	{ 'h', "help", NULL, OPT_FLAG, &want_help, "print this help and exit" },
	{ 'V', "version", NULL, OPT_FLAG, &want_version, "print the version and exit" },
	OPT_END
};

static void print_synopsis(const struct tool *t)
{
	const char *line = t->synopsis;
	const char *lead = "usage:";

	for (;;) {
		size_t n = strcspn(line, "\n");

		if (*line == ' ')
			printf("%*s%.*s\n", (int)strlen(t->name) + 7, "", (int)n, line);
		else
			printf("%-6s %s %.*s\n", lead, t->name, (int)n, line);
		if (!line[n])
			break;
		line += n + 1;
		lead = "";
	}
}

static void print_options(const struct opt *o)
{
	for (; o->name; o++) {
		char left[64];
		int n = o->letter ? snprintf(left, sizeof(left), "-%c, ", o->letter)
				  : snprintf(left, sizeof(left), "    ");

		snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		printf("  %-27s%s%s\n", left, strlen(left) > 26 ? " " : "", o->help);
	}
}

/* Help that cannot be written is an error like any other output. */
static void finish_stdout(void)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		struct err e;

		err_errno(&e, "could not write standard output");
		exit(log_exit(FAILED, &e));
	}
	exit(OK);
}

static int set_value(const struct opt *o, const char *text, struct err *e)
{
	int64_t n;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->to = true;
		break;
	case OPT_STRING:
		*(const char **)o->to = text;
		break;
	case OPT_LIST: {
		struct opt_list *l = o->to;

		GROW(l->items, l->count, l->cap);
		l->items[l->count++] = text;
		break;
	}
	case OPT_SIZE:
		if (!str_to_size(str_of(text), INT64_MAX, o->to))
			return opt_misuse(e, "--%s: \"%s\" is not a size such as 64K or 16MiB",
					  o->name, text);
		break;
	case OPT_NUMBER:
		if (!str_to_i64(str_of(text), 0, INT64_MAX, &n))
			return opt_misuse(e, "--%s: \"%s\" is not a number", o->name, text);
		*(uint64_t *)o->to = (uint64_t)n;
		break;
	}
	return OK;
}

int opt_misuse(struct err *e, const char *fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	err_format(what, sizeof(what), fmt, ap);
	va_end(ap);
	err_set(e, USAGE, "%s", what);
	return err_hint(e, USAGE, "Try '%s --help'.", log_tool());
}

/* getopt_long's two tables; an option's val is its index in all[] plus FIRST_LONG. */
static size_t build_tables(const struct tool *t, const struct opt **all, struct option *longs,
			   char *shorts)
{
	const struct opt *lists[] = { t->opts, common };
	size_t n = 0;

	*shorts++ = ':'; /* tell a missing argument from an unknown option */
	for (size_t l = 0; l < 2; l++)
		for (const struct opt *o = lists[l]; o->name && n < MAX_OPTS; o++, n++) {
			all[n] = o;
			longs[n] =
				(struct option){ o->name, o->arg ? required_argument : no_argument,
						 NULL, FIRST_LONG + (int)n };
			if (o->letter) {
				*shorts++ = o->letter;
				if (o->arg)
					*shorts++ = ':';
			}
		}
	*shorts = '\0';
	longs[n] = (struct option){ 0 };
	return n;
}

static int parse_all(const struct tool *t, int argc, char **argv, struct err *e)
{
	const struct opt *all[MAX_OPTS];
	struct option longs[MAX_OPTS + 1];
	char shorts[2 * MAX_OPTS + 2];
	size_t count = build_tables(t, all, longs, shorts);
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];
		size_t i = c >= FIRST_LONG ? (size_t)(c - FIRST_LONG) : 0;

		if (c == ':')
			return opt_misuse(e, "option %s needs an argument", word);
		if (c == '?' && optopt && optopt < FIRST_LONG)
			return opt_misuse(e, "unrecognized option -%c", optopt);
		if (c == '?')
			return opt_misuse(e, "unrecognized option %s", word);
		while (c < FIRST_LONG && i < count && all[i]->letter != c)
			i++;
		if ((rc = set_value(all[i], optarg, e)) != OK)
			return rc;
	}
	return OK;
}

int opt_parse(const struct tool *t, int argc, char **argv, int *operand, struct err *e)
{
	int rc;

	log_start(t->name);
	if ((rc = parse_all(t, argc, argv, e)) != OK)
		return rc;
	if (want_help) {
		print_synopsis(t);
		printf("\n%s\n\n", t->summary);
		print_options(t->opts);
		print_options(common);
		finish_stdout();
	}
	if (want_version) {
		printf("%s (starpipe) %s\n", t->name, VERSION);
		finish_stdout();
	}
	if (log_as && !log_format(log_as))
		return opt_misuse(e, "--log: \"%s\" is none of text, json, logfmt", log_as);
	log_verbose(want_verbose);
	progress_start(t->name, want_progress);
	*operand = optind;
	return OK;
}
