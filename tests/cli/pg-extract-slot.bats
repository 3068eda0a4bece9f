# pg-extract --slot: all changes, deletes too, from the log of a server with wal_level=logical.
load ../lib/helpers

setup() {
	fresh_db ext
	cd "$BATS_TEST_TMPDIR"
	psql_at "$db" "ALTER DATABASE ext SET synchronous_commit = on" # a run ends where the log is written to
}

teardown() {
	[ -z "${writers:-}" ] || kill "${writers[@]}" 2>/dev/null || :
	[ -z "${other:-}" ] || "$STARPIPE_TOP/tests/lib/pg.sh" down "$other"
	psql_at dbname=postgres "ALTER SYSTEM RESET ALL"
	psql_at dbname=postgres "SELECT pg_reload_conf()" >/dev/null
	psql_at dbname=postgres "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active" >/dev/null
	until psql_at dbname=postgres "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots" >/dev/null 2>&1; do
		sleep 0.1
	done
}

# extract ARGS... - one run into file out, its messages in err; its state is kept for the next run
extract() {
	pg-extract -d "$db" --slot s --state state.json "$@" >out 2>err || { cat err; return 1; }
	sed -n 's/^{"@state":\(.*\)}$/\1/p' out >state.json
}

# what is in out: rows and deletes behind the announcements, a table's name before its rows
changes() { grep -vE '^\{"@(state|end)"|,"mode":' "${1:-out}" | sed -E 's/^\{"@table":"(.*)"\}$/\1:/' | paste -sd' '; }

publish() { q "CREATE PUBLICATION s ${1:-FOR ALL TABLES}"; }

# apply FILE DB - do what a stream says, line by line, to tables whose key is id
apply() {
	jq -r -n 'foreach inputs as $r ({t: null};
		if $r | has("columns") then {t: $r."@table", sql: (if $r.mode == "full" then "TRUNCATE \"\($r."@table")\";" else "" end)}
		elif $r | has("@table") then {t: $r."@table", sql: ""}
		elif $r | has("@delete") then .sql = "DELETE FROM \"\($r."@delete")\"" + (if $r.key then " WHERE id = \($r.key.id)" else "" end) + ";"
		elif $r | has("@state") or has("@end") then .sql = ""
		else .sql = "DELETE FROM \"\(.t)\" WHERE id = \($r.id); INSERT INTO \"\(.t)\" SELECT * FROM json_populate_record(NULL::\"\(.t)\", $j$\($r)$j$);" end;
		.sql)' "$1" >apply.sql
	psql -qX -v ON_ERROR_STOP=1 -1 -d "$2" -f apply.sql
}

# A session of its own: send SQL by  say TEXT;  what it answered is waited for.
open_session() {
	coproc SESSION { psql -qXAt -d "$db" 2>&1; }
	say "SELECT 1"
}
say() { printf '%s;\n\\echo said\n' "$1" >&"${SESSION[1]}"; while read -r line <&"${SESSION[0]}" && [ "$line" != said ]; do :; done; }

@test "inserts, updates, deletes and truncates come in the order of commits" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'x'), (2, 'y')"
	publish
	extract
	grep -q 'a first run' err
	[ "$(changes)" = 'a: {"id":1,"v":"x"} {"id":2,"v":"y"} b:' ]
	[ "$(head -1 out | jq -r .mode)" = full ]
	extract
	[ ! -s err ]
	[ "$(changes)" = "" ]
	[ "$(head -1 out | jq -r .mode)" = changes ]
	open_session
	say "BEGIN"; say "INSERT INTO a VALUES (10, 'first to begin')"
	q "INSERT INTO b VALUES (1, 'commits before'); UPDATE a SET v = 'z' WHERE id = 1"
	extract
	[ "$(changes)" = 'b: {"id":1,"v":"commits before"} a: {"id":1,"v":"z"}' ]
	q "DELETE FROM a WHERE id = 2; INSERT INTO a VALUES (2, 'again')"
	say "INSERT INTO b VALUES (2, 'same transaction')"; say "COMMIT"
	q "TRUNCATE a, b; INSERT INTO a VALUES (3, NULL)"
	extract
	[ "$(changes)" = 'a: {"@delete":"a","key":{"id":2}} {"id":2,"v":"again"} {"id":10,"v":"first to begin"} b: {"id":2,"v":"same transaction"} a: {"@delete":"a"} b: {"@delete":"b"} a: {"id":3,"v":null}' ]
	[ "$(tail -1 out | jq -c '."@end".rows')" = '{"a":3,"b":1}' ]
}

