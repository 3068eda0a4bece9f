/* parquet_decode - the values of one page of a Parquet file */
#include "parquet_decode.h"

#include <stdlib.h>

#include "mem.h"

enum { MAX_BLOCK = 1 << 20, MAX_SPLIT_BYTES = 64 * 1024 };

static int ends_early(struct err *e)
{
	return err_set(e, BAD_DATA, "a page has fewer values than it says");
}

bool parquet_values_ints(const struct parquet_leaf *l)
{
	return l->type < PQ_BYTES && l->type != PQ_INT96;
}

/* --- runs and packed groups --- */

void parquet_hybrid_init(struct parquet_hybrid *h, struct str bytes, int width)
{
	*h = (struct parquet_hybrid){ .p = (const unsigned char *)bytes.data,
				      .end = (const unsigned char *)bytes.data + bytes.len,
				      .width = width };
}

/* The header of the next run. */
static bool next_run(struct parquet_hybrid *h)
{
	struct thrift_in in = { .p = h->p, .end = h->end };
	uint64_t head = varint_get(&in);
	size_t bytes = ((size_t)h->width + 7) / 8;

	if (in.error != THRIFT_OK || head >> 1 == 0 || head >> 1 > UINT32_MAX)
		return false;
	h->p = in.p;
	h->packed = head & 1;
	h->left = head >> 1;
	if (h->packed) {
		h->left *= 8;
		h->bits = 0;
		h->bit_count = 0;
		return true;
	}
	if ((size_t)(h->end - h->p) < bytes)
		return false;
	h->value = 0;
	for (size_t i = 0; i < bytes; i++)
		h->value |= (uint32_t)*h->p++ << 8 * i;
	return true;
}

static bool unpack(struct parquet_hybrid *h, uint32_t *out, size_t n)
{
	uint64_t mask = ((uint64_t)1 << h->width) - 1;

	for (size_t i = 0; i < n; i++) {
		while (h->bit_count < h->width) {
			if (h->p == h->end)
				return false;
			h->bits |= (uint64_t)*h->p++ << h->bit_count;
			h->bit_count += 8;
		}
		out[i] = (uint32_t)(h->bits & mask);
		h->bits >>= h->width;
		h->bit_count -= h->width;
	}
	return true;
}

bool parquet_hybrid_next(struct parquet_hybrid *h, uint32_t *out, size_t n)
{
	while (n) {
		size_t take;

		if (h->left == 0 && !next_run(h))
			return false;
		take = h->left < n ? (size_t)h->left : n;
		if (h->packed) {
			if (!unpack(h, out, take))
				return false;
		} else {
			for (size_t i = 0; i < take; i++)
				out[i] = h->value;
		}
		h->left -= take;
		out += take;
		n -= take;
	}
	return true;
}

/* --- differences --- */

static uint64_t zigzag(struct thrift_in *in)
{
	uint64_t v = varint_get(in);

	return v >> 1 ^ (0 - (v & 1));
}

static bool delta_init(struct parquet_delta *d, const unsigned char *p, const unsigned char *end,
		       bool narrow)
{
	uint64_t block, total;

	*d = (struct parquet_delta){ .in = { .p = p, .end = end }, .narrow = narrow,
				     .first = true };
	block = varint_get(&d->in);
	d->mini_count = varint_get(&d->in);
	total = varint_get(&d->in);
	d->value = zigzag(&d->in);
	if (d->in.error != THRIFT_OK || block == 0 || block > MAX_BLOCK || block % 128 ||
	    d->mini_count == 0 || d->mini_count > block || block % d->mini_count ||
	    block / d->mini_count % 32)
		return false;
	d->left = total;
	d->mini_size = block / d->mini_count;
	d->mini = d->mini_count;
	return true;
}

/* The next miniblock: of the next block, when this one's are used up. */
static bool next_mini(struct parquet_delta *d)
{
	if (d->mini == d->mini_count) {
		d->least = zigzag(&d->in);
		if (d->in.error != THRIFT_OK ||
		    (uint64_t)(d->in.end - d->in.p) < d->mini_count)
			return false;
		d->widths = d->in.p;
		d->in.p += d->mini_count;
		d->mini = 0;
	}
	if (d->widths[d->mini] > 64) /* DuckDB has differences of 32 bits in 33 */
		return false;
	d->mini_left = d->mini_size;
	d->bits = 0;
	d->bit_count = 0;
	return true;
}

