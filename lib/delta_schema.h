/* delta_schema.h - the schemaString of a Delta table: a JSON document of fields and their types.
 *
 * Types are those of the Parquet files that lake_write.h makes; all fields may be null, for tables
 * get columns later. The format: delta.io's PROTOCOL.md, "Schema Serialization Format". */
#ifndef STARPIPE_DELTA_SCHEMA_H
#define STARPIPE_DELTA_SCHEMA_H

#include "wire.h"

/* The table's own fields; with deletes, _deleted too. *ntz is set if one is a timestamp without a
 * time zone, a feature of its own. */
int delta_schema_own(struct buf *b, const struct wire_table *t, bool numeric_text, bool deletes,
		     bool *ntz, struct err *e);

/* What a table has, and those of own that it lacks: *more tells whether there are any. What it has
 * and own has not stays, older files have it. Another type of the same field is BAD_DATA. */
int delta_schema_widen(struct buf *b, struct str had, struct str own, bool *more, struct err *e);

#endif
