# pg-extract --state: what is new since a snapshot, whatever transactions did meanwhile.
load ../lib/helpers

setup() { fresh_db ext; state=$BATS_TEST_TMPDIR/state.json; }
teardown() {
	[ -z "${other:-}" ] || "$STARPIPE_TOP/tests/lib/pg.sh" down "$other"
	[ -z "${standby:-}" ] || "$STARPIPE_TOP/tests/lib/pg.sh" down "$standby"
}

# extract ARGS... - one run; its rows in $rows as "table id", its state kept for the next
extract() {
	pg-extract -d "$db" --state "$state" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || return
	rows=$(jq -r 'if has("@table") then "@" + ."@table" elif has("id") then .id else empty end' "$BATS_TEST_TMPDIR/out" |
		awk '/^@/ { t = substr($0, 2); next } { print t, $0 }' | sort | paste -sd, -)
	jq -c 'select(has("@state"))."@state"' "$BATS_TEST_TMPDIR/out" >"$state"
}

# A session of its own: send SQL by  say TEXT;  what it answered is waited for.
open_session() {
	coproc SESSION { psql -qXAt -d "$db" 2>&1; }
	say "SELECT 1"
}
say() { printf '%s;\n\\echo said\n' "$1" >&"${SESSION[1]}"; while read -r line <&"${SESSION[0]}" && [ "$line" != said ]; do :; done; }

@test "a run reads what was inserted and updated since the last, and nothing else" {
	q "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int);
	   INSERT INTO a SELECT g, 0 FROM generate_series(1, 1000) g; INSERT INTO b VALUES (1, 0), (2, 0)"
	extract
	grep -q 'a first run' "$BATS_TEST_TMPDIR/err"
	[ "$(head -1 "$BATS_TEST_TMPDIR/out" | jq -r .mode)" = full ]
	extract
	[ "$rows" = "" ]
	[ "$(head -1 "$BATS_TEST_TMPDIR/out" | jq -r .mode)" = changes ]
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	q "UPDATE a SET v = 1 WHERE id IN (3, 500); INSERT INTO b VALUES (3, 0)"
	q "UPDATE b SET v = v WHERE id = 2"
	extract
	[ "$rows" = "a 3,a 500,b 2,b 3" ]
	extract
	[ "$rows" = "" ]
}

@test "a transaction that commits late, its savepoints and a prepared one are read when they have committed" {
	q "CREATE TABLE a (id int PRIMARY KEY)"
	extract
	open_session
	say "BEGIN"; say "INSERT INTO a VALUES (1)"; say "SAVEPOINT s"; say "INSERT INTO a VALUES (2)"
	say "SAVEPOINT t"; say "INSERT INTO a VALUES (3)"; say "ROLLBACK TO t"; say "INSERT INTO a VALUES (4)"
	q "BEGIN; INSERT INTO a VALUES (10); PREPARE TRANSACTION 'p'"
	q "INSERT INTO a VALUES (20)"
	extract
	[ "$rows" = "a 20" ]
	q "INSERT INTO a VALUES (21)"
	say "SAVEPOINT u"; say "INSERT INTO a VALUES (5)"
	extract
	[[ "$rows" == *"a 21"* && "$rows" != *"a 5"* ]]
	say "COMMIT"
	extract
	[[ "$rows" == *"a 1,"* && "$rows" == *"a 2,"* && "$rows" == *"a 4,a 5" && "$rows" != *"a 3"* && "$rows" != *"a 10"* ]]
	q "COMMIT PREPARED 'p'"
	extract
	[[ "$rows" == *"a 10"* ]]
	extract
	[ "$rows" = "" ]
}

@test "of many runs beside 4 writers with savepoints and rollbacks none loses a row" {
	q "CREATE TABLE a (id bigserial PRIMARY KEY)"
	cat >"$BATS_TEST_TMPDIR/w.sql" <<-'END'
	\set undo random(0, 1)
	BEGIN;
	INSERT INTO a DEFAULT VALUES;
	SAVEPOINT x;
	INSERT INTO a DEFAULT VALUES;
	\if :undo
	ROLLBACK TO x;
	\endif
	SELECT pg_sleep(random() / 50);
	INSERT INTO a DEFAULT VALUES;
	COMMIT;
	END
	pgbench -n -c 4 -T 8 -f "$BATS_TEST_TMPDIR/w.sql" "${db#dbname=}" >/dev/null 2>&1 & pid=$!
	while kill -0 $pid 2>/dev/null; do
		extract
		tr , '\n' <<<"$rows" >>"$BATS_TEST_TMPDIR/seen"
	done
	wait $pid
	extract
	tr , '\n' <<<"$rows" >>"$BATS_TEST_TMPDIR/seen"
	grep -o '[0-9]*' "$BATS_TEST_TMPDIR/seen" | sort -u >"$BATS_TEST_TMPDIR/got"
	q "SELECT id FROM a" | sort -u >"$BATS_TEST_TMPDIR/there"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/there")" -gt 500 ]
	diff "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/there"
}

