/* progress.h - a line on stderr that says how far a tool is: rows, bytes, rate, time, estimate.
 *
 * Shown when stderr is a terminal or on request (--progress), at most once a second; SIGUSR1
 * prints it once in any case. A terminal gets one line that is rewritten, anything else whole
 * lines, one every ten seconds. */
#ifndef STARPIPE_PROGRESS_H
#define STARPIPE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Borrows the tool's name. */
void progress_start(const char *tool, bool always);

/* Count what went by; cheap enough to call once a row. */
void progress_add(uint64_t rows, uint64_t bytes);

/* What the run will be, if known: gives the estimate of the time left. */
void progress_expect(uint64_t rows);

/* Since progress_start, which opt_parse calls: how long the tool has been at work. */
double progress_seconds(void);

/* Clear the terminal's line, or do nothing. Before any message and at the end. */
void progress_clear(void);

#endif