@test "what was rolled back never comes, what was prepared comes when it is committed" {
	q "CREATE TABLE a (id int PRIMARY KEY)"
	publish
	extract
	q "BEGIN; INSERT INTO a VALUES (1); SAVEPOINT s; INSERT INTO a VALUES (2); SAVEPOINT t; INSERT INTO a VALUES (3); ROLLBACK TO t;
	   INSERT INTO a VALUES (4); RELEASE s; SAVEPOINT u; DELETE FROM a; ROLLBACK TO u; COMMIT"
	q "BEGIN; INSERT INTO a VALUES (5); ROLLBACK"
	q "BEGIN; INSERT INTO a VALUES (6); PREPARE TRANSACTION 'p'"
	q "BEGIN; INSERT INTO a VALUES (7); PREPARE TRANSACTION 'q'"
	extract
	[ "$(changes)" = 'a: {"id":1} {"id":2} {"id":4}' ]
	q "COMMIT PREPARED 'p'"
	q "ROLLBACK PREPARED 'q'"
	extract
	[ "$(changes)" = 'a: {"id":6}' ]
}

@test "a changed key is the old key's @delete, then the row; keys are of any type and number of columns" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text);
	   CREATE TABLE b (\"@x\" text, at timestamptz, n numeric, v int, PRIMARY KEY (n, \"@x\", at));
	   CREATE TABLE c (v int, u uuid NOT NULL, w int NOT NULL, x int PRIMARY KEY); CREATE UNIQUE INDEX cu ON c (w, u);
	   ALTER TABLE c REPLICA IDENTITY USING INDEX cu; CREATE TABLE d (id int PRIMARY KEY, v text); ALTER TABLE d REPLICA IDENTITY FULL"
	publish
	extract
	[ "$(jq -c 'select(.mode).key' out | paste -sd' ')" = '["id"] ["n","@x","at"] ["w","u"] ["id"]' ]
	q "INSERT INTO a VALUES (1, 'x'); UPDATE a SET id = 2; UPDATE a SET id = 2, v = 'y'; UPDATE a SET id = id + 1 WHERE id = 2"
	extract
	[ "$(changes)" = 'a: {"id":1,"v":"x"} {"@delete":"a","key":{"id":1}} {"id":2,"v":"x"} {"id":2,"v":"y"} {"@delete":"a","key":{"id":2}} {"id":3,"v":"y"}' ]
	q "INSERT INTO b VALUES (E'q\"\\\\\t', '2024-01-01 00:00+01', 1.50, 1); UPDATE b SET n = 1.500; DELETE FROM b"
	extract
	[ "$(changes)" = 'b: {"@@x":"q\"\\\t","at":"2023-12-31T23:00:00Z","n":1.50,"v":1} {"@delete":"b","key":{"n":1.50,"@x":"q\"\\\t","at":"2023-12-31T23:00:00Z"}} {"@@x":"q\"\\\t","at":"2023-12-31T23:00:00Z","n":1.500,"v":1} {"@delete":"b","key":{"n":1.500,"@x":"q\"\\\t","at":"2023-12-31T23:00:00Z"}}' ]
	u=00000000-0000-0000-0000-00000000000
	q "INSERT INTO c VALUES (1, '${u}1', 1, 1); UPDATE c SET v = 2, x = 2; UPDATE c SET u = '${u}2'; DELETE FROM c"
	extract
	[ "$(changes | sed "s/$u/u/g")" = 'c: {"v":1,"u":"u1","w":1,"x":1} {"v":2,"u":"u1","w":1,"x":2} {"@delete":"c","key":{"w":1,"u":"u1"}} {"v":2,"u":"u2","w":1,"x":2} {"@delete":"c","key":{"w":1,"u":"u2"}}' ]
	q "INSERT INTO d VALUES (1, 'x'); UPDATE d SET v = 'y'; UPDATE d SET id = 2; DELETE FROM d"
	extract
	[ "$(changes)" = 'd: {"id":1,"v":"x"} {"id":1,"v":"y"} {"@delete":"d","key":{"id":1}} {"id":2,"v":"y"} {"@delete":"d","key":{"id":2}}' ]
}

