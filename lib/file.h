/* file.h - whole small files, read and replaced.
 *
 * Other users of the machine are not trusted. What our files hold are rows, or tell of them; so a
 * new file is made with FILE_MODE and a new folder with FOLDER_MODE, of which the umask takes away
 * as usual: nothing for others, whatever the umask, for the usual one (022) was set by nobody on
 * purpose. A reader that is another user is let in by group, or by chmod: a file of ours that is
 * replaced keeps its mode. What is written under another name first has a name that nobody can
 * guess, and is never an existing file or what a link points to. */
#ifndef STARPIPE_FILE_H
#define STARPIPE_FILE_H

#include "buf.h"
#include "err.h"

enum {
	FILE_MODE = 0660,
	FOLDER_MODE = 0770,
	FILE_SMALL = 64 << 20 /* bytes: more than anything that people write */
};

/* Append the file's bytes to text, which then has a NUL behind it. More than max are BAD_DATA. */
int file_read(const char *path, size_t max, struct buf *text, struct err *e);

/* Make a temporary file that is to be renamed to name, both in the open folder (or AT_FDCWD). Its
 * name is name and *suffix, which is to be freed; NULL, and *fd -1, where there is none. */
int file_make_beside(int folder, const char *name, char **suffix, int *fd, struct err *e);

/* Replace a file's contents so that a reader, or a crash, sees the old or the new, never a part:
 * temporary file beside it, fsync, rename, fsync of the folder. */
int file_write_atomic(const char *path, struct str contents, struct err *e);

/* A rename is on disk only when its folder is: sync the folder that path is in. */
int file_sync_folder(const char *path, struct err *e);

#endif
