/* state - the state that ends a step */
#include "state.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "pgoutput.h"
#include "pgsnapshot.h"

static bool same_string(const struct json *a, const struct json *b, const char *key)
{
	const char *x = json_string(json_get(a, key)), *y = json_string(json_get(b, key));

	return x && y && strcmp(x, y) == 0;
}

static enum state_order order(uint64_t a, uint64_t b)
{
	return a < b ? STATE_OLDER : a > b ? STATE_NEWER : STATE_SAME;
}

/* Of two snapshots of one cluster the later has the higher xmax; with the same xmax, fewer
 * transactions below it still run. */
static enum state_order snapshot_order(const struct pgsnapshot *a, const struct pgsnapshot *b)
{
	if (a->xmax != b->xmax)
		return order(a->xmax, b->xmax);
	return a->xmin != b->xmin ? order(a->xmin, b->xmin) :
				    order(b->running_count, a->running_count);
}

static bool snapshot_of(const struct json *doc, struct pgsnapshot *s)
{
	return pgsnapshot_parse(json_string(json_get(doc, "snapshot")), s);
}

static bool lsn_of(const struct json *doc, uint64_t *lsn)
{
	return pgoutput_parse_lsn(json_string(json_get(doc, "lsn")), lsn);
}

static enum state_order database_order(const struct json *a, const struct json *b)
{
	struct pgsnapshot a_snapshot, b_snapshot;
	uint64_t a_lsn, b_lsn;
	int64_t a_line = 0, b_line = 0, a_generation = 0, b_generation = 0;

	json_int(json_get(a, "timeline"), &a_line);
	json_int(json_get(b, "timeline"), &b_line);
	if (!same_string(a, b, "system") || !same_string(a, b, "database") || a_line != b_line)
		return STATE_OTHER;
	json_int(json_get(a, "generation"), &a_generation);
	json_int(json_get(b, "generation"), &b_generation);
	if (a_generation != b_generation)
		return order((uint64_t)a_generation, (uint64_t)b_generation);
	if (lsn_of(a, &a_lsn) && lsn_of(b, &b_lsn))
		return order(a_lsn, b_lsn);
	return snapshot_of(a, &a_snapshot) && snapshot_of(b, &b_snapshot) ?
		       snapshot_order(&a_snapshot, &b_snapshot) :
		       STATE_OTHER;
}

static enum state_order lake_order(const struct json *a, const struct json *b)
{
	int64_t a_step, b_step;

	if (!same_string(a, b, "lake") || !json_int(json_get(a, "step"), &a_step) ||
	    !json_int(json_get(b, "step"), &b_step))
		return STATE_OTHER;
	return order((uint64_t)a_step, (uint64_t)b_step);
}

enum state_order state_order(struct str state, struct str than)
{
	enum state_order result = STATE_OTHER;
	struct json *a = NULL, *b = NULL;
	struct err ignored;

	if (json_parse(state, &a, &ignored) == OK && json_parse(than, &b, &ignored) == OK &&
	    same_string(a, b, "source"))
		result = strcmp(json_string(json_get(a, "source")), "lake") == 0 ?
				 lake_order(a, b) :
				 database_order(a, b);
	json_free(a);
	json_free(b);
	return result;
}

bool state_follows(struct str state, struct str committed)
{
	static const char *const places[] = { "snapshot", "lsn" };
	struct json *a = NULL, *b = NULL;
	struct err ignored;
	bool follows = false;
	int64_t since, step;

	if (state_order(state, committed) != STATE_OTHER &&
	    json_parse(state, &a, &ignored) == OK && json_parse(committed, &b, &ignored) == OK) {
		const char *from = json_string(json_get(a, "since"));

		for (int i = 0; i < 2 && from; i++) {
			const char *at = json_string(json_get(b, places[i]));

			follows = follows || (at && strcmp(at, from) == 0);
		}
		if (json_int(json_get(a, "since"), &since) && json_int(json_get(b, "step"), &step))
			follows = since == step;
	}
	json_free(a);
	json_free(b);
	return follows;
}

/* The order of the known state and the place that a begins at, both of one cluster or lake. */
static enum state_order since_order(const struct json *known, const struct json *a)
{
	const char *from = json_string(json_get(a, "since"));
	struct pgsnapshot since, at;
	int64_t since_step, step, a_generation = 0, generation = 0;
	uint64_t since_lsn, lsn;

