/* sqltype - types of expressions */
#include "sqltype.h"

struct sqltype sqltype_of(enum pg_base base)
{
	return (struct sqltype){ base, { -1, -1 }, NULL };
}

struct sqltype sqltype_of_wire(const struct pg_type *t, const char *name)
{
	if (t->array || t->base == PG_OTHER)
		return (struct sqltype){ PG_OTHER, { -1, -1 }, name };
	return (struct sqltype){ t->base, { t->mods[0], t->mods[1] }, NULL };
}

bool sqltype_is_array(struct sqltype t)
{
	return t.base == PG_OTHER && strchr(t.name, '[');
}

bool sqltype_same(struct sqltype a, struct sqltype b)
{
	return a.base == b.base && (a.base != PG_OTHER || strcmp(a.name, b.name) == 0);
}

void sqltype_add_name(struct buf *b, struct sqltype t)
{
	static const char *const names[] = {
		[PG_BOOL] = "boolean",
		[PG_INT2] = "smallint",
		[PG_INT4] = "integer",
		[PG_INT8] = "bigint",
		[PG_NUMERIC] = "numeric",
		[PG_FLOAT4] = "real",
		[PG_FLOAT8] = "double precision",
		[PG_TEXT] = "text",
		[PG_VARCHAR] = "character varying",
		[PG_BPCHAR] = "character",
		[PG_DATE] = "date",
		[PG_TIME] = "time without time zone",
		[PG_TIMESTAMP] = "timestamp without time zone",
		[PG_TIMESTAMPTZ] = "timestamp with time zone",
		[PG_INTERVAL] = "interval",
		[PG_BYTEA] = "bytea",
		[PG_JSON] = "json",
		[PG_JSONB] = "jsonb",
		[PG_UNKNOWN] = "unknown",
		[PG_ANY] = "any",
	};

	buf_addz(b, t.base == PG_OTHER ? t.name : names[t.base]);
	if (t.mods[0] >= 0)
		buf_addf(b, t.base == PG_NUMERIC ? "(%d,%d)" : "(%d)", t.mods[0], t.mods[1]);
}

void sqltype_add_wire_name(struct buf *b, struct sqltype t)
{
	struct pg_type p = { t.base, false, { t.mods[0], t.mods[1] }, ',' };

	if (t.base == PG_OTHER)
		buf_addz(b, t.name);
	else
		pg_type_add_name(b, &p);
}

char sqltype_category(enum pg_base base)
{
	if (pg_is_number(base))
		return 'N';
	if (sqltype_is_text(base))
		return 'S';
	switch (base) {
	case PG_DATE: case PG_TIME: case PG_TIMESTAMP: case PG_TIMESTAMPTZ: return 'D';
	case PG_INTERVAL: return 'T';
	case PG_BOOL: return 'B';
	case PG_UNKNOWN: return 'X';
	default: return 'U';
	}
}

bool sqltype_preferred(enum pg_base base)
{
	return base == PG_TEXT || base == PG_FLOAT8 || base == PG_TIMESTAMPTZ ||
	       base == PG_INTERVAL || base == PG_BOOL;
}

/* pg_cast's rows between the types above, one letter each: i(mplicit), a(ssignment),
 * e(xplicit). Numbers are computed: up the ladder implicit, down assignment. */
static char cast_letter(enum pg_base from, enum pg_base to)
{
	static const struct { enum pg_base from, to; char letter; } casts[] = {
		{ PG_DATE, PG_TIMESTAMP, 'i' },      { PG_DATE, PG_TIMESTAMPTZ, 'i' },
		{ PG_TIME, PG_INTERVAL, 'i' },       { PG_INTERVAL, PG_TIME, 'a' },
		{ PG_TIMESTAMP, PG_TIMESTAMPTZ, 'i' }, { PG_TIMESTAMP, PG_DATE, 'a' },
		{ PG_TIMESTAMP, PG_TIME, 'a' },      { PG_TIMESTAMPTZ, PG_TIMESTAMP, 'a' },
		{ PG_TIMESTAMPTZ, PG_DATE, 'a' },    { PG_TIMESTAMPTZ, PG_TIME, 'a' },
		{ PG_INT4, PG_BOOL, 'e' },           { PG_BOOL, PG_INT4, 'e' },
		{ PG_JSON, PG_JSONB, 'a' },          { PG_JSONB, PG_JSON, 'a' },
		{ PG_JSONB, PG_BOOL, 'e' },          { PG_JSONB, PG_NUMERIC, 'e' },
		{ PG_JSONB, PG_INT2, 'e' },          { PG_JSONB, PG_INT4, 'e' },
		{ PG_JSONB, PG_INT8, 'e' },
	};

	if (pg_is_number(from) && pg_is_number(to))
		return from < to ? 'i' : 'a';
	if (sqltype_is_text(from) && sqltype_is_text(to))
		return 'i';
	for (size_t i = 0; i < sizeof(casts) / sizeof(casts[0]); i++)
		if (casts[i].from == from && casts[i].to == to)
			return casts[i].letter;
	/* everything has a text form: out on assignment, in when asked for */
	return sqltype_is_text(to) ? 'a' : sqltype_is_text(from) ? 'e' : '-';
}

bool sqltype_castable(struct sqltype from, struct sqltype to, enum cast_context context)
{
	char letter;

	if (from.base == PG_ANY || to.base == PG_ANY || from.base == PG_UNKNOWN ||
	    sqltype_same(from, to))
		return true;
	letter = cast_letter(from.base, to.base);
	if (from.base == PG_OTHER && (to.base == PG_OTHER || sqltype_is_array(from)))
		letter = '-'; /* an array's text form is not made here */
	return letter == 'i' || (letter == 'a' && context >= CAST_ASSIGNMENT) ||
	       (letter == 'e' && context == CAST_EXPLICIT);
}

/* select_common_type in parse_coerce.c: the first type stands until another of its category is
 * reachable from it and not the other way round, or the preferred one is met. */
bool sqltype_common(const struct sqltype *types, size_t count, struct sqltype *common,
		    struct sqltype *a, struct sqltype *b)
{
	struct sqltype best = sqltype_of(PG_UNKNOWN);
	bool same_mods = true;

	for (size_t i = 0; i < count; i++) {
		struct sqltype t = types[i];

		if (t.base == PG_ANY) {
			*common = t;
			return true;
		}
		if (t.base == PG_UNKNOWN) {
			same_mods = false;
			continue;
		}
		if (best.base == PG_UNKNOWN) {
			best = t;
			continue;
		}
		if (sqltype_same(best, t)) {
			same_mods =
				same_mods && best.mods[0] == t.mods[0] && best.mods[1] == t.mods[1];
			continue;
		}
		same_mods = false;
		if (sqltype_category(t.base) != sqltype_category(best.base)) {
			*a = best;
			*b = t;
			return false;
		}
		if (!sqltype_preferred(best.base) && sqltype_castable(best, t, CAST_IMPLICIT) &&
		    !sqltype_castable(t, best, CAST_IMPLICIT))
			best = t;
	}
	if (best.base == PG_UNKNOWN)
		best = sqltype_of(PG_TEXT);
	if (!same_mods)
		best.mods[0] = best.mods[1] = -1;
	for (size_t i = 0; i < count; i++)
		if (!sqltype_castable(types[i], best, CAST_IMPLICIT)) {
			*a = best;
			*b = types[i];
			return false;
		}
	*common = best;
	return true;
}