@test "a TOASTed value that an update leaves alone is never lost" {
	for t in plain complete; do
		q "CREATE TABLE $t (id int PRIMARY KEY, v int, big text, more bytea, j json)"
		q "ALTER TABLE $t ALTER big SET STORAGE EXTERNAL, ALTER more SET STORAGE EXTERNAL, ALTER j SET STORAGE EXTERNAL"
		q "INSERT INTO $t SELECT g, 0, repeat(g || E'\\\\ \n\t', 3000), decode(repeat('00ff', 9000), 'hex'),
			('{\"a\": \"' || repeat('x', 9000) || '\"}')::json FROM generate_series(1, 4) g"
	done
	q "ALTER TABLE complete REPLICA IDENTITY FULL"
	publish
	extract
	grep '^{"id"' out | sort >before
	q "UPDATE plain SET v = 0; UPDATE complete SET v = 0; UPDATE complete SET more = NULL WHERE id = 4; UPDATE complete SET v = 1 WHERE id = 4"
	q "UPDATE plain SET id = 30 WHERE id = 3; UPDATE plain SET big = 'short' WHERE id = 4; UPDATE plain SET more = NULL WHERE id = 4"
	cp state.json start.json
	extract
	grep '^{"id":[12]' out | sort | diff - <(grep '^{"id":[12]' before)
	[ "$(jq -c 'select(.id == 4 and .v == 1) | [.more, (.big | length)]' out)" = '[null,15000]' ] # from the old row
	[ "$(jq -c 'select(.id == 30) | [(.big | length), (.more | length), (.j.a | length)]' out)" = '[15000,36002,9000]' ]
	# looked up, the value is that of now: the last version is right, whatever those in between
	[ "$(jq -c 'select(.id == 4 and .v == 0 and .big == "short") | [.more, (.j.a | length)]' out | tail -1)" = '[null,9000]' ]
	# gone by now: a version that cannot be whole is left out, the delete follows
	q "UPDATE plain SET v = 5 WHERE id = 1; DELETE FROM plain WHERE id = 1; UPDATE complete SET v = 5 WHERE id = 1; DELETE FROM complete WHERE id = 1"
	extract -v
	[ "$(jq -c 'select(.id) | [.id, .v, (.big | length)]' out)" = '[1,5,15000]' ]
	[ "$(grep -c '^{"@delete":' out)" -eq 2 ]
	grep -q 'gone by now' err
}

@test "every type and its ugliest values come from the log as they come from the table" {
	psql -qX -v ON_ERROR_STOP=1 -d "$db" -f "$STARPIPE_TOP/tests/e2e/ugly.sql" >/dev/null
	publish
	all=(--exclude 'quote " back\slash é.😀' --exclude select --exclude value)
	run -1 pg-extract -d "$db" --slot s --state state.json
	[[ "$output" == *'has no key by which the log could name a row that is gone'*"REPLICA IDENTITY"* ]]
	extract "${all[@]}"
	by_table() { awk '/^\{"@(state|end)"/ { next } /^\{"@table"/ { t = $0; next } /^\{"@delete"/ { next } { print t, $0 }' out | grep -v '"mode":' | sort; }
	by_table >copied
	[ "$(grep -c . copied)" -gt 1000 ]
	# every row is rewritten: all that is TOASTed must be looked up
	q "SELECT format('UPDATE %I SET %I = %2\$I', relname, attname) FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum = 1
		WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition AND relname NOT IN ('select', 'shapes', 'value')
		AND relname NOT LIKE 'quote%'" | psql -qX -v ON_ERROR_STOP=1 -d "$db" -v x=1 -f <(sed 's/$/;/')
	q "UPDATE shapes SET m = m"
	extract "${all[@]}"
	by_table >updated
	cmp copied updated || { diff copied updated | cut -c1-300 | head; false; }
	# and written anew: all is in the log
	q "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname LIKE 't %'" | while read -r t; do
		echo "CREATE TEMP TABLE kept AS TABLE \"$t\"; DELETE FROM \"$t\"; INSERT INTO \"$t\" TABLE kept; DROP TABLE kept;"
	done | psql -qX -v ON_ERROR_STOP=1 -1 -d "$db"
	extract "${all[@]}"
	by_table | diff <(grep '^{"@table":"t ' copied) - >differ || { cut -c1-300 differ | head; false; }
}

@test "concurrent writers during the initial copy and later lose nothing, and no insert comes twice" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g;
	   CREATE TABLE log (id bigserial PRIMARY KEY, w int, n int)"
	q "CREATE SCHEMA aside; CREATE TABLE aside.stop (); CREATE PROCEDURE work(w int) LANGUAGE plpgsql AS \$\$
	DECLARE n int := 0; k int[];
	BEGIN
		WHILE NOT EXISTS (SELECT FROM aside.stop) LOOP
			n := n + 1;
			k := ARRAY(SELECT 3 * (random() * 7000)::int + w FROM generate_series(1, 5)); -- of its own, no deadlocks
			UPDATE a SET v = w || ' ' || n WHERE id = k[1];
			DELETE FROM a WHERE id = k[2];
			INSERT INTO a VALUES (k[3], 'new ' || n) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
			BEGIN
				UPDATE a SET id = k[4] WHERE id = k[5];
			EXCEPTION WHEN unique_violation THEN NULL; -- a savepoint rolled back
			END;
			INSERT INTO log (w, n) VALUES (w, n);
			PERFORM pg_sleep(0.002);
			IF n % 7 = 0 THEN ROLLBACK; ELSIF n % 5 < 4 THEN COMMIT; END IF;
		END LOOP;
	END \$\$"
	publish
	fresh_db copy
	q "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE log (id bigint PRIMARY KEY, w int, n int)"
	db=dbname=ext
	for w in 0 1 2; do psql -qX -d "$db" -c "CALL work($w)" & writers+=($!); done
	sleep 0.3
	for run in 1 2 3 4; do
		extract
		[ "$run" -gt 1 ] || [ "$(jq -r 'select(.mode).mode' out | sort -u)" = full ]
		cp out "out.$run"
	done
	kill -0 "${writers[0]}" # all that happened while they wrote
	q "INSERT INTO aside.stop DEFAULT VALUES"
	wait "${writers[@]}"
	extract
	cp out out.5
	for run in 1 2 3 4 5; do apply out.$run copy; done
	for t in a log; do diff <(q "TABLE $t" | sort) <(psql_at dbname=copy "TABLE $t" | sort) | head; done
	[ "$(q "SELECT count(*), sum(hashtext(a::text)) FROM a")" = "$(psql_at dbname=copy "SELECT count(*), sum(hashtext(a::text)) FROM a")" ]
	[ "$(q "SELECT count(*), sum(hashtext(log::text)) FROM log")" = "$(psql_at dbname=copy "SELECT count(*), sum(hashtext(log::text)) FROM log")" ]
	[ "$(q "SELECT count(*) > 500 FROM log")" = t ]
	[ "$(cat out.[1-5] | jq -c 'select(.w) | .id' | sort | uniq -d | wc -l)" -eq 0 ]
	[ "$(cat out.[2-5] | jq -c 'select(.w) | .id' | wc -l)" -gt 100 ]
}

