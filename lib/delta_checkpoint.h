/* delta_checkpoint.h - the actions of a Delta table as the Parquet file that the protocol wants.
 *
 * A checkpoint has one row for each action, in a schema of nested groups, maps and lists; that
 * is why parquet_write.h, which is for flat tables, does not write it. Values are taken apart
 * into columns with repetition and definition levels (Melnik et al., "Dremel", 2010, section 4);
 * the format is delta.io's PROTOCOL.md, "Checkpoint Schema". All is held in memory: a checkpoint
 * is small. */
#ifndef STARPIPE_DELTA_CHECKPOINT_H
#define STARPIPE_DELTA_CHECKPOINT_H

#include "buf.h"
#include "err.h"
#include "json.h"

struct delta_checkpoint;

struct delta_checkpoint *delta_checkpoint_new(void);

/* One action as a line of the log has it, {"add":{...}}; kinds that no checkpoint has are left
 * out. */
void delta_checkpoint_add(struct delta_checkpoint *c, const struct json *action);

/* Append the file to b. *actions is how many rows it has. */
int delta_checkpoint_finish(struct delta_checkpoint *c, struct buf *b, uint64_t *actions,
			    struct err *e);
void delta_checkpoint_free(struct delta_checkpoint *c);

#endif
