/* retry - how long to wait */
#include "retry.h"

unsigned retry_delay_ms(unsigned attempt, double random)
{
	unsigned ceiling = attempt < 6 ? 200u << attempt : 10000u;

	if (ceiling > 10000u)
		ceiling = 10000u;
	return ceiling / 4 + (unsigned)(random * (ceiling - ceiling / 4));
}