@test "a run that is killed loses nothing: the next reads the same again" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text)"
	publish
	mkfifo p
	# in the initial copy
	q "INSERT INTO a SELECT g, repeat('x', 50) FROM generate_series(1, 50000) g"
	pg-extract -d "$db" --slot s --state state.json >p 2>err & pid=$!
	exec 8<p
	read -r first <&8
	kill -KILL $pid
	exec 8<&-
	! wait $pid
	extract
	[ "$(jq -c 'select(has("@end"))."@end".rows.a' out)" = 50000 ]
	# in the log
	q "UPDATE a SET v = repeat('y', 50)"
	pg-extract -d "$db" --slot s --state state.json >p 2>err & pid=$!
	exec 8<p
	read -r first <&8
	kill -KILL $pid
	exec 8<&-
	! wait $pid
	cp state.json before.json
	pg-extract -d "$db" --slot s --state before.json >once # read, but no loader commits it
	extract
	[ ! -s err ]
	diff <(changes once) <(changes out)
	[ "$(jq -c 'select(has("@end"))."@end".rows.a' out)" = 50000 ]
	extract
	[ "$(changes)" = "" ]
}

@test "a slot that does not fit the state is made anew, all rows are read, and standard error says why" {
	q "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)"
	publish
	is_full() { [ "$(head -1 out | jq -r .mode)" = full ] && [ "$(changes)" = '{"id":1}' ] && cat err && grep -q "$1" err; }
	extract
	q "SELECT pg_replication_slot_advance('s', pg_current_wal_lsn())" # to where the state is, or not
	q "UPDATE a SET id = 1"
	q "SELECT pg_replication_slot_advance('s', pg_current_wal_lsn())"
	extract
	is_full 'slot "s" was moved beyond the state by somebody else: extracting all rows'
	q "SELECT pg_drop_replication_slot('s')"
	extract
	is_full 'slot "s" is gone'
	jq -c '.system = "1"' state.json >x && mv x state.json
	extract
	is_full 'of another database cluster'
	jq -c '.slot = "other"' state.json >x && mv x state.json
	extract
	is_full 'the state is not of this slot'
	jq -c '.lsn = "FFFF/0"' state.json >x && mv x state.json
	extract
	is_full 'ahead of the database'
	echo '{}' >state.json
	extract
	is_full 'a first run'
	q "UPDATE a SET id = 1"
	q "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'"
	q "SELECT pg_reload_conf()"
	for i in 1 2 3; do q "SELECT pg_switch_wal()"; q "INSERT INTO a VALUES (2); DELETE FROM a WHERE id = 2"; done
	q "CHECKPOINT"
	q "ALTER SYSTEM RESET max_slot_wal_keep_size"
	q "SELECT pg_reload_conf()"
	[ "$(q "SELECT wal_status FROM pg_replication_slots")" = lost ]
	extract
	is_full 'has lost its log'
	extract
	[ "$(changes)" = "" ]
}

@test "the slot keeps no more of the log than from the last committed state on" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1)"
	publish
	extract
	start=$(q "SELECT restart_lsn FROM pg_replication_slots")
	for i in 1 2 3 4; do
		q "INSERT INTO a SELECT i FROM generate_series(${i}0000, ${i}5000) i"
		q "CHECKPOINT"
		extract
		[ "$(q "SELECT confirmed_flush_lsn <= '$(jq -r .lsn state.json)' FROM pg_replication_slots")" = t ]
	done
	[ "$(q "SELECT restart_lsn > '$start'::pg_lsn + 1000000 FROM pg_replication_slots")" = t ]
}

