/* retry.h - how long to wait before trying again: pure arithmetic. */
#ifndef STARPIPE_RETRY_H
#define STARPIPE_RETRY_H

enum { RETRY_ATTEMPTS = 6 };

/* Milliseconds to wait after the given failed attempt (0 is the first): exponential from 200 ms to
 * 10 s with full jitter, so that many runs that failed together do not return together
 * ("Exponential Backoff And Jitter", AWS architecture blog). random is in [0, 1). */
unsigned retry_delay_ms(unsigned attempt, double random);

#endif
