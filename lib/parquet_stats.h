/* parquet_stats.h - the statistics of one column of one row group: nulls, least and greatest.
 *
 * The order is the one that parquet.thrift calls TypeDefinedOrder. Of bytes, only the first
 * STAT_BYTES are kept; a bound that was cut is still one: the greatest is then raised. */
#ifndef STARPIPE_PARQUET_STATS_H
#define STARPIPE_PARQUET_STATS_H

#include "parquet_meta.h"

enum { STAT_BYTES = 64 };

struct parquet_bound { /* of PQ_BYTES and PQ_FIXED: the first bytes of the least or greatest */
	unsigned char bytes[STAT_BYTES];
	size_t len;
	bool exact;
};

/* Zero it before the first value. */
struct parquet_stats {
	bool any; /* min and max are of something */
	uint64_t nulls, nans;
	int64_t min, max; /* integers and bools */
	double fmin, fmax;
	struct parquet_bound low, high;
};

static inline void parquet_stats_int(struct parquet_stats *s, int64_t v)
{
	if (!s->any || v < s->min)
		s->min = v;
	if (!s->any || v > s->max)
		s->max = v;
	s->any = true;
}

void parquet_stats_float(struct parquet_stats *s, double v);
void parquet_stats_bytes(struct parquet_stats *s, const struct parquet_leaf *l, struct str v);

/* Write the format's Statistics as field id. */
void parquet_stats_put(struct thrift_out *o, int id, const struct parquet_stats *s,
		       const struct parquet_leaf *l);

#endif
