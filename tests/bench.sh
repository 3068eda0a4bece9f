#!/bin/bash
# bench.sh [ORDERS] - how fast and how big the tools are, on a generated shop of 1,000,000 sales orders
#
# Each line: seconds, MB/s of JSON where it is known, and the peak memory of every tool in MiB. What
# the server alone needs to hand out the same rows stands before them, for comparison. Each tool runs
# alone first, so that none waits for another, then all in the pipe.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
PATH=$(cd "$top" && realpath -m "${B:-build}"):$PATH
orders=${1:-1000000}
star=$top/transform/totesys.sql
dir=$(mktemp -d "${TMPDIR:-/tmp}/starpipe-bench.XXXXXX")
chmod 711 "$dir"
trap '"$top/tests/lib/pg.sh" down "$dir/pg"; rm -rf "$dir"' EXIT

# a tool, whose peak memory is noted
tool() { command time -f %M -o "$dir/kib.$1" "$@"; }

# measure LABEL BYTES COMMAND...
measure() {
	local label=$1 bytes=$2 start end peak='' f
	shift 2
	start=$EPOCHREALTIME
	"$@"
	end=$EPOCHREALTIME
	for f in "$dir"/kib.*; do
		[ ! -e "$f" ] || peak+="  ${f##*/kib.} $(($(tail -1 "$f") / 1024))"
	done
	rm -f "$dir"/kib.*
	awk -v label="$label" -v s="$start" -v e="$end" -v bytes="$bytes" -v peak="$peak" 'BEGIN {
		rate = bytes ? sprintf("%.0f MB/s", bytes / 1e6 / (e - s)) : ""
		printf "%-34s %7.1f s  %10s%s\n", label, e - s, rate, peak }'
}

generate() { psql -qX -d totesys -v orders="$orders" -f "$top/tests/totesys/generate.sql"; }
copy() {
	psql -qXAt -d totesys -c "SELECT format('COPY %I TO STDOUT;', relname) FROM pg_class WHERE relkind = 'r'
		AND relnamespace = 'public'::regnamespace AND relname !~ '^_'" | psql -qX -d totesys >/dev/null
}
extract() { tool pg-extract -d dbname=totesys >/dev/null; }
transform() { tool star-transform "$star" <"$dir/rows" >/dev/null; }
put() { tool s3-put "$@" "file://$dir/lake/" <"$dir/rows" >/dev/null; rm -rf "$dir/lake"; }
# the largest fact as Parquet and back, and the same by DuckDB with one thread, if make test-oracles has installed it
pick_fact() { jsonl2parquet --table fact_sales_order <"$dir/star" >"$dir/fact.parquet"; }
to_parquet() { tool jsonl2parquet <"$dir/fact" >"$dir/fact.parquet"; }
from_parquet() { tool parquet2jsonl "$dir/fact.parquet" >"$dir/fact"; }
duckdb() {
	command time -f %M -o "$dir/kib.duckdb" "$top/build/oracles/bin/python" - "$dir/fact.rows" "$dir/duckdb.parquet" <<-'END'
	import duckdb, sys
	ints = 'sales_order_id sales_staff_id counterparty_id units_sold currency_id design_id agreed_delivery_location_id'
	types = {c: 'INTEGER' for c in ints.split()} | {'unit_price': 'DECIMAL(10,2)'}
	types |= {c: 'DATE' for c in 'created_date last_updated_date agreed_payment_date agreed_delivery_date'.split()}
	types |= {c: 'TIME' for c in 'created_time last_updated_time'.split()}
	duckdb.sql('SET threads = 1')
	duckdb.execute(f"COPY (FROM read_json('{sys.argv[1]}', format='newline_delimited', columns={types})) "
	               f"TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
	END
}
load() { tool pg-load -d "dbname=$1" <"$dir/star" >/dev/null; }
pipe() {
	tool pg-extract -d dbname=totesys | tool star-transform "$star" | tool pg-load -d dbname=warehouse >/dev/null
}
count() {
	psql -qXAt -d totesys -c "SELECT format('SELECT count(*) FROM %I;', relname) FROM pg_class WHERE relkind = 'r'
		AND relnamespace = 'public'::regnamespace AND relname !~ '^_'" | psql -qX -d totesys >/dev/null
}
extract_changes() { tool pg-extract -d dbname=totesys --state "$dir/state" "$@" >/dev/null; }
pipe_changes() {
	tool pg-extract -d dbname=totesys --state "$dir/state" | tool star-transform --store "$dir/refs" "$star" |
		tool pg-load -d dbname=followed --state-out "$dir/state" >/dev/null
}

"$top/tests/lib/pg.sh" up "$dir/pg" >"$dir/env"
. "$dir/env"
psql -qX -c 'CREATE DATABASE totesys' -c 'CREATE DATABASE warehouse' -c 'CREATE DATABASE loaded' \
	-c 'CREATE DATABASE followed'
psql -qX -d totesys -f "$top/tests/totesys/source.sql"
measure "generate $orders sales orders" 0 generate
pg-extract -d dbname=totesys >"$dir/rows"
star-transform "$star" <"$dir/rows" >"$dir/star"
in=$(stat -c %s "$dir/rows") out=$(stat -c %s "$dir/star")

measure "COPY of all tables by psql" 0 copy
measure "pg-extract" "$in" extract
measure "star-transform" "$in" transform
measure "s3-put file://" "$in" put
measure "s3-put --compress zstd file://" "$in" put --compress zstd
pick_fact
from_parquet
parquet2jsonl --rows "$dir/fact.parquet" >"$dir/fact.rows"
fact=$(stat -c %s "$dir/fact")
rm -f "$dir"/kib.*
measure "jsonl2parquet, one fact" "$fact" to_parquet
measure "parquet2jsonl" "$fact" from_parquet
[ ! -x "$top/build/oracles/bin/python" ] || measure "the same to Parquet by DuckDB" "$fact" duckdb
measure "pg-load, empty warehouse" "$out" load loaded
measure "pg-load, nothing has changed" "$out" load loaded
measure "the pipe, empty warehouse" "$in" pipe
measure "the pipe, nothing has changed" "$in" pipe

# what a run every five minutes costs
pipe_changes 2>/dev/null
rm -f "$dir"/kib.*
psql -qX -d totesys -c VACUUM
count
measure "count(*) of all tables" 0 count
measure "pg-extract --state, no changes" 0 extract_changes
psql -qX -d totesys -c 'CREATE INDEX ON sales_order (last_updated)' -c 'CREATE INDEX ON purchase_order (last_updated)' \
	-c 'CREATE INDEX ON payment (last_updated)' -c 'CREATE INDEX ON transaction (last_updated)'
pg-extract -d dbname=totesys --state "$dir/state" --cursor last_updated 2>/dev/null |
	jq -c 'select(has("@state"))."@state"' >"$dir/with_cursor"
mv "$dir/with_cursor" "$dir/state"
measure "the same with --cursor" 0 extract_changes --cursor last_updated
measure "the pipe, no changes" 0 pipe_changes
psql -qX -d totesys -c "UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id % ($orders / 1000) = 0" \
	-c "UPDATE address SET phone = phone || '0' WHERE address_id = 1"
measure "the pipe, 1000 orders changed" 0 pipe_changes
