/* pgoutput - messages of logical replication: see "Logical Replication Message Formats" */
#include "pgoutput.h"

#include <stdlib.h>

bool pgoutput_parse_lsn(const char *text, uint64_t *lsn)
{
	static const char digits[] = "0123456789ABCDEFabcdef";
	size_t high = text ? strspn(text, digits) : 0, low;

	if (high < 1 || high > 8 || text[high] != '/')
		return false;
	low = strspn(text + high + 1, digits);
	if (low < 1 || low > 8 || text[high + 1 + low])
		return false;
	*lsn = strtoull(text, NULL, 16) << 32 | strtoull(text + high + 1, NULL, 16);
	return true;
}

void pgoutput_add_lsn(struct buf *b, uint64_t lsn)
{
	buf_addf(b, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
}

/* --- reading: once the bytes did not suffice, all that is read is 0 --- */

struct reader {
	const unsigned char *p, *end;
	bool bad;
};

static struct reader reader_of(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.data;

	return (struct reader){ .p = p, .end = p + s.len };
}

static struct str take(struct reader *r, size_t len)
{
	struct str s = { (const char *)r->p, len };

	if (r->bad || (size_t)(r->end - r->p) < len) {
		r->bad = true;
		return STR("");
	}
	r->p += len;
	return s;
}

/* Big-endian, of so many bytes. */
static uint64_t take_uint(struct reader *r, size_t size)
{
	struct str s = take(r, size);
	uint64_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n = n << 8 | (unsigned char)s.data[i];
	return n;
}

static char take_char(struct reader *r)
{
	return (char)take_uint(r, 1);
}

/* Text up to a NUL. */
static struct str take_z(struct reader *r)
{
	const unsigned char *nul = r->bad ? NULL : memchr(r->p, 0, (size_t)(r->end - r->p));
	struct str s;

	if (!nul) {
		r->bad = true;
		return STR("");
	}
	s = take(r, (size_t)(nul - r->p));
	r->p++;
	return s;
}

/* A count of things of at least so many bytes each: none that cannot be there. */
static size_t take_count(struct reader *r, size_t bytes, size_t each)
{
	size_t n = take_uint(r, bytes);

	if ((size_t)(r->end - r->p) / each < n)
		r->bad = true;
	return r->bad ? 0 : n;
}

static int end_of(const struct reader *r, const char *what, char kind, struct err *e)
{
	if (r->bad || r->p != r->end)
		return err_set(e, BAD_DATA, "malformed %s 0x%02x from the server: it %s", what,
			       (unsigned char)kind, r->bad ? "is cut off" : "goes on too long");
	return OK;
}

static int unknown(const char *what, char kind, struct err *e)
{
	return err_set(e, BAD_DATA, "unknown %s 0x%02x from the server", what, (unsigned char)kind);
}

/* --- frames --- */

int pgoutput_unframe(struct str bytes, struct pgoutput_frame *f, struct err *e)
{
	struct reader r = reader_of(bytes);
	char kind = take_char(&r);

	*f = (struct pgoutput_frame){ 0 };
	if (kind == 'w') {
		take(&r, 8 + 8 + 8); /* where it starts, where the server is, when */
		f->message = take(&r, r.bad ? 0 : (size_t)(r.end - r.p));
	} else if (kind == 'k') {
		f->wal_end = take_uint(&r, 8);
		take(&r, 8);
		f->reply = take_char(&r);
	} else {
		return unknown("replication message", kind, e);
	}
	return end_of(&r, "replication message", kind, e);
}

static void add_uint(struct buf *b, uint64_t n)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		buf_addch(b, (char)(n >> shift & 0xff));
}

void pgoutput_add_status(struct buf *b, uint64_t lsn, int64_t now_us, bool ask)
{
	buf_addch(b, 'r');
	for (int i = 0; i < 3; i++) /* written, flushed, applied */
		add_uint(b, lsn);
	add_uint(b, (uint64_t)now_us);
	buf_addch(b, ask);
}