@test "a run ends where the server was when it began; while it reads the slot another one exits 73" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text)"
	publish
	extract
	q "INSERT INTO a SELECT g, repeat('x', 100) FROM generate_series(1, 50000) g"
	mkfifo p
	pg-extract -d "$db" --slot s --state state.json >p & pid=$!
	exec 8<p
	read -r first <&8
	run -73 pg-extract -d "$db" --slot s --state state.json
	[[ "$output" == *'slot "s" is being read by another run: nothing was changed'* ]]
	run -73 pg-extract -d "$db" --slot s --state none.json
	q "INSERT INTO a VALUES (0)"
	[ "$(tail -1 <&8 | jq -c '."@end".rows')" = '{"a":50000}' ]
	exec 8<&-
	wait $pid
	extract
	[ "$(jq -c 'select(has("@end"))."@end".rows.a' out)" = 50001 ]
}

@test "a transaction whose commit is in the log but not yet to be seen is the next run's" {
	q "CREATE TABLE a (id int PRIMARY KEY, big text); ALTER TABLE a ALTER big SET STORAGE EXTERNAL"
	publish
	extract
	q "INSERT INTO a VALUES (1)"
	# it waits for a standby that is not there, its commit written
	q "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
	q "SELECT pg_reload_conf()"
	sleep 0.2
	q "INSERT INTO a VALUES (2, repeat('x', 9000)); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1); UPDATE a SET id = 3 WHERE id = 2" 2>warnings & pid=$!
	until [ "$(q "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")" = 1 ]; do sleep 0.05; done
	q "SET synchronous_commit = local; INSERT INTO a VALUES (4)"
	extract
	[ "$(changes)" = 'a: {"id":1,"big":null}' ]
	q "ALTER SYSTEM RESET synchronous_standby_names"
	q "SELECT pg_reload_conf()"
	wait $pid
	extract
	[ "$(changes | sed 's/x\{9000\}/x/g')" = 'a: {"id":2,"big":"x"} {"@delete":"a","key":{"id":2}} {"id":3,"big":"x"} {"id":4,"big":null} b: {"id":1}' ]
}

@test "partitions are rows of their root, however they are published" {
	q "CREATE TABLE p (part int, id int, v text, PRIMARY KEY (part, id)) PARTITION BY LIST (part); CREATE SCHEMA aside;
	   CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE aside.p2 (v text, id int, part int, PRIMARY KEY (part, id));
	   ALTER TABLE p ATTACH PARTITION aside.p2 FOR VALUES IN (2); CREATE TABLE up (id int PRIMARY KEY); CREATE TABLE down (x int) INHERITS (up);
	   ALTER TABLE down ADD PRIMARY KEY (id); INSERT INTO p VALUES (1, 1, 'a'), (2, 1, 'b'); INSERT INTO up VALUES (1); INSERT INTO down VALUES (2, 3)"
	for how in false true; do
		publish "FOR ALL TABLES WITH (publish_via_partition_root = $how)"
		rm -f state.json
		extract
		[ "$(changes)" = 'down: {"id":2,"x":3} p: {"part":1,"id":1,"v":"a"} {"part":2,"id":1,"v":"b"} up: {"id":1}' ]
		q "UPDATE p SET v = v || 'x'; UPDATE p SET part = 1, id = 5 WHERE part = 2; DELETE FROM p WHERE id = 1; UPDATE down SET x = 4"
		extract
		[ "$(changes)" = 'p: {"part":1,"id":1,"v":"ax"} {"part":2,"id":1,"v":"bx"} {"@delete":"p","key":{"part":2,"id":1}} {"part":1,"id":5,"v":"bx"} {"@delete":"p","key":{"part":1,"id":1}} down: {"id":2,"x":4}' ]
		q "TRUNCATE p"
		extract
		[ "$(changes)" = 'p: {"@delete":"p"}' ]
		q "INSERT INTO p VALUES (1, 1, 'a'), (2, 1, 'b'); UPDATE down SET x = 3; DROP PUBLICATION s"
		q "SELECT pg_drop_replication_slot('s')"
	done
	# one of several: which rows are gone only the table itself can tell
	publish
	extract
	q "TRUNCATE p1; INSERT INTO p VALUES (1, 7, 'c')"
	run -1 pg-extract -d "$db" --slot s --state state.json
	[[ "$output" == *'partitions of table "p" were truncated, but not "aside"."p2"'*"Empty it where it was loaded, and run once with --full p."* ]]
	extract --full p
	grep -q 'table "p" was truncated: rows that are gone stay where they were loaded' err
	[ "$(changes)" = 'p: {"part":1,"id":7,"v":"c"} {"part":2,"id":1,"v":"b"}' ]
	[ "$(jq -r 'select(.mode).mode' out | paste -sd' ')" = "changes full changes" ]
	extract
	[ "$(changes)" = "" ]
}

