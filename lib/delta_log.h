/* delta_log.h - what the files of a Delta table's log say, and what a lake's record says of it.
 *
 * All is text that others may have written, and is taken as such: what is no action of the
 * protocol is BAD_DATA, numbers are bounded, and nothing that is named here is ever opened or
 * removed. Memory is what the lines take that are kept, and one document of a line at a time. */
#ifndef STARPIPE_DELTA_LOG_H
#define STARPIPE_DELTA_LOG_H

#include "json.h"
#include "map.h"

/* No table has as many versions, no lake as many steps. */
#define DELTA_VERSION_MAX ((int64_t)1 << 50)

/* What a writer must know of a table. */
struct delta_log {
	const char *name;  /* of the table, for messages; borrowed */
	int64_t version;   /* the last commit that was read or written; -1: none */
	int64_t own;       /* the last commit of ours; -1: none */
	uint64_t step;     /* the last of ours in it, as far as was read */
	char columns[17];  /* a hash of the columns it was seen to have, ours at least */
	bool has_deleted;  /* and _deleted */
	char *partition;   /* the column, or NULL; "" if there are several */
	char *metadata;    /* the last line with a metaData that was read, or NULL */
};

/* Take in the text of the commit of that version. app is the appId of our transactions, or NULL. */
int delta_log_read(struct delta_log *l, const char *app, int64_t version, struct str text,
		   struct err *e);
void delta_log_release(struct delta_log *l);

/* The _last_checkpoint's version; stays what it is where the file does not say. */
int delta_log_last(struct str text, int64_t *version, struct err *e);

/* Append what a lake's record shall keep of it, {"version":3,...}; and read that. */
void delta_log_add_note(struct buf *b, const struct delta_log *l);
int delta_log_read_note(struct delta_log *l, const struct json *note, struct err *e);

/* The table as it is, action by action: what was said last of each file, application and so on.
 * A zeroed one is empty. Take in all files in their order. */
struct delta_replay {
	struct map lines; /* "file path", "txn app", "metaData ", "protocol " -> struct buf * */
};

int delta_replay_read(struct delta_replay *r, struct str text, struct err *e);

/* Append the actions as lines and as a checkpoint's file. *actions says how many the file has. */
int delta_replay_finish(const struct delta_replay *r, struct buf *json, struct buf *file,
			uint64_t *actions, struct err *e);
void delta_replay_release(struct delta_replay *r);

#endif
