/* file - whole small files */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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