/* Bits of one difference; 64 of them may straddle nine bytes. */
static bool take_bits(struct parquet_delta *d, int width, uint64_t *v)
{
	int have = d->bit_count < width ? d->bit_count : width;

	*v = have == 64 ? d->bits : d->bits & (((uint64_t)1 << have) - 1);
	d->bits = have == 64 ? 0 : d->bits >> have;
	d->bit_count -= have;
	while (have < width) {
		uint64_t byte;
		int take = width - have < 8 ? width - have : 8;

		if (d->in.p == d->in.end)
			return false;
		byte = *d->in.p++;
		*v |= (byte & ((1u << take) - 1)) << have;
		d->bits = byte >> take;
		d->bit_count = 8 - take;
		have += take;
	}
	return true;
}

static bool delta_next(struct parquet_delta *d, int64_t *out)
{
	uint64_t v;

	if (d->left == 0)
		return false;
	d->left--;
	if (d->first) {
		d->first = false;
	} else {
		if (d->mini_left == 0 && !next_mini(d))
			return false;
		if (!take_bits(d, d->widths[d->mini], &v))
			return false;
		d->value += d->least + v; /* all arithmetic is modulo the type's size */
		if (--d->mini_left == 0)
			d->mini++;
	}
	*out = d->narrow ? (int32_t)d->value : (int64_t)d->value;
	return true;
}

/* Where the numbers end and what they are the lengths of begins: the last miniblock is filled
 * up. */
static const unsigned char *delta_end(const struct parquet_delta *d)
{
	struct thrift_in in = d->in;
	uint64_t left = d->left ? d->left - 1 : 0;

	while (left) {
		const unsigned char *widths;

		zigzag(&in);
		if (in.error != THRIFT_OK || (uint64_t)(in.end - in.p) < d->mini_count)
			return NULL;
		widths = in.p;
		in.p += d->mini_count;
		for (size_t i = 0; i < d->mini_count && left; i++) {
			uint64_t bytes = d->mini_size / 8 * widths[i];

			if (bytes > (uint64_t)(in.end - in.p))
				return NULL;
			in.p += bytes;
			left -= left < d->mini_size ? left : d->mini_size;
		}
	}
	return in.p;
}

/* --- a page --- */

static bool is_binary(const struct parquet_leaf *l)
{
	return l->type == PQ_BYTES || l->type == PQ_FIXED;
}

static int begin_indexes(struct parquet_values *v, struct err *e)
{
	int width;

	if (!v->dictionary)
		return err_set(e, BAD_DATA, "a page refers to a dictionary that is not there");
	if (v->p == v->end) /* a page without values needs none */
		width = 0;
	else
		width = *v->p++;
	if (width > 32)
		return err_set(e, BAD_DATA, "indexes of %d bits are impossible", width);
	parquet_hybrid_init(&v->hybrid,
			    (struct str){ (const char *)v->p, (size_t)(v->end - v->p) }, width);
	return OK;
}

static int begin_booleans(struct parquet_values *v, struct err *e)
{
	size_t len = (size_t)(v->end - v->p);

	if (len == 0)
		return OK;
	if (len < 4 || load_le32(v->p) > len - 4)
		return err_set(e, BAD_DATA, "a page's runs are longer than the page");
	parquet_hybrid_init(&v->hybrid, (struct str){ (const char *)v->p + 4, load_le32(v->p) }, 1);
	return OK;
}

static int begin_lengths(struct parquet_values *v, struct err *e)
{
	bool ok = true;

	if (v->p == v->end)
		return OK;
	if (v->encoding == PQE_DELTA_BYTE_ARRAY) {
		ok = delta_init(&v->prefixes, v->p, v->end, true) &&
		     (v->p = delta_end(&v->prefixes)) != NULL;
		buf_reset(&v->text);
	}
	ok = ok && delta_init(&v->lengths, v->p, v->end, true) &&
	     (v->p = delta_end(&v->lengths)) != NULL;
	return ok ? OK : err_set(e, BAD_DATA, "a page's lengths are malformed");
}

static int begin_split(struct parquet_values *v, struct err *e)
{
	size_t width = parquet_width(v->leaf), len = (size_t)(v->end - v->p);

	if (!width || len % width)
		return err_set(e, BAD_DATA, "a page's byte streams are not of equal length");
	v->count = len / width;
	return OK;
}

static int begin_delta(struct parquet_values *v, struct err *e)
{
	if (v->p < v->end && !delta_init(&v->lengths, v->p, v->end, v->leaf->type == PQ_INT32))
		return err_set(e, BAD_DATA, "a page's differences are malformed");
	return OK;
}