@test "only what the publication has is read: its tables, columns, rows and kinds of changes" {
	q "CREATE TABLE a (id int PRIMARY KEY, secret text, v int, twice int GENERATED ALWAYS AS (v * 2) STORED); CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES a);
	   CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE _d (id int PRIMARY KEY); CREATE SCHEMA aside; CREATE TABLE aside.a (id int PRIMARY KEY);
	   INSERT INTO a VALUES (1, 's', 1), (2, 's', 200); INSERT INTO b VALUES (1); INSERT INTO aside.a VALUES (1)"
	publish "FOR TABLE a (id, v) WHERE (id < 100), c, _d, aside.a"
	extract
	[ "$(jq -c 'select(.mode) | [."@table", [.columns[].name]]' out | paste -sd' ')" = '["a",["id","v"]] ["c",["id","a"]]' ]
	[ "$(jq -c 'select(.foreign).foreign' out)" = '[{"columns":["a"],"table":"a","references":["id"]}]' ]
	[ "$(changes)" = 'a: {"id":1,"v":1} {"id":2,"v":200} c:' ]
	q "UPDATE a SET secret = 't', v = 5 WHERE id = 1; INSERT INTO a VALUES (200, 's', 1); UPDATE a SET id = 300 WHERE id = 2; INSERT INTO b VALUES (2);
	   INSERT INTO _d VALUES (1); INSERT INTO aside.a VALUES (2)"
	extract
	[ "$(changes)" = 'a: {"id":1,"v":5} {"@delete":"a","key":{"id":2}}' ]
	run -1 pg-extract -d "$db" --slot s --state state.json a b
	[[ "$output" == *'table "b" is not in publication "s"'*'ALTER PUBLICATION "s" ADD TABLE "public"."b";'* ]]
	extract _d a
	grep -q 'table "_d" is not in the state: extracting all its rows' err
	[ "$(changes)" = '_d: {"id":1}' ]
	q "CREATE PUBLICATION \"it's \\ \"\"\" FOR TABLE a WITH (publish = 'insert')"
	pg-extract -d "$db" --slot t --publication 'it'"'"'s \ "' --state none.json 2>err | sed -n 's/^{"@state":\(.*\)}$/\1/p' >t.json
	q "INSERT INTO a VALUES (7, '', 7); UPDATE a SET v = 8 WHERE id = 7; DELETE FROM a WHERE id = 7"
	pg-extract -d "$db" --slot t --publication 'it'"'"'s \ "' --state t.json >out
	[ "$(changes)" = 'a: {"id":7,"secret":"","v":7}' ]
	extract --schema aside
	[ "$(changes)" = '{"id":1} {"id":2}' ]
}

@test "another table of a known name is read whole: what it got before it had the name is in nobody's log" {
	q "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE _a (id int PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO _a VALUES (1), (2)"
	publish "FOR ALL TABLES"
	extract
	q "BEGIN; ALTER TABLE a RENAME TO _old; ALTER TABLE _a RENAME TO a; COMMIT"
	q "INSERT INTO a VALUES (3)"
	extract
	[ "$(changes)" = '{"id":1} {"id":2} {"id":3}' ]
	grep -q 'table "a" is another than the one in the state' err
}

@test "what was deleted from a table before it got a column is not forgotten because it is read whole" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'x');
	   ALTER TABLE b ALTER v SET STORAGE EXTERNAL; INSERT INTO a SELECT g, g FROM generate_series(1, 5) g"
	publish
	extract
	q "DELETE FROM a WHERE id IN (1, 2); UPDATE a SET id = 30 WHERE id = 3; INSERT INTO a VALUES (2, 'again'); UPDATE b SET v = repeat('x', 5000)"
	q "UPDATE b SET id = 2; ALTER TABLE a ADD w int DEFAULT 7; DELETE FROM a WHERE id = 4"
	extract
	cp state.json behind.json
	[ "$(changes | sed 's/x\{5000\}/X/g')" = 'a: {"@delete":"a","key":{"id":1}} {"@delete":"a","key":{"id":2}} {"@delete":"a","key":{"id":3}} b: {"id":1,"v":"X"} {"@delete":"b","key":{"id":1}} {"id":2,"v":"X"} a: {"@delete":"a","key":{"id":4}} a: {"id":5,"v":"5","w":7} {"id":30,"v":"3","w":7} {"id":2,"v":"again","w":7}' ]
	fresh_db copy
	q "CREATE TABLE a (id int PRIMARY KEY, v text, w int); INSERT INTO a SELECT g, g FROM generate_series(1, 5) g"
	pg-load -d "$db" <out
	[ "$(q "SELECT string_agg(id::text, ',' ORDER BY id) FROM a")" = 2,5,30 ]
	# of another key than before it cannot be told
	db=dbname=ext
	q "DELETE FROM a WHERE id = 5; ALTER TABLE a DROP CONSTRAINT a_pkey; ALTER TABLE a ADD k text NOT NULL DEFAULT 'k', ADD PRIMARY KEY (k, id)"
	extract
	[ "$(changes)" = 'a: {"id":30,"v":"3","w":7,"k":"k"} {"id":2,"v":"again","w":7,"k":"k"}' ]
	grep -q 'table "a" had another key: rows that are gone stay where they were loaded' err
}