/* --- messages --- */

static int take_tuple(struct reader *r, struct arena *a, struct pgoutput_tuple *t, struct err *e)
{
	t->count = take_count(r, 2, 1);
	t->values = arena_alloc(a, t->count * sizeof(*t->values));
	for (size_t i = 0; i < t->count; i++) {
		struct pgoutput_value *v = &t->values[i];

		v->kind = take_char(r);
		v->text = v->kind == 't' ? take(r, take_uint(r, 4)) : STR("");
		if (r->bad)
			break;
		if (v->kind != 'n' && v->kind != 'u' && v->kind != 't')
			return unknown("kind of value", v->kind, e);
	}
	return OK;
}

static void take_relation(struct reader *r, struct arena *a, struct pgoutput *m)
{
	m->relation = (uint32_t)take_uint(r, 4);
	take_z(r); /* schema */
	take_z(r); /* name */
	take(r, 1); /* replica identity */
	m->column_count = take_count(r, 2, 1 + 1 + 4 + 4);
	m->columns = arena_alloc(a, m->column_count * sizeof(*m->columns));
	for (size_t i = 0; i < m->column_count; i++) {
		take(r, 1); /* is it of the replica identity? */
		m->columns[i] = take_z(r);
		take(r, 4 + 4); /* the type's oid and modifier */
	}
}

/* Insert, update or delete: [K|O old tuple] [N new tuple]. */
static int take_change(struct reader *r, struct arena *a, struct pgoutput *m, struct err *e)
{
	int rc = OK;
	char kind;

	m->relation = (uint32_t)take_uint(r, 4);
	kind = take_char(r);
	if (!r->bad && m->kind != PGOUTPUT_INSERT && (kind == 'K' || kind == 'O')) {
		m->old_kind = kind;
		rc = take_tuple(r, a, &m->old, e);
		if (rc != OK || m->kind == PGOUTPUT_DELETE)
			return rc;
		kind = take_char(r);
	}
	if (r->bad)
		return OK;
	if (kind != 'N' || m->kind == PGOUTPUT_DELETE)
		return unknown("kind of tuple", kind, e);
	return take_tuple(r, a, &m->tuple, e);
}

static void take_truncate(struct reader *r, struct arena *a, struct pgoutput *m)
{
	m->relation_count = take_count(r, 4, 4);
	take(r, 1); /* CASCADE, RESTART IDENTITY */
	m->relations = arena_alloc(a, m->relation_count * sizeof(*m->relations));
	for (size_t i = 0; i < m->relation_count; i++)
		m->relations[i] = (uint32_t)take_uint(r, 4);
}

int pgoutput_decode(struct str message, struct arena *a, struct pgoutput *m, struct err *e)
{
	struct reader r = reader_of(message);
	char kind = take_char(&r);
	int rc = OK;

	*m = (struct pgoutput){ .kind = (unsigned char)kind };
	switch (m->kind) {
	case PGOUTPUT_BEGIN:
		m->lsn = take_uint(&r, 8);
		take(&r, 8); /* when */
		m->xid = (uint32_t)take_uint(&r, 4);
		break;
	case PGOUTPUT_COMMIT:
		take(&r, 1); /* flags */
		m->lsn = take_uint(&r, 8);
		take(&r, 8 + 8); /* where it ends, when */
		break;
	case PGOUTPUT_RELATION:
		take_relation(&r, a, m);
		break;
	case PGOUTPUT_INSERT:
	case PGOUTPUT_UPDATE:
	case PGOUTPUT_DELETE:
		rc = take_change(&r, a, m, e);
		break;
	case PGOUTPUT_TRUNCATE:
		take_truncate(&r, a, m);
		break;
	case PGOUTPUT_ORIGIN:
	case PGOUTPUT_TYPE:
	case PGOUTPUT_LOGICAL:
		return OK;
	default:
		return unknown("message of pgoutput", kind, e);
	}
	return rc == OK ? end_of(&r, "message of pgoutput", kind, e) : rc;
}
