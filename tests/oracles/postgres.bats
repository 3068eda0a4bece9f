# Every major version of PostgreSQL that pg-extract(1) names, each as source and as warehouse, one feature a test.
# The server of the test run itself (PGHOST of run.sh) holds what each must have. Whoever has no
# version installed (install-servers.sh) has its cells skipped. The table is a comment at the end, and build/oracles/postgres.md.
load ../lib/helpers

versions="13 14 15 16 17 18"
features="full state slot load types star"
servers=$STARPIPE_TOP/build/oracles/servers

setup_file() {
	local v
	export own_host=$PGHOST own_port=$PGPORT cells=$BATS_FILE_TMPDIR/cells
	mkdir "$cells"
	for v in 12 $versions; do
		[ -e "$servers/postgresql$v/installed" ] || continue
		PG_BINDIR=$servers/postgresql$v/bin PG_OPTIONS="-c wal_level=logical -c max_wal_senders=4 -c synchronous_commit=on" \
			"$STARPIPE_TOP/tests/lib/pg.sh" up "$TMPDIR/pg$v" >"$BATS_FILE_TMPDIR/$v.env" &
	done
	wait
	totesys_db shop 1000
}

teardown_file() {
	local v f row
	{
		echo "| PostgreSQL | $(sed 's/ / | /g' <<<"$features") |"
		echo "|---$(sed 's/[a-z]\+ \?/|---/g' <<<"$features")|"
		for v in $versions; do
			row="| $(cat "$servers/postgresql$v/installed" 2>/dev/null || echo "$v") |"
			for f in $features; do row+=" $(cat "$cells/$v.$f" 2>/dev/null || echo "not run") |"; done
			echo "$row"
		done
	} >"$BATS_FILE_TMPDIR/table"
	sed 's/^/# /' "$BATS_FILE_TMPDIR/table" >&3
	# a run of some tests only is no table
	grep -q 'not run' "$BATS_FILE_TMPDIR/table" || cp "$BATS_FILE_TMPDIR/table" "$servers/../postgres.md"
	for v in 12 $versions; do
		[ ! -e "$TMPDIR/pg$v" ] || "$STARPIPE_TOP/tests/lib/pg.sh" down "$TMPDIR/pg$v"
	done
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	for v in 12 $versions; do
		[ -s "$BATS_FILE_TMPDIR/$v.env" ] || skip "PostgreSQL $v is not here: make test-oracles could not install it"
	done
}

own="host=$own_host port=$own_port user=postgres" # the run's own server

# on VERSION - from now on PG* reach that server
on() {
	version=$1
	echo "PostgreSQL $version"
	. "$BATS_FILE_TMPDIR/$version.env"
	unset PGDATABASE
}

# seen FEATURE [WORDS] - what the table says about the server
seen() { echo "${2:-yes}" >"$cells/$version.$1"; }

# shop - the run's own shop on this server, in a fresh database
shop() {
	fresh_db shop
	pg-extract -d "$own dbname=shop" | pg-load -d "$db" >/dev/null
}

# digest CONNINFO - all tables' rows
digest() {
	psql_at "$1" "SELECT format('SELECT %L, md5(string_agg(t::text, E''\\n'' ORDER BY t::text)), count(*) FROM %I AS t', relname, relname)
		FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'starpipe_state' ORDER BY relname" |
		psql -qXAt -v ON_ERROR_STOP=1 -d "$1"
}

# the rows of a stream, whatever the order
rows() { grep -v '^{"@' "$1" | sort; }

extract() {
	pg-extract -d "$db" --state state.json "$@" >out 2>err || { cat err; return 1; }
	sed -n 's/^{"@state":\(.*\)}$/\1/p' out >state.json
}

@test "load: a warehouse has the rows of the source, and the second time nothing is new" {
	for v in $versions; do
		on $v
		shop
		diff <(digest "$own dbname=shop") <(digest "$db")
		run -0 bash -o pipefail -c "pg-extract -d '$own dbname=shop' | pg-load -d '$db'"
		jq -e '.inserted == 0 and .updated == 0 and .deleted == 0' <<<"$output"
		seen load
	done
}

@test "full: a table's rows are those of any other version" {
	pg-extract -d "$own dbname=shop" >want
	for v in $versions; do
		on $v
		shop
		q "DROP TABLE starpipe_state"
		pg-extract -d "$db" >out
		diff <(rows want) <(rows out)
		diff <(grep '"columns"' want) <(grep '"columns"' out)
		seen full
	done
}