@test "a table that is new, or has other columns than before, is read whole; a dropped one is forgotten" {
	q "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int); CREATE TABLE gone (id int PRIMARY KEY);
	   CREATE TABLE old (id int PRIMARY KEY); INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1); INSERT INTO old VALUES (1), (2)"
	publish "FOR TABLE a, b, gone"
	extract
	q "UPDATE a SET v = 2; ALTER TABLE a ADD w int DEFAULT 7; ALTER TABLE b RENAME v TO w; UPDATE b SET w = 2"
	q "INSERT INTO gone VALUES (1)"
	q "DROP TABLE gone"
	q "ALTER PUBLICATION s ADD TABLE old"
	q "CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1); ALTER PUBLICATION s ADD TABLE later"
	q "INSERT INTO later VALUES (2)"
	extract
	[ "$(changes)" = 'a: {"id":1,"v":2,"w":7} b: {"id":1,"w":2} later: {"id":1} {"id":2} old: {"id":1} {"id":2}' ]
	[ "$(jq -r 'select(.mode).mode' out | sort -u)" = full ]
	[ "$(grep -c 'extracting all its rows' err)" -eq 4 ]
	q "UPDATE a SET v = 3; DELETE FROM later WHERE id = 1"
	q "ALTER TABLE a RENAME TO renamed"
	extract
	[ "$(changes)" = 'later: {"@delete":"later","key":{"id":1}} renamed: {"id":1,"v":3,"w":7}' ] # unknown by that name, so whole
	q "UPDATE renamed SET v = 4; ALTER TABLE renamed ALTER v TYPE int8; UPDATE renamed SET v = 5000000000"
	extract
	[ "$(changes)" = 'renamed: {"id":1,"v":5000000000,"w":7}' ]
}

