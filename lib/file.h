/* file.h - whole small files. */
#ifndef STARPIPE_FILE_H
#define STARPIPE_FILE_H

#include "buf.h"
#include "err.h"

/* Append the file's bytes to text, which then has a NUL behind it. */
int file_read(const char *path, struct buf *text, struct err *e);

#endif
