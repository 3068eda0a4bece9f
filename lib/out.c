/* out - buffered, checked output */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

int write_all(int fd, const char *data, size_t len, const char *name, struct err *e)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "could not write %s", name);
		data += n;
		len -= (size_t)n;
	}
	return OK;
}

void out_init(struct out *o, int fd, const char *name)
{
	*o = (struct out){ .fd = fd, .name = name };
	buf_need(&o->buf, OUT_CHUNK + OUT_CHUNK / 4);
}

int out_flush(struct out *o, struct err *e)
{
	int rc = write_all(o->fd, o->buf.data, o->buf.len, o->name, e);

	o->bytes += o->buf.len;
	buf_reset(&o->buf);
	return rc;
}

int out_close(struct out *o, struct err *e)
{
	int rc = out_flush(o, e);

	if (close(o->fd) != 0 && rc == OK)
		rc = err_errno(e, "could not write %s", o->name);
	o->fd = -1;
	return rc;
}

void out_release(struct out *o)
{
	buf_release(&o->buf);
}

/* A rename is on disk only when its folder is. */
static int sync_folder(const char *path, struct err *e)
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

int write_file_atomic(const char *path, struct str contents, struct err *e)
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
		rc = sync_folder(path, e);
done:
	buf_release(&tmp);
	return rc;
}