@test "partitioned tables are followed; a view is always read whole; --full reads a table whole" {
	q "CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
	   CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
	   INSERT INTO p VALUES (1, 1), (2, 2); CREATE VIEW v AS SELECT 7 AS id; CREATE TABLE a (id int); INSERT INTO a VALUES (1)"
	extract p v a
	q "UPDATE p SET k = 2 WHERE id = 1"
	extract p v a
	[ "$rows" = "p 1,v 7" ]
	extract --full a p v a
	[ "$rows" = "a 1,v 7" ]
	run -2 pg-extract -d "$db" --state "$state" --full nope a
	[[ "$output" == *'--full nope is none of the tables'* ]]
}

@test "a table that is new, or has other columns than it had, is read whole, and that is said" {
	q "CREATE TABLE a (id int); INSERT INTO a VALUES (1)"
	extract
	q "CREATE TABLE b (id int); INSERT INTO b VALUES (1)"
	extract a
	q "ALTER TABLE a ADD COLUMN v int DEFAULT 5"
	extract
	[ "$rows" = "a 1,b 1" ]
	grep -q 'table "a" has other columns than in the state' "$BATS_TEST_TMPDIR/err"
	grep -q 'table "b" is not in the state' "$BATS_TEST_TMPDIR/err"
	extract
	[ "$rows" = "" ]
}

@test "rows that are older than the state, and come with a partition, an heir or another table of the name, are read" {
	q "CREATE TABLE p (id int, k int, at timestamptz DEFAULT now()) PARTITION BY LIST (k);
	   CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p3 (LIKE p) PARTITION BY LIST (k);
	   CREATE TABLE h (id int); CREATE TABLE _heir (id int); CREATE TABLE a (id int)"
	q "CREATE TABLE _p2 (LIKE p); CREATE TABLE _p3 (LIKE p); CREATE TABLE _a (id int); INSERT INTO p VALUES (1, 1);
	   INSERT INTO _p2 VALUES (2, 2, '2001-01-01'); INSERT INTO _p3 VALUES (3, 3); INSERT INTO _heir VALUES (4);
	   INSERT INTO a VALUES (5); INSERT INTO _a VALUES (5), (6); INSERT INTO h VALUES (7)"
	extract --cursor at p h a
	q "ALTER TABLE p ATTACH PARTITION _p2 FOR VALUES IN (2)"
	q "ALTER TABLE p3 ATTACH PARTITION _p3 FOR VALUES IN (3); ALTER TABLE p ATTACH PARTITION p3 FOR VALUES IN (3)"
	q "ALTER TABLE _heir INHERIT h"
	q "ALTER TABLE a RENAME TO _old; ALTER TABLE _a RENAME TO a"
	extract --cursor at p h a
	[ "$rows" = "a 5,a 6,h 4,p 2,p 3" ]
	grep -q 'table "a" is another than the one in the state: extracting all its rows' "$BATS_TEST_TMPDIR/err"
	extract --cursor at p h a
	[ "$rows" = "" ]
}

@test "another database, another cluster, another timeline: all rows, and it says why" {
	q "CREATE TABLE a (id int); INSERT INTO a VALUES (1)"
	extract
	for change in '.system = "1": another database cluster' '.database = "x": another database or schema' \
		'.timeline = 9: restored or failed over' 'del(.snapshot): has no snapshot' '.snapshot = "99999999:99999999:": ahead of the database'; do
		jq -c "${change%%: *}" "$state" >"$state.new" && mv "$state.new" "$state"
		extract
		[ "$rows" = "a 1" ]
		grep -q "${change#*: }" "$BATS_TEST_TMPDIR/err"
		extract
		[ "$rows" = "" ]
	done
	[ "$(jq .generation "$state")" = 5 ] # so that each of these states is later than the one before
}

@test "no state file is a first run; an empty, malformed or foreign one is an error" {
	q "CREATE TABLE a (id int)"
	echo '{}' >"$state"
	extract
	: >"$state"
	run -65 --separate-stderr pg-extract -d "$db" --state "$state"
	[[ -z "$output" && "$stderr" == *"$state is empty"*"hint: "* ]]
	for bad in '{"source":' '[]' '"x"' '{"source":"lake","step":3}'; do
		echo "$bad" >"$state"
		run -65 --separate-stderr pg-extract -d "$db" --state "$state"
		[ -z "$output" ]
	done
	run -65 pg-extract -d "$db" --state <(false)
	run -1 pg-extract -d "$db" --state "$state/below-a-file"
	run -2 pg-extract -d "$db" --state "$state" --rows a
	run -2 pg-extract -d "$db" --full a
}

