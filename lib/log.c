/* log - messages on stderr */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "printable.h"
#include "progress.h"

static const char *tool = "starpipe";
static enum { TEXT, JSON, LOGFMT } format = TEXT;
static bool verbose;

void log_start(const char *name)
{
	tool = name;
}

const char *log_tool(void)
{
	return tool;
}

bool log_format(const char *name)
{
	if (strcmp(name, "text") == 0)
		format = TEXT;
	else if (strcmp(name, "json") == 0)
		format = JSON;
	else if (strcmp(name, "logfmt") == 0)
		format = LOGFMT;
	else
		return false;
	return true;
}

void log_verbose(bool on)
{
	verbose = on;
}

/* JSON and logfmt quote alike. */
static void add_quoted(struct buf *b, const char *s)
{
	struct buf clean = { 0 };

	printable_add(&clean, str_of(s));
	buf_addch(b, '"');
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.data[i] == '"' || clean.data[i] == '\\')
			buf_addch(b, '\\');
		buf_addch(b, clean.data[i]);
	}
	buf_addch(b, '"');
	buf_release(&clean);
}

/* Its line breaks are ours: err_locate left none in the text. */
static void add_excerpt(struct buf *b, const char *s)
{
	for (size_t n; *s; s += n + 1) {
		n = strcspn(s, "\n");
		printable_add(b, (struct str){ s, n });
		buf_addch(b, '\n');
	}
}

static void add_field(struct buf *b, const char *name, const char *value)
{
	if (!*value)
		return;
	buf_addf(b, format == JSON ? "%s\"%s\":" : "%s%s=",
		 b->len == 0 ? (format == JSON ? "{" : "") : (format == JSON ? "," : " "), name);
	add_quoted(b, value);
}

static void emit(const char *level, const char *msg, const char *excerpt, const char *hint,
		 int code)
{
	struct buf b = { 0 };
	char when[32], number[16] = "";
	struct timespec now;
	struct tm tm;
	ssize_t ignored;

	progress_clear();
	if (format == TEXT) {
		buf_addf(&b, "%s: %s%s", tool, level, *level ? ": " : "");
		printable_add(&b, str_of(msg));
		buf_addch(&b, '\n');
		add_excerpt(&b, excerpt);
		if (*hint) {
			buf_addf(&b, "%s: hint: ", tool);
			printable_add(&b, str_of(hint));
			buf_addch(&b, '\n');
		}
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
		if (code)
			snprintf(number, sizeof(number), "%d", code);
		add_field(&b, "time", when);
		add_field(&b, "tool", tool);
		add_field(&b, "level", *level ? level : "info");
		add_field(&b, "message", msg);
		add_field(&b, "hint", hint);
		add_field(&b, "code", number);
		buf_addz(&b, format == JSON ? "}\n" : "\n");
	}
	ignored = write(STDERR_FILENO, b.data, b.len); /* nowhere left to complain */
	(void)ignored;
	buf_release(&b);
}

#define FORMAT_AND_EMIT(level) \
	do { \
		char msg[2048]; \
		va_list ap; \
		va_start(ap, fmt); \
		err_format(msg, sizeof(msg), fmt, ap); \
		va_end(ap); \
		emit(level, msg, "", "", 0); \
	} while (0)

void log_warning(const char *fmt, ...)
{
	FORMAT_AND_EMIT("warning");
}

void log_notice(const char *fmt, ...)
{
	FORMAT_AND_EMIT("notice");
}

void log_info(const char *fmt, ...)
{
	if (verbose)
		FORMAT_AND_EMIT("");
}

void log_error(int kind, const struct err *e)
{
	emit("error", e->msg, e->excerpt, e->hint, kind);
}

int log_exit(int rc, const struct err *e)
{
	if (rc != OK && rc != NOTHING_NEW)
		log_error(rc, e);
	return rc;
}