@test "state: a run reads what was changed since the last, also what commits late" {
	for v in $versions; do
		on $v
		fresh_db states
		q "CREATE TABLE t (id int PRIMARY KEY, v text)"
		q "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i"
		echo '{}' >state.json
		extract
		[ "$(rows out | wc -l)" = 1000 ]
		rm -f hold && mkfifo hold
		psql -qXAt -d "$db" -c "BEGIN" -c "UPDATE t SET v = 'late' WHERE id = 7" -c '\! touch late' -c '\! cat hold' -c "COMMIT" &
		until [ -e late ]; do sleep 0.05; done
		rm late
		q "UPDATE t SET v = 'new' WHERE id = 5; INSERT INTO t VALUES (1001, 'more')"
		extract
		[ "$(rows out | jq -c '[.id, .v]' | paste -sd' ')" = '[1001,"more"] [5,"new"]' ]
		echo >hold
		wait $!
		extract
		[[ "$(rows out | jq -c '[.id, .v]')" == *'[7,"late"]'* ]] # and what was read beside it, once more
		extract
		[ -z "$(rows out)" ]
		seen state
	done
}

@test "slot: deletes arrive; a publication that was dropped for a while is an error" {
	for v in $versions; do
		on $v
		fresh_db slots
		fresh_db copy
		db=dbname=slots
		q "CREATE TABLE t (id int PRIMARY KEY, v text)"
		q "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i"
		q "CREATE PUBLICATION s FOR ALL TABLES"
		echo '{}' >state.json
		if [ $v -lt 15 ]; then
			run -1 extract --slot s
			[[ $output == *"slots are read from PostgreSQL 15 on"* ]]
			seen slot "refused: from 15 on"
			continue
		fi
		extract --slot s
		pg-load -d dbname=copy <out
		q "DELETE FROM t WHERE id < 10; UPDATE t SET id = 1000 WHERE id = 50; UPDATE t SET v = 'x' WHERE id = 51"
		extract --slot s
		[ "$(grep -c '^{"@delete"' out)" = 10 ]
		pg-load -d dbname=copy <out
		diff <(digest dbname=slots) <(digest dbname=copy)
		q "DROP PUBLICATION s"
		q "DELETE FROM t WHERE id = 60"
		q "CREATE PUBLICATION s FOR ALL TABLES"
		cp state.json before
		run -1 pg-extract -d "$db" --slot s --state before
		[[ $output == *'publication "s"'*'Run once with {} as the state'* ]]
		q "SELECT pg_drop_replication_slot('s')"
		seen slot
	done
}

@test "types: every type and its arrays, with their ugliest values, come back bit for bit" {
	for v in $versions; do
		on $v
		fresh_db ugly
		fresh_db back
		# what the older ones cannot store yet
		cp "$STARPIPE_TOP/tests/e2e/ugly.sql" .
		[ $v -gt 13 ] || sed -i "/^SELECT add('[a-z0-9]*multirange'/d; /^SELECT add('numeric'/s/'-\?Infinity', //g; s/, '(-Infinity,)'//" ugly.sql
		[ $v -gt 14 ] || sed -i "s/, '-2562047788:00:54.775807'//; /^SELECT add('numeric(\(3,-2\|2,5\))'/d" ugly.sql
		psql -qX -v ON_ERROR_STOP=1 -d dbname=ugly -f ugly.sql >/dev/null
		for side in ugly back; do
			[ $side = ugly ] || pg-extract -d dbname=ugly | pg-load -d dbname=back >/dev/null
			psql_at dbname=ugly "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace
				AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname COLLATE \"C\"" | while read -r t; do
				echo "COPY (SELECT ROW(t.*)::text AS r FROM $t AS t ORDER BY ROW(t.*)::text COLLATE \"C\") TO STDOUT;"
			done | psql -qX -v ON_ERROR_STOP=1 -d dbname=$side >$side
		done
		[ "$(wc -l <ugly)" -gt 1000 ]
		cmp ugly back
		seen types
	done
}

@test "star: the shop's star is the one that PostgreSQL itself makes" {
	for v in $versions; do
		on $v
		shop
		star_by_postgres gold
		pg-extract -d "$db" | star-transform "$STARPIPE_TOP/transform/totesys.sql" | pg-load -d "$db" --schema dw
		tables=$(grep -oP '(?<=^CREATE TABLE )\w+' "$STARPIPE_TOP/transform/totesys.sql")
		[ "$(wc -l <<<"$tables")" = 11 ]
		for t in $tables; do
			cols=$(q "SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute
				WHERE attrelid = 'gold.$t'::regclass AND attnum > 0 AND attname NOT LIKE '%_record_id'")
			[ "$(q "SELECT count(*) FROM ((SELECT $cols FROM gold.$t EXCEPT ALL SELECT $cols FROM dw.$t)
				UNION ALL (SELECT $cols FROM dw.$t EXCEPT ALL SELECT $cols FROM gold.$t)) d")" = 0 ] || { echo "$t differs"; false; }
		done
		[ "$(q "SELECT count(*) FROM dw.fact_sales_order")" -ge 1000 ]
		seen star
	done
}

@test "PostgreSQL 12 is refused by the name of the oldest version that works" {
	on 12
	psql_at dbname=postgres "CREATE TABLE t (id int PRIMARY KEY)"
	run -1 pg-extract -d dbname=postgres
	[[ $output == *"PostgreSQL 13"* ]]
}
