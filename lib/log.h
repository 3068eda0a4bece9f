/* log.h - messages on stderr, the only place that prints there.
 *
 * Text, the default, is one line a message, so that the tools of a pipe can share a terminal:
 *     pg-extract: error: could not ...
 *     pg-extract: hint: A sentence.
 * json and logfmt carry the same as fields (time, tool, level, message, hint, and code for an
 * error), for log collectors. Every message is one write(2): lines of two tools never mix. Whatever
 * stands in one, it cannot end its line, steer a terminal or show a URL's password: printable.h. */
#ifndef STARPIPE_LOG_H
#define STARPIPE_LOG_H

#include <stdbool.h>

#include "err.h"

/* Name the program; borrows the string. Call it first. */
void log_start(const char *tool);
const char *log_tool(void);

/* "text", "json" or "logfmt"; false for anything else. */
bool log_format(const char *name);

/* With -v, log_info prints; without, it does nothing. */
void log_verbose(bool on);

void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(int kind, const struct err *e);

/* How main ends: prints the failure, if rc is one, and returns rc as the exit status.
 *     return log_exit(run(argc, argv, &e), &e); */
int log_exit(int rc, const struct err *e);

#endif