	json_int(json_get(a, "generation"), &a_generation);
	json_int(json_get(known, "generation"), &generation);
	if (generation != a_generation)
		return order((uint64_t)generation, (uint64_t)a_generation);
	if (json_int(json_get(a, "since"), &since_step) &&
	    json_int(json_get(known, "step"), &step))
		return order((uint64_t)step, (uint64_t)since_step);
	if (lsn_of(known, &lsn) && pgoutput_parse_lsn(from, &since_lsn))
		return order(lsn, since_lsn);
	return snapshot_of(known, &at) && pgsnapshot_parse(from, &since) ?
		       snapshot_order(&at, &since) :
		       STATE_OTHER;
}

bool state_skips(struct str state, struct str known)
{
	enum state_order place = state_order(state, known), reached;
	struct json *a = NULL, *b = NULL;
	struct err ignored;
	bool skips = false;

	if (json_parse(state, &a, &ignored) == OK && json_parse(known, &b, &ignored) == OK &&
	    json_get(a, "since") && json_get(b, "source") && place != STATE_OLDER) {
		reached = place == STATE_OTHER ? STATE_OTHER : since_order(b, a);
		skips = reached == STATE_OTHER || reached == STATE_OLDER;
	}
	json_free(a);
	json_free(b);
	return skips;
}

/* The lake that a state is of, "" where it had no step yet; NULL for another source. */
static const char *lake_of(const struct json *doc)
{
	const char *source = json_string(json_get(doc, "source"));
	const char *lake = json_string(json_get(doc, "lake"));

	return source && strcmp(source, "lake") == 0 ? lake ? lake : "" : NULL;
}

/* A lake that had no step has told nothing that could be lost. */
static bool leaves_place(const struct json *state, const struct json *committed)
{
	const char *lake = lake_of(state), *was = lake_of(committed);

	return json_get(state, "source") && json_get(committed, "source") && (lake || was) &&
	       !(was && !*was) && !(lake && was && strcmp(lake, was) == 0);
}

static int another_place(const struct json *state, const struct json *committed,
			 const char *destination, struct err *e)
{
	const char *lake = lake_of(state);

	return err_set(e, BAD_DATA,
		       "this stream is of %s, and %s has the state of %s: nothing was changed",
		       !lake  ? "a database" :
		       *lake  ? "another lake" :
				"a lake without a step",
		       destination, lake_of(committed) ? "a lake" : "a database");
}

/* A run that is given no state counts from the beginning how often all rows were read again: it is
 * no race, it would be older ever after. */
static bool counts_anew(const struct json *state, const struct json *committed)
{
	int64_t count;

	return !json_get(state, "since") && !json_int(json_get(state, "generation"), &count) &&
	       json_int(json_get(committed, "generation"), &count) && count > 0;
}

static int read_anew(const char *destination, struct err *e)
{
	err_set(e, BAD_DATA,
		"%s has a state for which all rows were read again, and this run does not go on "
		"from it: nothing was changed",
		destination);
	return err_hint(e, BAD_DATA,
			"Give it to pg-extract: what --show-state of this tool prints is for "
			"--state, and --full TABLE reads all rows of a table.");
}

int state_check_forward(struct str state, struct str committed, const char *destination,
			struct err *e)
{
	bool older = state_order(state, committed) == STATE_OLDER;
	struct json *a = NULL, *b = NULL;
	struct err ignored;
	int rc = OK;

	json_parse(state, &a, &ignored);
	json_parse(committed, &b, &ignored);
	if (older && counts_anew(a, b))
		rc = read_anew(destination, e);
	else if (older)
		rc = err_set(e, LOST_RACE,
			     "%s has a later state than this run read: another run was faster, "
			     "nothing was changed",
			     destination);
	else if (leaves_place(a, b))
		rc = another_place(a, b, destination, e);
	json_free(a);
	json_free(b);
	return rc;
}

int state_read(const char *path, struct json **doc, struct err *e)
{
	struct buf text = { 0 };
	int rc = OK;

	*doc = NULL;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return OK;
	if ((rc = file_read(path, FILE_SMALL, &text, e)) == OK &&
	    strspn(text.data, " \t\r\n") == text.len) {
		rc = err_set(e, BAD_DATA, "state file %s is empty", path);
		err_hint(e, rc, "Is it what a failed command left? For a first run, remove it.");
	} else if (rc == OK && (rc = json_parse(buf_str(&text), doc, e)) != OK) {
		err_wrap(e, rc, "state file %s", path);
	} else if (rc == OK && text.data[strspn(text.data, " \t\r\n")] != '{') {
		rc = err_set(e, BAD_DATA, "state file %s holds no state", path);
	}
	if (rc != OK || json_members(*doc) == 0) {
		json_free(*doc);
		*doc = NULL;
	}
	buf_release(&text);
	return rc;
}
