/* store - objects on S3 or in files */
#define _GNU_SOURCE /* O_PATH */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "mem.h"
#include "out.h"
#include "s3.h"
#include "sig.h"

enum { CHUNK = 256 * 1024 };

enum { FIRST_PART = 8 << 20, PARTS_OF_A_SIZE = 1000, MAX_PARTS = 10000 };

#define BUCKET_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:"

struct store {
	struct s3 *s3; /* NULL: files */
	char *root;    /* files: a lake's folder, with its slash; NULL: single objects */
};

struct upload {
	struct store *store;
	char *key, *content_type;
	struct buf held;    /* S3: the next part */
	size_t touched;     /* of held's memory, the most that was ever filled */
	char *id;           /* S3: of the multipart upload, once one was started */
	struct s3_part *sent;
	unsigned parts;     /* of these */
	size_t sent_cap;
	int fd;             /* files: the temporary one, */
	char *tmp;          /* and its key */
};

int store_open(const char *url, struct store **s, char **key, struct err *e)
{
	*s = NULL;
	*key = NULL;
	if (strncmp(url, "file:///", 8) == 0) {
		*s = xcalloc(1, sizeof(**s));
		*key = xstrdup(url + 7);
		if (url[strlen(url) - 1] == '/')
			(*s)->root = xstrdup(*key);
		return OK;
	}
	/* a bucket's name becomes part of a host's, and of messages */
	if (strncmp(url, "s3://", 5) == 0 && url[5] && url[5] != '/' &&
	    !strcspn(url + 5 + strspn(url + 5, BUCKET_CHARS), "/")) {
		const char *slash = strchr(url + 5, '/');
		char *bucket =
			xstrndup(url + 5, slash ? (size_t)(slash - url - 5) : strlen(url + 5));
		int rc;

		*s = xcalloc(1, sizeof(**s));
		*key = xstrdup(slash ? slash + 1 : "");
		rc = s3_open(bucket, &(*s)->s3, e);
		free(bucket);
		return rc;
	}
	err_set(e, USAGE, "\"%s\" is no URL of a store", url);
	return err_hint(e, USAGE, "Write s3://bucket/key or file:///path.");
}

void store_close(struct store *s)
{
	if (!s)
		return;
	s3_close(s->s3);
	free(s->root);
	free(s);
}

/* --- files --- */

static int make_folders(const char *path, struct err *e)
{
	char *copy = xstrdup(path);
	int rc = OK;

	for (char *p = copy + 1; *p && rc == OK; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, FOLDER_MODE) != 0 && errno != EEXIST)
			rc = err_errno(e, "could not create folder %s", copy);
		*p = '/';
	}
	free(copy);
	return rc;
}

/* Where a key's last part stands: a folder to close, or AT_FDCWD. */
struct place {
	int folder;
	const char *name;
};

static void leave(struct place *at)
{
	if (at->folder >= 0)
		close(at->folder);
}

