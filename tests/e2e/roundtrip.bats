#!/usr/bin/env bats
# roundtrip - what PostgreSQL stores comes back bit for bit: pg-extract | pg-load

load ../lib/helpers

setup_file() {
	fresh_db ugly
	psql -qX -v ON_ERROR_STOP=1 -d ugly -f "$STARPIPE_TOP/tests/e2e/ugly.sql" >/dev/null
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	fresh_db back
	db=dbname=ugly
}

tables() {
	q "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace
		AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname COLLATE \"C\""
}

# All tables' rows as text, sorted: equal dumps mean that EXCEPT ALL is empty both ways
dump_text() {
	tables | while read -r t; do
		echo "\\echo $t"
		echo "COPY (SELECT ROW(t.*)::text AS r FROM $t AS t ORDER BY ROW(t.*)::text COLLATE \"C\") TO STDOUT;"
	done | psql -qX -v ON_ERROR_STOP=1 -d "$1"
}

# What the types' binary output functions say; aclitem has none
dump_binary() {
	tables | grep '^"t ' | grep -v aclitem | while read -r t; do
		echo "COPY (SELECT * FROM $t ORDER BY id) TO STDOUT (FORMAT binary);"
	done | psql -qX -v ON_ERROR_STOP=1 -d "$1"
}

dump_types() {
	psql_at "$1" "SELECT relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND (relname LIKE 't %' OR relname IN ('@table', 'select'))
		ORDER BY relname COLLATE \"C\", attnum"
}

@test "the ugly tables hold every type that a table can have" {
	# the others are PostgreSQL's own, their input functions refuse all
	run -0 q "SELECT typname FROM pg_type t WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm')
		AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) AND typname <> ALL ('{pg_node_tree,pg_ndistinct,
		pg_dependencies,pg_mcv_list,pg_brin_bloom_summary,pg_brin_minmax_multi_summary,gtsvector}') EXCEPT SELECT type FROM value"
	[ -z "$output" ]
}

@test "every type and its arrays, with their ugliest values, survive pg-extract | pg-load" {
	run -0 --separate-stderr bash -o pipefail -c 'pg-extract -d dbname=ugly | pg-load -d dbname=back >receipt'
	[ -z "$stderr" ]
	dump_text dbname=ugly >before
	dump_text dbname=back >after
	cmp before after || { diff before after | cut -c1-300 | head -20; false; }
	[ "$(grep -c . before)" -gt 1000 ]
	dump_binary dbname=ugly >before
	dump_binary dbname=back >after
	cmp before after
	diff <(dump_types dbname=ugly) <(dump_types dbname=back)
	for t in '"t numeric"' '"t text"' '"@table"'; do
		name=$(jq -r . <<<"$t")
		[ "$(jq --arg t "$name" '.rows[$t]' receipt)" = "$(q "SELECT count(*) FROM $t")" ]
	done
	# and once more: nothing differs
	run -0 --separate-stderr bash -o pipefail -c 'pg-extract -d dbname=ugly | pg-load -d dbname=back'
	jq -e '.inserted == 0 and .updated == 0 and .deleted == 0' <<<"$output"
}

@test "keys and foreign keys survive, a domain becomes its base and an enum text" {
	pg-extract -d dbname=ugly | pg-load -d dbname=back
	keys="SELECT conrelid::regclass, pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid
		WHERE relnamespace = 'public'::regnamespace AND NOT relispartition AND relname <> 'starpipe_state'
		AND contype IN ('p', 'f') AND conparentid = 0 ORDER BY relname COLLATE \"C\", 2"
	diff <(psql_at dbname=ugly "$keys") <(psql_at dbname=back "$keys")
	db=dbname=back
	[ "$(q "SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'shapes'::regclass AND attnum > 0")" = \
		'integer,character varying(3),text[],text,text[],integer' ]
}

@test "the same through a session with settings of its own at both ends" {
	psql -qX -d ugly -c "ALTER DATABASE ugly SET DateStyle = 'German'" -c "ALTER DATABASE ugly SET TimeZone = 'Asia/Kathmandu'" \
		-c "ALTER DATABASE ugly SET IntervalStyle = 'sql_standard'" -c "ALTER DATABASE ugly SET bytea_output = 'escape'" \
		-c "ALTER DATABASE ugly SET extra_float_digits = -10" -c "ALTER DATABASE ugly SET search_path = pg_catalog"
	psql -qX -d back -c "ALTER DATABASE back SET DateStyle = 'SQL, DMY'" -c "ALTER DATABASE back SET TimeZone = 'America/St_Johns'" \
		-c "ALTER DATABASE back SET IntervalStyle = 'iso_8601'" -c "ALTER DATABASE back SET standard_conforming_strings = off" \
		-c "ALTER DATABASE back SET array_nulls = off" -c "ALTER DATABASE back SET client_encoding = 'LATIN1'" -c "ALTER DATABASE back SET xmloption = document"
	run -0 --separate-stderr bash -o pipefail -c 'pg-extract -d dbname=ugly | pg-load -d dbname=back'
	psql -qX -d ugly -c "ALTER DATABASE ugly RESET ALL"
	psql -qX -d back -c "ALTER DATABASE back RESET ALL"
	dump_text dbname=ugly >before
	dump_text dbname=back >after
	cmp before after || { diff before after | cut -c1-300 | head -20; false; }
}

@test "a text of nearly 1 GB is refused by its row, and nothing is loaded" {
	fresh_db big
	q "CREATE TABLE a (id int PRIMARY KEY, v text)"
	q "ALTER TABLE a ALTER v SET STORAGE EXTERNAL"
	q "INSERT INTO a VALUES (1, 'x'), (2, repeat('0123456789abcdef', (1 << 26) - 4096))"
	run --separate-stderr bash -c 'pg-extract -d dbname=big | pg-load -d dbname=back; echo ${PIPESTATUS[*]}'
	[ "$output" = "65 76" ]
	[[ $stderr == *'pg-extract: error: row 2 of table "a" is longer than 268435456 bytes'* ]]
	[ "$(psql_at dbname=back "SELECT to_regclass('a')")" = '\N' ]
}
