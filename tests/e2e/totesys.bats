# The main job, end to end: the shop's database through the pipe into a warehouse and a lake.
load ../lib/helpers

pipe='pg-extract -d dbname=shop | star-transform "$STARPIPE_TOP/transform/totesys.sql"'

setup() {
	[ -e "$BATS_FILE_TMPDIR/made" ] || totesys_db shop 3000
	touch "$BATS_FILE_TMPDIR/made"
	db="dbname=shop"
}

star_tables() { grep -oP '(?<=^CREATE TABLE )\w+' "$STARPIPE_TOP/transform/totesys.sql"; }

# expect_equal A B - the star tables of two schemas hold the same rows of the same types, surrogates apart
expect_equal() {
	local t cols
	for t in $(star_tables); do
		cols=$(q "SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute
			WHERE attrelid = '$1.$t'::regclass AND attnum > 0 AND attname NOT LIKE '%_record_id'")
		[ "$(q "SELECT count(*) FROM ((SELECT $cols FROM $1.$t EXCEPT ALL SELECT $cols FROM $2.$t)
			UNION ALL (SELECT $cols FROM $2.$t EXCEPT ALL SELECT $cols FROM $1.$t)) d")" = 0 ] ||
			{ echo "$t differs"; return 1; }
		[ "$(columns "$1" "$t")" = "$(columns "$2" "$t")" ] || { echo "$t has other columns"; return 1; }
	done
}

columns() {
	q "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
	    WHERE attrelid = '$1.$2'::regclass AND attnum > 0 ORDER BY attnum"
}

@test "every warehouse table equals what PostgreSQL makes of the star file's own SELECTs" {
	star_by_postgres gold
	run bash -o pipefail -c "$pipe | pg-load -d dbname=shop --schema dw"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(star_tables | wc -l)" -eq 11 ]
	[ "$(q "SELECT count(*) FROM dw.fact_sales_order")" -ge 3000 ]
	expect_equal gold dw
}

@test "the same rows arrive through a tee into a lake" {
	star_by_postgres gold
	lake=file://$BATS_TEST_TMPDIR/lake/
	run bash -o pipefail -c "$pipe | tee >(s3-put $lake >$BATS_TEST_TMPDIR/receipt) |
		pg-load -d dbname=shop --schema dw2; rc=\$?; while ! [ -s $BATS_TEST_TMPDIR/receipt ]; do sleep 0.1; done; exit \$rc"
	echo "$output"
	[ "$status" -eq 0 ]
	expect_equal gold dw2
	record=$BATS_TEST_TMPDIR/lake/_commits/00000000000000000001.json
	[ "$(jq '.tables | length' "$record")" -eq 11 ]
	for t in $(star_tables); do
		rows=$(jq -r --arg t "$t" '.objects[] | select(.table == $t) | .path' "$record" |
			while read -r p; do cat "$BATS_TEST_TMPDIR/lake/$p"; done | wc -l)
		[ "$rows" = "$(q "SELECT count(*) FROM dw2.$t")" ]
	done
	jq -r '.objects[] | .sha256 + "  " + .path' "$record" >"$BATS_TEST_TMPDIR/sums"
	(cd "$BATS_TEST_TMPDIR/lake" && sha256sum -c --quiet "$BATS_TEST_TMPDIR/sums")
}

@test "the same stream loaded twice changes nothing the second time" {
	bash -o pipefail -c "$pipe >$BATS_TEST_TMPDIR/stream"
	pg-load -d dbname=shop --schema dw3 <"$BATS_TEST_TMPDIR/stream"
	before=$(q "SELECT max(xmin::text::bigint) FROM dw3.dim_staff")
	run pg-load -d dbname=shop --schema dw3 <"$BATS_TEST_TMPDIR/stream"
	[ "$status" -eq 0 ]
	[ "$(jq -c '[.inserted, .updated]' <<<"$output")" = "[0,0]" ]
	[ "$(q "SELECT max(xmin::text::bigint) FROM dw3.dim_staff")" = "$before" ]
}

@test "a warehouse made by the canonical DDL is filled as it stands" {
	psql -qX -d "$db" -c 'CREATE SCHEMA own'
	{ echo 'SET search_path = own;'; star-transform --ddl "$STARPIPE_TOP/transform/totesys.sql"; } | psql -qX -v ON_ERROR_STOP=1 -d "$db"
	run bash -o pipefail -c "$pipe | pg-load -d dbname=shop --schema own"
	[ "$status" -eq 0 ]
	star_by_postgres gold
	expect_equal gold own
}
