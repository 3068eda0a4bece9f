/* pgsnapshot - the text of PostgreSQL's pg_snapshot */
#include "pgsnapshot.h"

/* A number as PostgreSQL writes it: digits only, the first one not 0. */
static bool take_xid(const char **p, uint64_t *xid)
{
	const char *start = *p;

	for (*xid = 0; **p >= '0' && **p <= '9'; ++*p)
		if (__builtin_mul_overflow(*xid, 10, xid) ||
		    __builtin_add_overflow(*xid, **p - '0', xid))
			return false;
	return *p > start && *start != '0';
}

bool pgsnapshot_parse(const char *text, struct pgsnapshot *s)
{
	struct pgsnapshot found = { 0 };
	const char *p = text;
	uint64_t xid, least;

	*s = found;
	if (!p || !take_xid(&p, &found.xmin) || *p++ != ':' || !take_xid(&p, &found.xmax) ||
	    *p++ != ':')
		return false;
	if (found.xmax < found.xmin) /* PostgreSQL asks xmin first, too */
		found.xmax = found.xmin;
	found.running = p;
	for (least = found.xmin; *p; least = xid + 1)
		if ((found.running_count++ && *p++ != ',') || !take_xid(&p, &xid) ||
		    xid < least || xid >= found.xmax)
			return false;
	*s = found;
	return true;
}

bool pgsnapshot_sees(const struct pgsnapshot *s, uint32_t xid)
{
	const char *p = s->running;
	uint64_t running;

	if ((int32_t)(xid - (uint32_t)s->xmin) < 0)
		return true;
	for (size_t i = 0; i < s->running_count; i++, p++)
		if (take_xid(&p, &running) && (uint32_t)running == xid)
			return false;
	return (int32_t)(xid - (uint32_t)s->xmax) < 0;
}
