/* state.h - the state that ends a step: where its source was. Its members: starpipe-wire(5).
 *
 * A state is its source's own affair, but every reader and loader must know which of two is the
 * later one: state only moves forward. Two states can be told apart in time when they come
 * from the same place: a database cluster on the same timeline by the generation, then by the
 * snapshot or the log position; a lake by the number of the step. */
#ifndef STARPIPE_STATE_H
#define STARPIPE_STATE_H

#include "err.h"
#include "json.h"
#include "str.h"

enum state_order {
	STATE_OTHER, /* of another place, or not of a kind known here */
	STATE_OLDER,
	STATE_SAME,
	STATE_NEWER
};

/* What is state, seen from that other one? Both are JSON; an empty text is STATE_OTHER. */
enum state_order state_order(struct str state, struct str than);

/* May state take the place of the committed one of destination? LOST_RACE if it is older: a run
 * that began earlier must not end later. BAD_DATA with a hint if it was read without a state, and
 * all rows had been read again for the committed one. BAD_DATA without a hint if one of them is a
 * lake's and the other is none of the same lake: nobody could go on from the committed one. */
int state_check_forward(struct str state, struct str committed, const char *destination,
			struct err *e);

/* Does state go on exactly where that one ended? Its "since" says where it began. A run that began
 * earlier brings some of what is committed again. */
bool state_follows(struct str state, struct str committed);

/* Do state's changes begin behind the known one, or elsewhere? Then some are missing in between.
 * False where that cannot be told: without a "since", or if known is no source's. */
bool state_skips(struct str state, struct str known);

/* Read the file of --state. *doc is NULL where there is no file or it holds {}: a first run. An
 * empty or malformed file is BAD_DATA: it may be what a failed command left. Free with
 * json_free. */
int state_read(const char *path, struct json **doc, struct err *e);

#endif
