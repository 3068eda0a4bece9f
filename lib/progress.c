/* progress - how far a tool is */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROWS_BETWEEN_LOOKS = 8192, BYTES_BETWEEN_LOOKS = 4 << 20 };

static struct {
	const char *tool;
	bool on, terminal, shown;
	uint64_t rows, bytes, expected;
	uint64_t look_at_rows, look_at_bytes;
	double started, last;
} p;
static volatile sig_atomic_t asked;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_usr1(int sig)
{
	(void)sig;
	asked = 1;
}

void progress_start(const char *tool, bool always)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	p.tool = tool;
	p.terminal = isatty(STDERR_FILENO);
	p.on = always || p.terminal;
	p.started = p.last = now_s();
}

double progress_seconds(void)
{
	return now_s() - p.started;
}

void progress_expect(uint64_t rows)
{
	p.expected = rows;
}

static void print_line(double now)
{
	double elapsed = now - p.started;
	char left[48] = "", line[256];
	ssize_t ignored;
	int n;

	if (p.expected > p.rows && p.rows > 0)
		snprintf(left, sizeof(left), ", about %.0f s left",
			 elapsed * (double)(p.expected - p.rows) / (double)p.rows);
	n = snprintf(line, sizeof(line), "%s%s: %llu rows, %.1f MB, %.1f MB/s, %.0f s%s%s",
		     p.terminal ? "\r" : "", p.tool, (unsigned long long)p.rows,
		     (double)p.bytes / 1e6, elapsed > 0 ? (double)p.bytes / 1e6 / elapsed : 0.0,
		     elapsed, left, p.terminal ? "\033[K" : "\n");
	ignored = write(STDERR_FILENO, line, (size_t)n);
	(void)ignored;
	p.shown = p.terminal;
	p.last = now;
}

void progress_add(uint64_t rows, uint64_t bytes)
{
	double now;

	p.rows += rows;
	p.bytes += bytes;
	if (!asked && p.rows < p.look_at_rows && p.bytes < p.look_at_bytes)
		return;
	p.look_at_rows = p.rows + ROWS_BETWEEN_LOOKS;
	p.look_at_bytes = p.bytes + BYTES_BETWEEN_LOOKS;
	now = now_s();
	if (asked || (p.on && now - p.last >= (p.terminal ? 1.0 : 10.0))) {
		asked = 0;
		print_line(now);
	}
}

void progress_clear(void)
{
	static const char wipe[] = "\r\033[K";
	ssize_t ignored;

	if (p.shown) {
		ignored = write(STDERR_FILENO, wipe, strlen(wipe));
		(void)ignored;
		p.shown = false;
	}
}
