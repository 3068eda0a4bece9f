/* lineage.h - which source tables and columns a star is made of: star-transform's --tables and
 * --graph. Both add text to out; a mistake in a SELECT is USAGE, as query.h has it. */
#ifndef STARPIPE_LINEAGE_H
#define STARPIPE_LINEAGE_H

#include "star.h"

/* A line for each source table: its name, a tab, its columns; a ? marks one that stands without a
 * table's name and may be another table's. */
int lineage_add_tables(const struct star *s, struct buf *out, struct err *e);

/* A flowchart of Mermaid (https://mermaid.js.org/syntax/flowchart.html): arrows from source tables
 * to the tables made of them, dotted ones along foreign keys; facts have double frames. */
int lineage_add_graph(const struct star *s, struct buf *out, struct err *e);

#endif
