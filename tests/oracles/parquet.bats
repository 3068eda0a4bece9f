# Parquet as others have it: pyarrow, DuckDB and polars read our files, we read theirs. `make test-oracles` installs them.
load ../lib/helpers

python() { "$STARPIPE_TOP/build/oracles/bin/python" "$STARPIPE_TOP/tests/oracles/parquet.py" "$@"; }

setup_file() {
	fresh_db ugly
	psql -qX -v ON_ERROR_STOP=1 -d ugly -f "$STARPIPE_TOP/tests/e2e/ugly.sql" >/dev/null
}

setup() {
	[ -e "$STARPIPE_TOP/build/oracles/ready" ] || skip "pyarrow, DuckDB and polars are not here: make test-oracles could not install them"
	cd "$BATS_TEST_TMPDIR"
	db=dbname=ugly
}

# tables - those of one type each, by name
tables() { q "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 't %' ORDER BY relname COLLATE \"C\""; }

# numeric_as TABLE - how its numbers are written: the type numeric alone has no precision
numeric_as() { [ "$1" = "t numeric" ] && echo string || echo decimal; }

@test "what Parquet has no value for is an error, until it is gone" {
	run bash -o pipefail -c "pg-extract -d '$db' 't numeric(10,2)' | jsonl2parquet >/dev/null"
	[ "$status" -eq 65 ]
	[[ "$output" == *'column "v"'*'NaN'* ]]
	q "UPDATE \"t numeric(10,2)\" SET v = NULL WHERE v = 'NaN'"
	for t in timestamp timestamptz; do
		run bash -o pipefail -c "pg-extract -d '$db' 't $t' | jsonl2parquet >/dev/null"
		[ "$status" -eq 65 ]
		[[ "$output" == *'column "v"'*'294276-12-31'* ]]
		q "UPDATE \"t $t\" SET v = NULL WHERE v > '294247-01-10' AND v <> 'infinity'"
	done
}

@test "every type's ugliest values are PostgreSQL's to pyarrow, DuckDB and polars, and come back as the very frame" {
	files=()
	while read -r t; do
		pg-extract -d "$db" "$t" >frame
		jsonl2parquet --numeric-as "$(numeric_as "$t")" <frame >"$t.parquet" || { echo "$t"; false; }
		cmp frame <(parquet2jsonl "$t.parquet") || { echo "$t"; false; }
		files+=("$t.parquet" "$t")
	done < <(tables)
	[ ${#files[@]} -gt 160 ]
	python written "${files[@]}"
}

@test "and from Parquet into PostgreSQL, every one is the same" {
	fresh_db back
	while read -r t; do
		pg-extract -d dbname=ugly "$t" | jsonl2parquet --numeric-as "$(numeric_as "$t")" | parquet2jsonl | pg-load -d dbname=back >/dev/null
		cmp <(psql_at dbname=ugly "SELECT x::text FROM \"$t\" x ORDER BY id") <(psql_at dbname=back "SELECT x::text FROM \"$t\" x ORDER BY id") ||
			{ echo "$t"; false; }
	done < <(db=dbname=ugly tables)
}

@test "all that they write, in every codec, encoding and version of pages, is read as what they wrote" {
	run python read .
	echo "$output"
	[ "$status" -eq 0 ]
}
