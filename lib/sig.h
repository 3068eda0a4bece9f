/* sig.h - for tools that must undo remote work before they die of SIGINT, SIGTERM or SIGHUP.
 *
 * sig_catch once at the start; loops and blocking calls look at sig_caught(); after the undoing,
 * sig_die ends the process of that very signal, so that a shell or scheduler sees what happened. */
#ifndef STARPIPE_SIG_H
#define STARPIPE_SIG_H

void sig_catch(void);

/* The signal that arrived, or 0. System calls return EINTR when one does. */
int sig_caught(void);

/* Returns only if no signal was caught. */
void sig_die(void);

#endif
