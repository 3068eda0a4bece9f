/* out - buffered, checked output */
#include "out.h"

#include <errno.h>
#include <unistd.h>

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