@test "what goes wrong has its exit code and one clear line" {
	q "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE nokey (id int); CREATE TABLE other (id int PRIMARY KEY)"
	run -1 pg-extract -d "$db" --slot s --state state.json a
	[[ "$output" == *'there is no publication "s" in this database'*'CREATE PUBLICATION "s" FOR ALL TABLES;'* ]]
	publish
	run -1 pg-extract -d "$db" --slot s --state state.json
	[[ "$output" == *'table "public"."nokey" has no key'*'ALTER TABLE "public"."nokey" REPLICA IDENTITY USING INDEX'*'--exclude'* ]]
	q "ALTER TABLE nokey REPLICA IDENTITY FULL; ALTER TABLE other REPLICA IDENTITY NOTHING"
	run -1 pg-extract -d "$db" --slot s --state state.json nokey
	run -1 pg-extract -d "$db" --slot s --state state.json other
	run -2 pg-extract -d "$db" --slot s
	run -2 pg-extract -d "$db" --slot S --state state.json
	run -2 pg-extract -d "$db" --publication s
	run -2 pg-extract -d "$db" --slot s --state state.json --cursor id
	run -1 pg-extract -d "$db" --slot s --state state.json --schema nowhere
	q "CREATE SCHEMA \"My \"\"own\"; CREATE TABLE \"My \"\"own\".in_it (id int PRIMARY KEY); CREATE TABLE \"My \"\"own\".missing (id int PRIMARY KEY); CREATE PUBLICATION one FOR TABLE \"My \"\"own\".in_it"
	run -1 pg-extract -d "$db" --slot s --publication one --state state.json --schema 'My "own' missing
	[[ "$output" == *'hint: ALTER PUBLICATION "one" ADD TABLE "My ""own"."missing";' ]]
	q "DROP SCHEMA \"My \"\"own\" CASCADE"
	echo '{"source":"lake","lake":"x","step":1}' >lake.json
	run -65 pg-extract -d "$db" --slot s --state lake.json
	[[ "$output" == *"lake.json: the state is not one of pg-extract's"* ]]
	: >empty.json
	run -65 pg-extract -d "$db" --slot s --state empty.json
	q "SELECT pg_create_physical_replication_slot('p')"
	q "CREATE PUBLICATION p FOR TABLE a"
	run -1 pg-extract -d "$db" --slot p --state state.json
	[[ "$output" == *'slot "p" is not one of pgoutput in this database'* ]]
	[ "$(q "SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical'")" = 1 ]
	q "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT SELECT ON a TO reader"
	run -77 pg-extract -d "$db user=reader" --slot s --state state.json a
	# the publication came after the changes: the server itself cannot read them
	extract a
	q "DROP PUBLICATION s; INSERT INTO a VALUES (1)"
	publish
	run -1 pg-extract -d "$db" --slot s --state state.json a
	[[ "$output" == *'publication "s" does not exist'*"Run once with {} as the state"* ]]
	[[ "$output" != *'warning'* && "$output" != *'{"@end"'* ]] # PostgreSQL 18 only warns
	other=$TMPDIR/minimal
	"$STARPIPE_TOP/tests/lib/pg.sh" up "$other" >other
	run -1 pg-extract -d "host=$other port=$(cat "$other/port") dbname=postgres" --slot s --state none.json
	[[ "$output" == *'a slot needs a server with wal_level logical, it is minimal'*"ALTER SYSTEM SET wal_level = logical"* ]]
}

@test "a row longer than the limit is a clear error" {
	q "CREATE TABLE a (id int PRIMARY KEY, v text)"
	publish
	extract
	q "INSERT INTO a VALUES (1, 'x'), (2, repeat('y', 5000000))"
	run -65 --separate-stderr pg-extract -d "$db" --slot s --state state.json --max-row 1M
	[[ "$stderr" == *'a row of table "a" is longer than 1048576 bytes'*"--max-row"* ]]
	[[ "$output" == *'{"id":1,"v":"x"}'* && "$output" != *'{"@end"'* ]]
	q "UPDATE a SET v = repeat('z', 300000000) WHERE id = 2"
	run -65 --separate-stderr bash -o pipefail -c "pg-extract -d '$db' --slot s --state state.json | tail -c 100"
	[[ "$stderr" == *"longer than"*"--max-row"* ]]
	[[ "$output" != *'{"@end"'* ]]
}

# bats test_tags=size
@test "a million changes are read in bounded memory, in one transaction and in many" {
	q "CREATE TABLE a (id int PRIMARY KEY, n int, v text); CREATE PROCEDURE many() LANGUAGE plpgsql AS \$\$
	BEGIN
		FOR i IN 1..20000 LOOP
			UPDATE a SET n = n + 1 WHERE id BETWEEN i * 25 AND i * 25 + 24;
			IF i % 4 = 0 THEN COMMIT; END IF;
		END LOOP;
	END \$\$"
	publish
	extract
	q "INSERT INTO a SELECT g, 0, 'some text of row ' || g FROM generate_series(1, 500000) g; DELETE FROM a WHERE id % 100 = 0; UPDATE a SET n = 1"
	q "CALL many()"
	/usr/bin/time -f %M -o peak pg-extract -d "$db" --slot s --state state.json |
		awk '/^\{"id"/ { rows++ } /^\{"@delete"/ { deletes++ } /^\{"@end"/ { end = $0 } END { print rows, deletes, end }' >counts
	cat counts peak
	[ "$(cat counts)" = '1489976 5000 {"@end":{"rows":{"a":1489976}}}' ]
	bounded "$(cat peak)"
}

@test "deletes and truncates reach the warehouse, straight and by way of a lake" {
	totesys_db shop 300
	q "ALTER DATABASE shop SET synchronous_commit = on"
	q "CREATE TABLE emptied (id int PRIMARY KEY); INSERT INTO emptied VALUES (1), (2)"
	publish
	fresh_db straight
	fresh_db round
	db=dbname=shop
	lake=file://$BATS_TEST_TMPDIR/lake/
	mkdir lake
	same() {
		for t in $(q "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND left(relname, 1) <> '_'"); do
			columns=$(q "SELECT string_agg(quote_ident(attname), ',') FROM pg_attribute WHERE attrelid = '$t'::regclass AND attnum > 0")
			diff <(q "SELECT $columns FROM $t" | sort) <(psql_at "$1" "SELECT $columns FROM $t" | sort) | head -5
		done
	}
	pipes() {
		pg-extract -d "$db" --slot s --state <(pg-load -d dbname=straight --show-state) 2>>err | pg-load -d dbname=straight >receipt
		pg-extract -d "$db" --slot t --publication s --state <(s3-put --show-state "$lake") 2>>err | s3-put "$lake" >/dev/null
		s3-get "$lake" --state <(pg-load -d dbname=round --show-state) | pg-load -d dbname=round >/dev/null
		same dbname=straight
		same dbname=round
	}
	run -0 pipes
	[ -z "$output" ]
	q "UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id % 3 = 0; TRUNCATE emptied; INSERT INTO emptied VALUES (3);
	   DELETE FROM payment WHERE payment_id % 2 = 0; UPDATE address SET address_id = address_id + 1000 WHERE address_id NOT IN (
		SELECT legal_address_id FROM counterparty UNION SELECT agreed_delivery_location_id FROM sales_order UNION SELECT agreed_delivery_location_id FROM purchase_order)"
	run -0 pipes
	[ -z "$output" ]
	[ "$(jq .deleted receipt)" -gt 100 ]
	run -0 pipes
	[ "$(jq -c '[.inserted, .updated, .deleted]' receipt)" = '[0,0,0]' ]
}
