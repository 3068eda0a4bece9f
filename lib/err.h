/* err.h - how a failure travels from where it happens to main.
 *
 * A function that can fail returns an enum err_kind and takes a struct err last. On failure it
 * has filled err.msg with one line, complete enough to be printed as it is: what could not be
 * done, the name of what it was done to, and the reason; no capital, no full stop. "could not"
 * means it may work next time, "cannot" that it never will. err.hint, when not empty, is a
 * sentence that names the next command to type.
 *
 * The kinds are the suite's exit codes (starpipe(7)); only main turns one into an exit status.
 * A struct err lives on the caller's stack, needs no release, and is never touched on success. */
#ifndef STARPIPE_ERR_H
#define STARPIPE_ERR_H

#include <stdarg.h>
#include <stddef.h>

enum err_kind {
	OK = 0,
	FAILED = 1,         /* anything without a code of its own */
	USAGE = 2,          /* the command line, or a star file, is wrong */
	BAD_DATA = 65,      /* the input is malformed, or a row was rejected */
	LOST_RACE = 73,     /* another run committed first; nothing was changed */
	TRY_LATER = 75,     /* network, 5xx, connection lost; retries are spent */
	CUT_SHORT = 76,     /* the input ended before its @end */
	NOT_PERMITTED = 77, /* credentials missing or refused */
	NOTHING_NEW = 99    /* only with --empty=skip */
};

struct err {
	char msg[2048];
	char hint[512];
	char excerpt[512]; /* a line of source text and a caret below it, each with its \n */
};

/* Messages hold what others wrote, of any length and any bytes. Here it is cut, and ... stands for
 * the rest; log.h makes it fit for a terminal. */

/* vsnprintf that ends in ... where it had to cut. */
void err_format(char *to, size_t size, const char *fmt, va_list ap);

/* Fill e and return kind, so that a failure is one line: return err_set(e, FAILED, ...).
 * A newline that ends the text (libpq's habit) is dropped, inner ones become blanks. */
int err_set(struct err *e, int kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put context in front of e's message: "context: message". Returns kind. */
int err_wrap(struct err *e, int kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Add a hint to a failure that was just set. Returns kind. */
int err_hint(struct err *e, int kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A mistake in a text people wrote: put "name:line:column: " in front of e's message and keep the
 * line with a caret under byte offset at. Returns kind. */
int err_locate(struct err *e, int kind, const char *name, const char *text, size_t at);

/* The same for a system call that has just failed: "could not ...: " and strerror(errno). */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
