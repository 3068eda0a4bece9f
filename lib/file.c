/* file - whole small files */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"
#include "out.h"
#include "sig.h"

int file_read(const char *path, size_t max, struct buf *text, struct err *e)
{
	size_t start = text->len;
	int fd = open(path, O_RDONLY), rc = OK;
	ssize_t n;

	if (fd < 0)
		return err_errno(e, "could not open %s", path);
	do {
		buf_need(text, 65536);
		n = read(fd, text->data + text->len, text->cap - text->len - 1);
		if (n > 0)
			text->len += (size_t)n;
	} while ((n > 0 && text->len - start <= max) ||
		 (n < 0 && errno == EINTR && !sig_caught()));
	if (n < 0)
		rc = err_errno(e, "could not read %s", path);
	else if (text->len - start > max)
		rc = err_set(e, BAD_DATA, "%s is larger than %zu bytes", path, max);
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

/* What is replaced keeps its mode, if it is ours: another's says nothing of what we want. */
static mode_t mode_for(int folder, const char *name, bool *keeps)
{
	struct stat st;

	*keeps = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		 st.st_uid == geteuid();
	return *keeps ? st.st_mode & 0777 : FILE_MODE;
}

int file_make_beside(int folder, const char *name, char **suffix, int *fd, struct err *e)
{
	struct buf full = { 0 };
	uint64_t chance;
	mode_t mode;
	bool keeps;
	int rc = OK;

	*suffix = NULL;
	*fd = -1;
	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return err_errno(e, "could not get random bytes");
	buf_addf(&full, "%s.%016llx.tmp", name, (unsigned long long)chance);
	mode = mode_for(folder, name, &keeps);
	*fd = openat(folder, full.data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (*fd < 0)
		rc = err_errno(e, "could not create %s", full.data);
	else
		*suffix = xstrdup(full.data + strlen(name));
	if (rc == OK && keeps && fchmod(*fd, mode) != 0)
		rc = err_errno(e, "could not set the mode of %s", full.data);
	buf_release(&full);
	return rc;
}

int file_write_atomic(const char *path, struct str contents, struct err *e)
{
	struct buf name = { 0 };
	char *suffix, *tmp;
	int fd, rc = file_make_beside(AT_FDCWD, path, &suffix, &fd, e);

	buf_addf(&name, "%s%s", path, suffix ? suffix : "");
	tmp = name.data;
	if (rc == OK)
		rc = write_all(fd, contents.data, contents.len, tmp, e);
	if (rc == OK && fsync(fd) != 0)
		rc = err_errno(e, "could not write %s", tmp);
	if (fd >= 0 && close(fd) != 0 && rc == OK)
		rc = err_errno(e, "could not write %s", tmp);
	if (rc == OK && rename(tmp, path) != 0)
		rc = err_errno(e, "could not rename %s to %s", tmp, path);
	if (rc != OK && suffix)
		unlink(tmp);
	else if (rc == OK)
		rc = file_sync_folder(path, e);
	free(suffix);
	buf_release(&name);
	return rc;
}
