/* sig - undo, then die of the signal */
#include "sig.h"

#include <signal.h>

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

void sig_catch(void)
{
	struct sigaction sa = { .sa_handler = on_signal }; /* no SA_RESTART: reads must wake up */

	sigaction(SIGINT, &sa, 0);
	sigaction(SIGTERM, &sa, 0);
	sigaction(SIGHUP, &sa, 0);
}

int sig_caught(void)
{
	return caught;
}

void sig_die(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	if (!caught)
		return;
	sigaction(caught, &sa, 0);
	raise(caught);
}
