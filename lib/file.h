/* file.h - whole small files, read and replaced. */
#ifndef STARPIPE_FILE_H
#define STARPIPE_FILE_H

#include "buf.h"
#include "err.h"

/* Append the file's bytes to text, which then has a NUL behind it. */
int file_read(const char *path, struct buf *text, struct err *e);

/* Replace a file's contents so that a reader, or a crash, sees the old or the new, never a part:
 * temporary file beside it, fsync, rename, fsync of the folder. */
int file_write_atomic(const char *path, struct str contents, struct err *e);

/* A rename is on disk only when its folder is: sync the folder that path is in. */
int file_sync_folder(const char *path, struct err *e);

#endif
