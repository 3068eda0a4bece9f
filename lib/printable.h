/* printable.h - text of any origin, fit for a terminal and a log: one line that does nothing. */
#ifndef STARPIPE_PRINTABLE_H
#define STARPIPE_PRINTABLE_H

#include "buf.h"

/* Append text as valid UTF-8 on one line. Line breaks and tabs become blanks; other control
 * characters (C0, DEL, C1), what turns the direction of text around, and bytes that are no UTF-8
 * become \x and hexadecimal digits. A user name and a password in front of a URL's host are left
 * out. */
void printable_add(struct buf *out, struct str text);

#endif
