#!/usr/bin/env python3
"""delta.py COMMAND TABLE [ARGUMENT...] - Delta tables as the deltalake package and polars have them

rows TABLE [COLUMN...]   the rows as JSON, sorted; both must say the same
deltalake TABLE          the rows that deltalake has: polars takes a partition's value from the file, not from the log
schema TABLE             name:type of each column
version TABLE            the version
add TABLE ROWS           a rival appends these rows, JSON lines, for columns of the table
widen TABLE NAME         a rival adds a column of strings
partitions TABLE         the partition columns
"""
import json, os, sys
import deltalake, polars, pyarrow as pa

# of an S3 server without https
options = {'AWS_ENDPOINT_URL': os.environ.get('AWS_ENDPOINT_URL', ''), 'AWS_ALLOW_HTTP': 'true'}
command, url, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
stored = options if url.startswith('s3:') else None
table = deltalake.DeltaTable(url, storage_options=stored)


def text(rows):
    return sorted(json.dumps(r, default=str, ensure_ascii=False) for r in rows)


if command in ('rows', 'deltalake'):
    rows = text(table.to_pyarrow_table(columns=rest or None).to_pylist())
    if command == 'deltalake':
        other = rows
    else:
        frame = polars.read_delta(url, storage_options=stored)
        other = text((frame.select(rest) if rest else frame).to_arrow().to_pylist())
    if rows != other:
        sys.exit(f'deltalake: {rows}\npolars: {other}')
    print('\n'.join(rows))
elif command == 'schema':
    print(*(f'{f.name}:{f.type.type if hasattr(f.type, "type") else f.type}' for f in table.schema().fields))
elif command == 'version':
    print(table.version())
elif command == 'partitions':
    print(*table.metadata().partition_columns)
elif command == 'add':
    schema = pa.schema(table.schema())
    rows = [json.loads(r) for r in rest]
    columns = {f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in schema}
    deltalake.write_deltalake(table, pa.table(columns, schema=schema), mode='append')
elif command == 'widen':
    table.alter.add_columns([deltalake.Field(rest[0], 'string', nullable=True)])
sys.stdout.flush()
os._exit(0)  # threads of these libraries may abort an orderly end