static int is_link(const struct place *at, const char *key, struct err *e)
{
	struct stat st;

	if (fstatat(at->folder, at->name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(st.st_mode))
		return OK;
	err_set(e, NOT_PERMITTED, "%s is reached by a symbolic link, \"%s\"", key, at->name);
	return err_hint(e, NOT_PERMITTED, "Inside a lake none is followed: it may be another "
					  "user's. Mount what shall lie elsewhere.");
}

/* Go down one folder. */
static int step_into(struct place *at, const char *key, bool create, struct err *e)
{
	int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | (create ? O_RDONLY : O_PATH);
	int rc, fd;

	if (create && mkdirat(at->folder, at->name, FOLDER_MODE) != 0 && errno != EEXIST)
		return err_errno(e, "could not create folder %s of %s", at->name, key);
	if ((fd = openat(at->folder, at->name, flags)) < 0) {
		int why = errno;

		if ((rc = is_link(at, key, e)) != OK)
			return rc;
		errno = why;
		return err_errno(e, "could not open %s", key);
	}
	leave(at);
	at->folder = fd;
	return OK;
}

/* The place of a key. What stands below a lake's folder is the lake's: no symbolic link is followed
 * there. What stands above it, and a single object's path, is what the user wrote. errno is 0, or
 * that of a failure. */
static int find_place(const struct store *s, const char *key, bool create, struct place *at,
		      struct err *e)
{
	size_t own = s->root ? strlen(s->root) : 0;
	char *rest;
	int rc;

	*at = (struct place){ AT_FDCWD, key };
	errno = 0;
	if (create && (rc = make_folders(s->root ? s->root : key, e)) != OK)
		return rc;
	if (!own || strncmp(key, s->root, own) != 0)
		return OK;
	at->folder = open(s->root, O_DIRECTORY | O_CLOEXEC | (create ? O_RDONLY : O_PATH));
	if (at->folder < 0)
		return err_errno(e, "could not open %s", key);
	rest = xstrdup(key + own);
	rc = OK;
	for (char *part = rest, *slash; rc == OK && (slash = strchr(part, '/')); part = slash + 1) {
		*slash = '\0';
		at->name = part;
		rc = step_into(at, key, create, e);
	}
	at->name = strrchr(key, '/') + 1;
	free(rest);
	return rc;
}

static int file_begin(struct upload *u, struct err *e)
{
	struct buf tmp = { 0 };
	char *suffix = NULL;
	struct place at;
	int rc = find_place(u->store, u->key, true, &at, e);

	if (rc == OK)
		rc = file_make_beside(at.folder, at.name, &suffix, &u->fd, e);
	if (suffix) {
		buf_addf(&tmp, "%s%s", u->key, suffix);
		u->tmp = xstrndup(tmp.data, tmp.len);
	}
	leave(&at);
	buf_release(&tmp);
	free(suffix);
	return rc;
}

/* Publish the temporary file under its name; with if_absent by a link, which replaces nothing. */
static int file_publish(struct upload *u, bool if_absent, struct err *e)
{
	struct place at;
	const char *tmp = u->tmp + strlen(u->key); /* what it has behind the name */
	struct buf name = { 0 };
	int rc = OK;

	if (fsync(u->fd) != 0)
		rc = err_errno(e, "could not write %s", u->tmp);
	if (close(u->fd) != 0 && rc == OK)
		rc = err_errno(e, "could not write %s", u->tmp);
	u->fd = -1;
	if (rc != OK)
		return rc;
	if ((rc = find_place(u->store, u->key, false, &at, e)) != OK) {
		leave(&at);
		return rc;
	}
	buf_addf(&name, "%s%s", at.name, tmp);
	if (!if_absent && renameat(at.folder, name.data, at.folder, at.name) == 0) {
		free(u->tmp);
		u->tmp = NULL;
	} else if (!if_absent) {
		rc = err_errno(e, "could not rename %s to %s", u->tmp, u->key);
	} else if (linkat(at.folder, name.data, at.folder, at.name, 0) != 0) {
		rc = errno == EEXIST ?
		     err_set(e, LOST_RACE, "%s is there already: another run was first", u->key) :
		     err_errno(e, "could not link %s to %s", u->tmp, u->key);
	}
	leave(&at);
	buf_release(&name);
	return rc == OK ? file_sync_folder(u->key, e) : rc;
}

static void file_remove(struct upload *u)
{
	struct place at;
	struct err ignored;

	if (u->tmp && find_place(u->store, u->tmp, false, &at, &ignored) == OK)
		unlinkat(at.folder, at.name, 0);
	if (u->tmp)
		leave(&at);
}

/* *fd is -1, and the answer OK, where there is no such file. */
static int file_open(const struct store *s, const char *key, int *fd, struct stat *st,
		     struct err *e)
{
	/* what is no file in a lake, a FIFO, shall not be waited for */
	int careful = s->root ? O_NOFOLLOW | O_NONBLOCK : 0, rc;
	struct place at;

	*fd = -1;
	if (sig_caught()) /* whoever looks for one file after the other shall end */
		return err_set(e, FAILED, "interrupted");
	rc = find_place(s, key, false, &at, e);
	if (rc == OK) {
		*fd = openat(at.folder, at.name, O_RDONLY | O_CLOEXEC | careful);
		if (*fd < 0 && (rc = errno == ELOOP ? is_link(&at, key, e) : OK) == OK)
			rc = err_errno(e, "could not open %s", key);
	}
	if (*fd < 0 && errno == ENOENT)
		rc = OK;
	leave(&at);
	if (rc != OK || *fd < 0)
		return rc;
	if (fstat(*fd, st) != 0)
		rc = err_errno(e, "could not read %s", key);
	else if (s->root && !S_ISREG(st->st_mode))
		rc = err_set(e, BAD_DATA, "%s is no regular file", key);
	if (rc != OK)
		close(*fd);
	return rc;
}

/* --- uploads --- */

static const char *type_of(const char *key)
{
	static const struct {
		const char *end, *type;
	} types[] = {
		{ ".json", "application/json" },
		{ ".jsonl", "application/x-ndjson" },
		{ ".ndjson", "application/x-ndjson" },
		{ ".csv", "text/csv" },
		{ ".gz", "application/gzip" },
		{ ".zst", "application/zstd" },
		{ ".parquet", "application/vnd.apache.parquet" },
		{ ".txt", "text/plain" },
	};
	size_t n = strlen(key);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t len = strlen(types[i].end);

		if (n > len && strcmp(key + n - len, types[i].end) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

int upload_open(struct store *s, const char *key, const char *content_type, struct upload **u,
		struct err *e)
{
	*u = xcalloc(1, sizeof(**u));
	**u = (struct upload){ .store = s, .key = xstrdup(key), .fd = -1,
			       .content_type = xstrdup(content_type ? content_type :
							 type_of(key)) };
	return s->s3 ? OK : file_begin(*u, e);
}

static void upload_free(struct upload *u)
{
	for (unsigned i = 0; i < u->parts; i++)
		free(u->sent[i].etag);
	free(u->sent);
	free(u->id);
	free(u->key);
	free(u->tmp);
	free(u->content_type);
	buf_release(&u->held);
	free(u);
}

static size_t part_size(unsigned parts)
{
	return (size_t)FIRST_PART << parts / PARTS_OF_A_SIZE;
}

static int send_part(struct upload *u, size_t len, struct err *e)
{
	struct s3 *s3 = u->store->s3;
	char *etag = NULL;
	int rc = OK;

	if (!u->id)
		rc = s3_multipart_start(s3, u->key, u->content_type, &u->id, e);
	if (rc == OK && u->parts == MAX_PARTS)
		rc = err_set(e, FAILED, "%s has more than %d parts", u->key, MAX_PARTS);
	if (rc == OK)
		rc = s3_multipart_part(s3, u->key, u->id, u->parts + 1,
				       (struct str){ u->held.data, len }, &etag, e);
	if (rc != OK)
		return rc;
	GROW(u->sent, u->parts, u->sent_cap);
	u->sent[u->parts++] = (struct s3_part){ etag, len };
	memmove(u->held.data, u->held.data + len, u->held.len - len);
	u->held.len -= len;
	return OK;
}

int upload_write(struct upload *u, struct str data, struct err *e)
{
	int rc = OK;

	if (!u->store->s3)
		return write_all(u->fd, data.data, data.len, u->key, e);
	while (data.len && rc == OK) {
		size_t size = part_size(u->parts), room = size - u->held.len;
		size_t n = data.len < room ? data.len : room;

		if (u->held.cap < size && u->held.len + n > UPLOAD_PART_MIN / 4)
			buf_need(&u->held,
				 size - u->held.len); /* once, instead of growing by copies */
		buf_add(&u->held, data.data, n);
		if (u->touched < u->held.len)
			u->touched = u->held.len;
		data = (struct str){ data.data + n, data.len - n };
		if (u->held.len >= size)
			rc = send_part(u, size, e);
	}
	return rc;
}

size_t upload_memory(const struct upload *u)
{
	return u->touched;
}

int upload_save_memory(struct upload *u, struct err *e)
{
	int rc = u->held.len >= UPLOAD_PART_MIN ? send_part(u, u->held.len, e) : OK;
	struct buf kept = { 0 };

	if (rc == OK && u->touched > u->held.len) {
		if (u->held.len)
			buf_addstr(&kept, buf_str(&u->held));
		buf_release(&u->held);
		u->held = kept;
		u->touched = kept.len;
	}
	return rc;
}

int upload_commit(struct upload *u, struct err *e)
{
	struct s3 *s3 = u->store->s3;
	int rc = OK;

	if (!s3)
		rc = file_publish(u, false, e);
	else if (!u->id)
		rc = s3_put(s3, u->key, buf_str(&u->held), false, u->content_type, e);
	else if ((rc = u->held.len ? send_part(u, u->held.len, e) : OK) == OK)
		rc = s3_multipart_complete(s3, u->key, u->id, u->sent, u->parts, e);
	if (rc == OK)
		upload_free(u);
	return rc;
}

void upload_abort(struct upload *u)
{
	struct err ignored; /* the failure that led here is the one to tell */

	if (!u)
		return;
	if (u->id)
		s3_multipart_abort(u->store->s3, u->key, u->id, &ignored);
	if (u->fd >= 0)
		close(u->fd);
	file_remove(u);
	upload_free(u);
}

/* --- whole objects --- */

static int file_put(struct store *s, const char *key, struct str data, bool if_absent,
		    struct err *e)
{
	struct upload *u = NULL;
	int rc = upload_open(s, key, NULL, &u, e);

	if (rc == OK)
		rc = upload_write(u, data, e);
	if (rc == OK)
		rc = file_publish(u, if_absent, e);
	upload_abort(u); /* the temporary name goes in any case */
	return rc;
}

int store_put(struct store *s, const char *key, struct str data, bool if_absent, struct err *e)
{
	return s->s3 ? s3_put(s->s3, key, data, if_absent, type_of(key), e) :
	       file_put(s, key, data, if_absent, e);
}

int store_refuses(struct store *s, const char *key, struct str data, bool *refused, struct err *e)
{
	*refused = true;
	return s->s3 ? s3_refuses(s->s3, key, data, refused, e) : OK;
}

/* --- reading --- */

/* A file that was replaced is another one, one that was written to has another size or time. */
static int check_version(const struct stat *st, const char *path, struct buf *version,
			 struct err *e)
{
	struct buf now = { 0 };
	int rc = OK;

	buf_addf(&now, "%llu:%llu:%lld:%lld.%ld", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino, (long long)st->st_size,
		 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (!version->len)
		buf_addstr(version, buf_str(&now));
	else if (!str_eq(buf_str(&now), buf_str(version)))
		rc = err_set(e, TRY_LATER, "%s was replaced while it was read", path);
	buf_release(&now);
	return rc;
}

/* Append len bytes from offset on, fewer where the file ends. */
static int read_at(int fd, const char *path, uint64_t offset, size_t len, struct buf *data,
		   struct err *e)
{
	ssize_t n = 1;

	buf_need(data, len);
	while (len && n) {
		n = pread(fd, data->data + data->len, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "could not read %s", path);
		data->len += (size_t)n, offset += (uint64_t)n, len -= (size_t)n;
	}
	data->data[data->len] = '\0';
	return OK;
}

static int file_get(struct store *s, const char *key, size_t max, struct buf *data, bool *found,
		    struct err *e)
{
	struct stat st;
	size_t before = data->len, got = 0;
	int fd, rc = file_open(s, key, &fd, &st, e);

	*found = rc == OK && fd >= 0;
	if (!*found)
		return rc;
	do { /* it may grow */
		before = data->len;
		rc = read_at(fd, key, got, CHUNK, data, e);
		got += data->len - before;
		if (rc == OK && got > max)
			rc = err_set(e, BAD_DATA, "%s has more than %zu bytes", key, max);
	} while (rc == OK && data->len - before == CHUNK);
	close(fd);
	return rc;
}

int store_get(struct store *s, const char *key, size_t max, struct buf *data, bool *found,
	      struct err *e)
{
	return s->s3 ? s3_get(s->s3, key, max, data, found, e) :
		       file_get(s, key, max, data, found, e);
}

static int file_read_at(struct store *s, const char *path, uint64_t offset, size_t len,
			struct buf *data, struct buf *version, struct err *e)
{
	struct stat st;
	int fd, rc = file_open(s, path, &fd, &st, e);

	if (rc == OK && fd < 0) {
		errno = ENOENT;
		rc = err_errno(e, "could not open %s", path);
	}
	if (rc != OK)
		return rc;
	rc = check_version(&st, path, version, e);
	if (rc == OK)
		rc = read_at(fd, path, offset, len, data, e);
	close(fd);
	return rc;
}

int store_read(struct store *s, const char *key, uint64_t offset, size_t len, struct buf *data,
	       struct buf *version, struct err *e)
{
	return s->s3 ? s3_read(s->s3, key, offset, len, data, version, e) :
		       file_read_at(s, key, offset, len, data, version, e);
}