int parquet_values_init(struct parquet_values *v, const struct parquet_leaf *leaf,
			int64_t encoding, struct str body,
			const struct parquet_dictionary_values *dictionary, struct err *e)
{
	bool is_int = leaf->type == PQ_INT32 || leaf->type == PQ_INT64;

	v->leaf = leaf;
	v->dictionary = dictionary;
	v->p = (const unsigned char *)body.data;
	v->end = v->p + body.len;
	v->hybrid = (struct parquet_hybrid){ 0 };
	v->lengths = v->prefixes = (struct parquet_delta){ 0 };
	v->at = v->count = 0;
	v->have = 0;
	v->encoding = encoding == PQE_PLAIN_DICTIONARY ? PQE_RLE_DICTIONARY :
							 (enum parquet_encoding)encoding;
	switch (encoding) {
	case PQE_PLAIN: return OK;
	case PQE_PLAIN_DICTIONARY:
	case PQE_RLE_DICTIONARY: return begin_indexes(v, e);
	case PQE_RLE:
		if (leaf->type == PQ_BOOLEAN)
			return begin_booleans(v, e);
		break;
	case PQE_DELTA_BINARY_PACKED:
		if (is_int)
			return begin_delta(v, e);
		break;
	case PQE_DELTA_LENGTH_BYTE_ARRAY:
	case PQE_DELTA_BYTE_ARRAY:
		if (is_binary(leaf))
			return begin_lengths(v, e);
		break;
	case PQE_BYTE_STREAM_SPLIT:
		if (leaf->type != PQ_BYTES && leaf->type != PQ_BOOLEAN)
			return begin_split(v, e);
		break;
	}
	return err_set(e, BAD_DATA, "encoding %lld of a column of its type is not supported",
		       (long long)encoding);
}

static int next_indexed(struct parquet_values *v, size_t n, struct err *e)
{
	const struct parquet_dictionary_values *d = v->dictionary;
	uint32_t indexes[PARQUET_BATCH];

	if (!parquet_hybrid_next(&v->hybrid, indexes, n))
		return ends_early(e);
	for (size_t i = 0; i < n; i++) {
		if (indexes[i] >= d->count)
			return err_set(e, BAD_DATA, "a page has an index beyond its dictionary");
		if (d->ints)
			v->ints[i] = d->ints[indexes[i]];
		else
			v->texts[i] = d->texts[indexes[i]];
	}
	v->have = n;
	return OK;
}

static int64_t plain_int(const struct parquet_leaf *l, const unsigned char *p)
{
	if (l->type == PQ_INT32)
		return (int32_t)load_le32(p);
	return l->type == PQ_FLOAT ? (int64_t)load_le32(p) : (int64_t)load_le64(p);
}

static bool next_text(struct parquet_values *v, struct str *s)
{
	size_t left = (size_t)(v->end - v->p), len;

	if (v->leaf->type == PQ_BYTES) {
		if (left < 4)
			return false;
		len = load_le32(v->p);
		v->p += 4;
		left -= 4;
	} else {
		len = parquet_width(v->leaf);
	}
	if (len > left)
		return false;
	*s = (struct str){ (const char *)v->p, len };
	v->p += len;
	return true;
}

static int next_plain(struct parquet_values *v, size_t n, struct err *e)
{
	size_t width = parquet_width(v->leaf);

	for (v->have = 0; v->have < n; v->have++) {
		if (v->leaf->type == PQ_BOOLEAN) {
			if (v->at / 8 >= (uint64_t)(v->end - v->p))
				return ends_early(e);
			v->ints[v->have] = v->p[v->at / 8] >> v->at % 8 & 1;
			v->at++;
		} else if (parquet_values_ints(v->leaf)) {
			if ((size_t)(v->end - v->p) < width)
				return ends_early(e);
			v->ints[v->have] = plain_int(v->leaf, v->p);
			v->p += width;
		} else if (!next_text(v, &v->texts[v->have])) {
			return ends_early(e);
		}
	}
	return OK;
}

static int next_runs(struct parquet_values *v, size_t n, struct err *e)
{
	uint32_t bits[PARQUET_BATCH];

	if (!parquet_hybrid_next(&v->hybrid, bits, n))
		return ends_early(e);
	for (size_t i = 0; i < n; i++)
		v->ints[i] = bits[i];
	v->have = n;
	return OK;
}

