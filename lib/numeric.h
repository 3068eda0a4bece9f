/* numeric.h - exact decimals with PostgreSQL's semantics, on GMP (numeric.c alone includes it).
 *
 * A numeric is coefficient * 10^-scale; scale is what PostgreSQL calls the display scale, so 1.50
 * and 1.5 are equal and print differently. It is immutable and its limbs live in the arena it was
 * made in: nothing to release. Results have the scale, rounding (half away from zero) and special
 * values of PostgreSQL 15's numeric.c. Not thread-safe (scratch numbers). */
#ifndef STARPIPE_NUMERIC_H
#define STARPIPE_NUMERIC_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "err.h"

enum numeric_kind { NUM_FINITE, NUM_NAN, NUM_PLUS_INF, NUM_MINUS_INF };

struct numeric {
	enum numeric_kind kind;
	int scale;
	int size;                  /* limbs; negative for a negative number, as GMP counts */
	const unsigned long *limbs;
};

/* numeric_in: blanks, sign, digits, point, exponent, NaN, Infinity. BAD_DATA as PostgreSQL says it.
 */
int numeric_parse(struct numeric *n, struct str text, struct arena *a, struct err *e);
void numeric_from_i64(struct numeric *n, int64_t i, struct arena *a);

/* Rounded to a whole number; false if it is none or does not fit. */
bool numeric_to_i64(const struct numeric *n, int64_t *i);
double numeric_to_double(const struct numeric *n);
void numeric_format(const struct numeric *n, struct buf *out);

/* Text without zeros at the end of the fraction: equal for equal numbers. */
void numeric_add_key(const struct numeric *n, struct buf *out);

/* NaN equals itself and is above all. */
int numeric_cmp(const struct numeric *x, const struct numeric *y);

/* All of them: "value overflows numeric format" where PostgreSQL's has no room for the result,
 * beyond 131072 digits before the point or 16383 behind it. */
int numeric_add(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e);
int numeric_sub(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e);
int numeric_mul(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e);
int numeric_div(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e);
int numeric_mod(struct numeric *r, const struct numeric *x, const struct numeric *y,
		struct arena *a, struct err *e);
void numeric_neg(struct numeric *r, const struct numeric *x);
void numeric_abs(struct numeric *r, const struct numeric *x);

enum numeric_rounding { ROUND_HALF_AWAY, ROUND_TRUNC, ROUND_CEIL, ROUND_FLOOR };

/* To digits behind the point; a negative number of them rounds before it. */
int numeric_round(struct numeric *r, const struct numeric *x, int digits,
		  enum numeric_rounding how, struct arena *a, struct err *e);

/* numeric(precision, scale): "numeric field overflow" where it does not fit. */
int numeric_limit(struct numeric *r, const struct numeric *x, int precision, int scale,
		  struct arena *a, struct err *e);

#endif
