/* str - borrowed text */
#include "str.h"

int str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

size_t str_distance(struct str a, struct str b)
{
	enum { MOST = 63 }; /* as long as a name of PostgreSQL's */
	size_t row[MOST + 1];

	if (a.len > MOST || b.len > MOST)
		return SIZE_MAX;
	for (size_t k = 0; k <= b.len; k++)
		row[k] = k;
	for (size_t i = 0; i < a.len; i++) {
		size_t before = row[0]; /* a without its end, b without its end */

		row[0] = i + 1;
		for (size_t k = 0; k < b.len; k++) {
			size_t replaced = before + (a.data[i] != b.data[k]);
			size_t moved = 1 + (row[k] < row[k + 1] ? row[k] : row[k + 1]);

			before = row[k + 1];
			row[k + 1] = replaced < moved ? replaced : moved;
		}
	}
	return row[b.len];
}

uint64_t str_hash(struct str s, uint64_t seed)
{
	uint64_t h = seed ^ 14695981039346656037u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.data[i]) * 1099511628211u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *out)
{
	bool neg = s.len > 0 && s.data[0] == '-';
	size_t i = s.len > 0 && (s.data[0] == '-' || s.data[0] == '+');
	int64_t n = 0;

	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		int d = s.data[i] - '0';

		if (d < 0 || d > 9 || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, d, &n)) /* downwards: INT64_MIN has no positive */
			return false;
	}
	if (!neg && __builtin_sub_overflow((int64_t)0, n, &n))
		return false;
	if (n < min || n > max)
		return false;
	*out = n;
	return true;
}

/* The number's digits without zeros around them, and what power of ten they stand for; false if
 * they are more than an integer has. */
static bool digits_of(struct str number, char digits[20], size_t *count, int64_t *power)
{
	bool point = false;
	int64_t zeros = 0;
	size_t i = number.len && number.data[0] == '-';

	*count = 0;
	*power = 0;
	for (; i < number.len && (number.data[i] | 0x20) != 'e'; i++) {
		if (number.data[i] == '.') {
			point = true;
			continue;
		}
		*power -= point;
		if (number.data[i] == '0') {
			zeros += *count > 0;
			continue;
		}
		if (*count + (uint64_t)zeros >= 19)
			return false;
		for (; zeros; zeros--)
			digits[(*count)++] = '0';
		digits[(*count)++] = number.data[i];
	}
	*power += zeros;
	for (i++; i < number.len && number.data[i] == '+';)
		i++;
	return i >= number.len ||
	       (str_to_i64((struct str){ number.data + i, number.len - i }, -INT32_MAX, INT32_MAX,
			   &zeros) &&
		(*power += zeros, true));
}

bool str_to_whole(struct str number, int64_t min, int64_t max, int64_t *out)
{
	char text[24] = "-";
	size_t count;
	int64_t power;
	bool negative = number.len && number.data[0] == '-';

	if (!digits_of(number, text + 1, &count, &power))
		return false;
	if (!count)
		return str_to_i64(STR("0"), min, max, out);
	if (power < 0 || power > 19 - (int64_t)count)
		return false;
	memset(text + 1 + count, '0', (size_t)power);
	count += (size_t)power;
	return str_to_i64((struct str){ text + !negative, count + negative }, min, max, out);
}

bool str_to_size(struct str s, uint64_t max, uint64_t *out)
{
	static const char units[] = "KMGT";
	size_t digits = 0;
	uint64_t factor = 1;
	int64_t n;
	struct str unit;

	while (digits < s.len && s.data[digits] >= '0' && s.data[digits] <= '9')
		digits++;
	unit = (struct str){ s.data + digits, s.len - digits };
	if (unit.len > 0) {
		const char *u = memchr(units, unit.data[0] & ~0x20, sizeof(units) - 1);

		if (!u ||
		    (unit.len > 1 && !str_eqz((struct str){ unit.data + 1, unit.len - 1 }, "iB")))
			return false;
		factor = (uint64_t)1 << (10 * (u - units + 1));
	}
	if (!str_to_i64((struct str){ s.data, digits }, 0, INT64_MAX, &n) ||
	    (uint64_t)n > max / factor)
		return false;
	*out = (uint64_t)n * factor;
	return true;
}

size_t str_bad_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.data, *end = p + s.len;

	while (p < end) {
		uint64_t eight;
		unsigned char lo = 0x80, hi = 0xbf;
		size_t n;

		while (end - p >= 8 && (memcpy(&eight, p, 8), !(eight & 0x8080808080808080u)))
			p += 8;
		if (p == end)
			break;
		if (*p < 0x80) {
			p++;
			continue;
		}
		/* Unicode 15, table 3-7: only the second byte's range depends on the lead */
		n = utf8_len(*p);
		if (*p == 0xe0)
			lo = 0xa0;
		else if (*p == 0xed)
			hi = 0x9f;
		else if (*p == 0xf0)
			lo = 0x90;
		else if (*p == 0xf4)
			hi = 0x8f;
		if (n == 1 || (size_t)(end - p) < n || p[1] < lo || p[1] > hi ||
		    (n > 2 && (p[2] & 0xc0) != 0x80) || (n > 3 && (p[3] & 0xc0) != 0x80))
			break;
		p += n;
	}
	return (size_t)(p - (const unsigned char *)s.data);
}

size_t str_chars(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += (s.data[i] & 0xc0) != 0x80;
	return n;
}

size_t str_offset(struct str s, int64_t n)
{
	size_t i = 0;

	while (i < s.len && n-- > 0)
		i += utf8_len((unsigned char)s.data[i]);
	return i < s.len ? i : s.len;
}