static int next_delta(struct parquet_values *v, size_t n, struct err *e)
{
	for (v->have = 0; v->have < n; v->have++)
		if (!delta_next(&v->lengths, &v->ints[v->have]))
			return ends_early(e);
	return OK;
}

static bool fits(const struct parquet_values *v, size_t len)
{
	return v->leaf->type != PQ_FIXED || len == parquet_width(v->leaf);
}

static int next_lengths(struct parquet_values *v, size_t n, struct err *e)
{
	int64_t len;

	for (v->have = 0; v->have < n; v->have++) {
		if (!delta_next(&v->lengths, &len) || len < 0 || len > v->end - v->p ||
		    !fits(v, (size_t)len))
			return ends_early(e);
		v->texts[v->have] = (struct str){ (const char *)v->p, (size_t)len };
		v->p += len;
	}
	return OK;
}

/* Each begins as the one before did: so one at a time, in a buffer of its own. */
static int next_prefixed(struct parquet_values *v, struct err *e)
{
	int64_t prefix, len;

	if (!delta_next(&v->prefixes, &prefix) || !delta_next(&v->lengths, &len) || prefix < 0 ||
	    len < 0 || (uint64_t)prefix > v->text.len || len > v->end - v->p)
		return ends_early(e);
	v->text.len = (size_t)prefix;
	buf_add(&v->text, v->p, (size_t)len);
	v->p += len;
	v->texts[0] = buf_str(&v->text);
	v->have = 1;
	return fits(v, v->text.len) ? OK : ends_early(e);
}

static int next_split(struct parquet_values *v, size_t n, struct err *e)
{
	size_t width = parquet_width(v->leaf), most = MAX_SPLIT_BYTES / width + 1;

	n = n < most ? n : most;
	if (n > v->count - v->at)
		return ends_early(e);
	buf_reset(&v->text);
	buf_need(&v->text, n * width);
	for (size_t i = 0; i < n; i++) {
		unsigned char *to = (unsigned char *)v->text.data + i * width;

		for (size_t k = 0; k < width; k++)
			to[k] = v->p[k * v->count + v->at + i];
		if (parquet_values_ints(v->leaf))
			v->ints[i] = plain_int(v->leaf, to);
		else
			v->texts[i] = (struct str){ (char *)to, width };
	}
	v->at += n;
	v->have = n;
	return OK;
}

int parquet_values_next(struct parquet_values *v, size_t n, struct err *e)
{
	n = n < PARQUET_BATCH ? n : PARQUET_BATCH;
	switch (v->encoding) {
	case PQE_PLAIN: return next_plain(v, n, e);
	case PQE_RLE_DICTIONARY: return next_indexed(v, n, e);
	case PQE_RLE: return next_runs(v, n, e);
	case PQE_DELTA_BINARY_PACKED: return next_delta(v, n, e);
	case PQE_DELTA_LENGTH_BYTE_ARRAY: return next_lengths(v, n, e);
	case PQE_DELTA_BYTE_ARRAY: return next_prefixed(v, e);
	default: return next_split(v, n, e);
	}
}

void parquet_values_release(struct parquet_values *v)
{
	buf_release(&v->text);
}

/* --- dictionaries --- */

int parquet_dictionary_read(struct parquet_dictionary_values *d, const struct parquet_leaf *leaf,
			    struct buf *body, uint64_t count, struct err *e)
{
	size_t width = parquet_width(leaf), least = width ? width : 4;
	struct parquet_values v = { .leaf = leaf };
	int rc = OK;

	parquet_dictionary_release(d);
	d->body = *body;
	*body = (struct buf){ 0 };
	if (leaf->type == PQ_BOOLEAN || count > d->body.len / least)
		return err_set(e, BAD_DATA, "a dictionary has fewer entries than it says");
	if (parquet_values_ints(leaf))
		d->ints = xmalloc((count + 1) * sizeof(*d->ints));
	else
		d->texts = xmalloc((count + 1) * sizeof(*d->texts));
	v.p = (const unsigned char *)(d->body.data ? d->body.data : "");
	v.end = v.p + d->body.len;
	for (; d->count < count && rc == OK; d->count++) {
		if (!d->ints)
			rc = next_text(&v, &d->texts[d->count]) ? OK : ends_early(e);
		else
			d->ints[d->count] = plain_int(leaf, v.p + d->count * width);
	}
	return rc;
}

void parquet_dictionary_release(struct parquet_dictionary_values *d)
{
	free(d->ints);
	free(d->texts);
	buf_release(&d->body);
	*d = (struct parquet_dictionary_values){ 0 };
}
