/* printable - text fit for a terminal and for a log */
#include "printable.h"

/* The code point of the character at p, which is valid UTF-8 of n bytes. */
static unsigned code_point(const char *p, size_t n)
{
	unsigned c = (unsigned char)*p & (n == 1 ? 0x7fu : 0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3fu);
	return c;
}

/* U+2028 and U+2029 end lines, the others are bidirectional controls. */
static bool is_harmless(unsigned c)
{
	return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0x200e && c != 0x200f &&
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

/* How long the user's name and password behind "://" are, with the @. */
static size_t userinfo(struct str text)
{
	size_t n = 0, at = 0;

	while (n < text.len && (unsigned char)text.data[n] > ' ' && !strchr("/?#\"'", text.data[n]))
		if (text.data[n++] == '@')
			at = n;
	return at;
}

void printable_add(struct buf *out, struct str text)
{
	size_t good = str_bad_utf8(text);

	for (size_t i = 0, n; i < text.len; i += n) {
		unsigned c;

		if (i > good)
			good = i + str_bad_utf8((struct str){ text.data + i, text.len - i });
		n = i < good ? utf8_len((unsigned char)text.data[i]) : 1;
		c = i < good ? code_point(text.data + i, n) : 0;
		if (c == '\n' || c == '\r' || c == '\t')
			buf_addch(out, ' ');
		else if (i < good && is_harmless(c))
			buf_add(out, text.data + i, n);
		else
			for (size_t k = i; k < i + n; k++)
				buf_addf(out, "\\x%02x", (unsigned char)text.data[k]);
		if (i >= 2 && memcmp(text.data + i - 2, "://", 3) == 0)
			n += userinfo((struct str){ text.data + i + 1, text.len - i - 1 });
	}
}
