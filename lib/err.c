/* err - failures as values */
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One message is one line: the tools are read by people and by log collectors alike. */
static void fold_lines(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r'))
		s[--n] = '\0';
	for (; *s; s++)
		if (*s == '\n' || *s == '\r' || *s == '\t')
			*s = ' ';
}

void err_format(char *to, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(to, size, fmt, ap);
	size_t end = size - sizeof("...");

	if (n < 0 || (size_t)n < size)
		return;
	while (end > 0 && ((unsigned char)to[end] & 0xc0) == 0x80)
		end--; /* no part of a character */
	memcpy(to + end, "...", sizeof("..."));
}

/* The same for what has its arguments here. */
__attribute__((format(printf, 3, 4))) static void print(char *to, size_t size, const char *fmt,
							  ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(to, size, fmt, ap);
	va_end(ap);
}

int err_set(struct err *e, int kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	fold_lines(e->msg);
	e->hint[0] = e->excerpt[0] = '\0';
	return kind;
}

int err_wrap(struct err *e, int kind, const char *fmt, ...)
{
	char inner[sizeof(e->msg)], context[sizeof(e->msg) / 2];
	va_list ap;

	memcpy(inner, e->msg, sizeof(inner));
	va_start(ap, fmt);
	err_format(context, sizeof(context), fmt, ap);
	va_end(ap);
	print(e->msg, sizeof(e->msg), "%s: %s", context, inner);
	return kind;
}

int err_hint(struct err *e, int kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	fold_lines(e->hint);
	return kind;
}

int err_locate(struct err *e, int kind, const char *name, const char *text, size_t at)
{
	size_t line = 1, start = 0, length, shown;
	char inner[sizeof(e->msg)];

	for (size_t i = 0; i < at && text[i]; i++)
		if (text[i] == '\n') {
			line++;
			start = i + 1;
		}
	length = strcspn(text + start, "\n");
	shown = length < 200 ? length : 200;
	while (shown < length && shown > 0 && ((unsigned char)text[start + shown] & 0xc0) == 0x80)
		shown--; /* no part of a character */
	memcpy(inner, e->msg, sizeof(inner));
	print(e->msg, sizeof(e->msg), "%s:%zu:%zu: %s", name, line, at - start + 1, inner);
	if (at - start <= shown) {
		int n = snprintf(e->excerpt, sizeof(e->excerpt), "  %.*s\n  ", (int)shown,
				 text + start);

		for (size_t i = start; i < at; i++)
			e->excerpt[n++] = ' ';
		memcpy(e->excerpt + n, "^\n", 3);
	}
	return kind;
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	err_format(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, FAILED, "%s: %s", what, strerror(saved));
}
