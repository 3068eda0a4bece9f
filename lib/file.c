/* file - whole small files */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"
#include "out.h"

int file_read(const char *path, struct buf *text, struct err *e)
{
	int fd = open(path, O_RDONLY), rc = OK;
	ssize_t n;

	if (fd < 0)
		return err_errno(e, "could not open %s", path);
	do {
		buf_need(text, 65536);
		n = read(fd, text->data + text->len, text->cap - text->len - 1);
		if (n > 0)
			text->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		rc = err_errno(e, "could not read %s", path);
	text->data[text->len] = '\0';
	close(fd);
	return rc;
}

int file_sync_folder(const char *path, struct err *e)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY);
	int rc = OK;

	/* some network file systems cannot sync a folder and say EINVAL */
	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = err_errno(e, "could not sync the folder of %s", path);
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

int file_write_atomic(const char *path, struct str contents, struct err *e)
{
	struct buf tmp = { 0 };
	int fd, rc;

	buf_addf(&tmp, "%s.%ld.tmp", path, (long)getpid());
	fd = open(tmp.data, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0) {
		rc = err_errno(e, "could not create %s", tmp.data);
		goto done;
	}
	rc = write_all(fd, contents.data, contents.len, tmp.data, e);
	if (rc == OK && fsync(fd) != 0)
		rc = err_errno(e, "could not write %s", tmp.data);
	if (close(fd) != 0 && rc == OK)
		rc = err_errno(e, "could not write %s", tmp.data);
	if (rc == OK && rename(tmp.data, path) != 0)
		rc = err_errno(e, "could not rename %s to %s", tmp.data, path);
	if (rc != OK)
		unlink(tmp.data);
	else
		rc = file_sync_folder(path, e);
done:
	buf_release(&tmp);
	return rc;
}