@test "a cursor narrows where to look, by its index, and the overlap how far back" {
	q "CREATE TABLE a (id int PRIMARY KEY, at timestamp, n int); CREATE INDEX ON a (at); CREATE TABLE b (id int);
	   INSERT INTO a SELECT g, '2024-01-01'::timestamp + g * interval '1 minute', g FROM generate_series(1, 20000) g; INSERT INTO b VALUES (1)"
	extract --cursor at
	q "UPDATE a SET n = 0 WHERE id IN (5, 19999); INSERT INTO a VALUES (30000, NULL, 1), (30001, '2999-01-01', 1); INSERT INTO b VALUES (2)"
	extract --cursor at # 5 is farther back than the overlap
	[ "$rows" = "a 19999,a 30000,a 30001,b 2" ]
	q "UPDATE a SET n = 0 WHERE id IN (19998)"
	q "INSERT INTO a VALUES (30002, localtimestamp, 2)"
	extract --cursor at --overlap '100 years' # the row of 2999 does not hide it
	[ "$rows" = "a 19998,a 30002" ]
	run -2 pg-extract -d "$db" --state "$state" --cursor nope
	[[ "$output" == *'no table has a column "nope"'* ]]
	extract --cursor n --overlap 5
	extract --cursor n --overlap 5
	run -2 pg-extract -d "$db" --state "$state" --cursor n
	[[ "$output" == *"--overlap"* ]]
}

@test "an ordinary role can do it" {
	q "CREATE TABLE a (id int); INSERT INTO a VALUES (1); DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; GRANT SELECT ON a TO plain"
	db="$db user=plain"
	extract
	extract
	[ "$rows" = "" ]
}

@test "transaction numbers may pass 2^32, and the epoch is minded" {
	other=$(mktemp -d "$TMPDIR/o.XXXXXX")
	eval "$("$STARPIPE_TOP/tests/lib/pg.sh" up "$other")"
	db=dbname=postgres
	q "CREATE TABLE a (id int PRIMARY KEY, v int)"
	q "INSERT INTO a VALUES (1, 0)"
	q "UPDATE pg_database SET datallowconn = true"
	vacuumdb -qaF
	"$STARPIPE_TOP/tests/lib/pg.sh" set-xid "$other" 4294967200
	q "INSERT INTO a VALUES (2, 0)"
	extract
	[ "$rows" = "a 1,a 2" ]
	for i in $(seq 1 150); do
		q "INSERT INTO a VALUES (100 + $i, 0)"
		[ $((i % 10)) -ne 0 ] || { extract; [ "$(tr , '\n' <<<"$rows" | wc -l)" -eq 10 ]; }
	done
	jq -e '.snapshot | split(":")[0] | tonumber > 4294967296' "$state"
	extract
	[ "$rows" = "" ]
	q "UPDATE a SET v = 1 WHERE id = 1"
	extract
	[ "$rows" = "a 1" ]
}

@test "a standby can be the source; one that lags behind the state says so and exits 75" {
	other=$(mktemp -d "$TMPDIR/p.XXXXXX") standby=$(mktemp -d "$TMPDIR/s.XXXXXX")
	eval "$(PG_OPTIONS="-c wal_level=replica -c max_wal_senders=4" "$STARPIPE_TOP/tests/lib/pg.sh" up "$other")"
	primary="host=$PGHOST port=$PGPORT dbname=postgres" db=$primary
	q "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)"
	extract
	eval "$("$STARPIPE_TOP/tests/lib/pg.sh" standby "$standby" "$primary")"
	secondary="host=$PGHOST port=$PGPORT dbname=postgres"
	psql_at "$primary" "INSERT INTO a VALUES (2)"
	caught_up() { [ "$(psql_at "$secondary" "SELECT count(*) FROM a")" = "$1" ]; }
	for _ in $(seq 100); do caught_up 2 && break; sleep 0.1; done
	db=$secondary
	extract
	[ "$rows" = "a 2" ]
	psql_at "$secondary" "SELECT pg_wal_replay_pause()" >/dev/null
	psql_at "$primary" "INSERT INTO a VALUES (3)"
	db=$primary
	extract
	[ "$rows" = "a 3" ]
	run -75 pg-extract -d "$secondary" --state "$state"
	[[ "$output" == *"has not come as far as the state"* ]]
	psql_at "$secondary" "SELECT pg_wal_replay_resume()" >/dev/null
	for _ in $(seq 100); do caught_up 3 && break; sleep 0.1; done
	db=$secondary
	extract
	[ "$rows" = "" ]
}
