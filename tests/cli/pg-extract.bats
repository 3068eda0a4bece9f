# pg-extract: tables, order, types, snapshot, and what can go wrong.
load ../lib/helpers

setup() { fresh_db ext; }

tables_of() { jq -r 'select(has("@table") and has("columns")) | ."@table"'; }

@test "all tables come, parents first, none whose name begins with _, and empty ones too" {
	q 'CREATE TABLE z (id int PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY, z int REFERENCES z);
	   CREATE TABLE "transaction" (id int, a int REFERENCES a); CREATE TABLE _prisma_migrations (id int);
	   CREATE TABLE part (id int) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (9);
	   INSERT INTO part VALUES (1), (2); CREATE VIEW v AS SELECT 1 AS x'
	run -0 --separate-stderr pg-extract -d "$db"
	[ -z "$stderr" ]
	[ "$(tables_of <<<"$output" | tr '\n' ' ')" = "z a part transaction " ]
	[ "$(tail -1 <<<"$output" | jq -c '."@end".rows')" = '{"z":0,"a":0,"part":2,"transaction":0}' ]
	[ "$(jq -c 'select(."@table" == "a" and has("foreign")) | .foreign' <<<"$output")" = \
		'[{"columns":["z"],"table":"z","references":["id"]}]' ]
	run -0 pg-extract -d "$db" --exclude z v a
	[ "$(tables_of <<<"$output" | sort | tr '\n' ' ')" = "a v " ]
	run -1 pg-extract -d "$db" --exclude zz
	[[ "$output" == *'table "zz" is not in schema "public"'*'hint: There are: '* ]]
	[[ "$output" != *' more'* ]]
	for i in {10..24}; do echo "CREATE TABLE t$i ();"; done | psql -qX -d "$db"
	run -1 pg-extract -d "$db" zz
	[[ "$output" == *'hint: There are: _prisma_migrations, a, part, t10, '*', t18 and 9 more.'* ]]
}

@test "cycles of foreign keys and names that need quotes do no harm" {
	q 'CREATE TABLE "A b" (id int PRIMARY KEY, o int); CREATE TABLE "c""d" (id int PRIMARY KEY REFERENCES "A b", "@at" int);
	   ALTER TABLE "A b" ADD FOREIGN KEY (o) REFERENCES "c""d"; CREATE TABLE "ünï" ("@first" text, "sp ace" int);
	   INSERT INTO "ünï" VALUES ('"'x'"', 1)'
	run -0 pg-extract -d "$db"
	[ "$(tables_of <<<"$output" | wc -l)" -eq 3 ]
	[[ "$output" == *'{"@@first":"x","sp ace":1}'* ]]
}

@test "types are named with their modifiers; domains by their base, user's types as text" {
	q "CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN small AS price CHECK (VALUE < 9); CREATE TYPE mood AS ENUM ('ok');
	   CREATE TABLE t (a small, b varchar(3), c char(4), d timestamp(3), e mood, f mood[], g text[], h interval day to second(3),
			   i \"char\", j bit(5), k int2vector, l numeric, m price[])"
	run -0 pg-extract -d "$db" t
	[ "$(head -1 <<<"$output" | jq -r '[.columns[].type] | join(" ")')" = \
		'numeric(10,2) varchar(3) bpchar(4) timestamp(3) text text[] text[] interval day to second(3) char bit(5) int2vector numeric text[]' ]
}

@test "values are PostgreSQL's own, digit for digit" {
	q "CREATE TABLE t (n numeric, f float8, b bool, ts timestamp, tz timestamptz, a int[], x bytea, j jsonb, js json, t text)"
	q "INSERT INTO t VALUES (3.40, 0.1, true, '0044-03-15 12:00 BC', '2024-01-01 00:00+02', '{{1,NULL},{2,3}}', '\x00ff', '{\"a\": [1]}',
		'null', E'q\"\\\\ \t\n\x01é🙂'), ('NaN', '-Infinity', false, 'infinity', '-infinity', '[2:3]={1,2}', '', 'null', ' 1', '')"
	run -0 pg-extract -d "$db" --rows t
	[ "${lines[0]}" = '{"n":3.40,"f":0.1,"b":true,"ts":"0044-03-15T12:00:00 BC","tz":"2023-12-31T22:00:00Z","a":[[1,null],[2,3]],"x":"\\x00ff","j":{"a": [1]},"js":{"@json":"null"},"t":"q\"\\ \t\n\u0001é🙂"}' ]
	[ "${lines[1]}" = '{"n":"NaN","f":"-Infinity","b":false,"ts":"infinity","tz":"-infinity","a":"[2:3]={1,2}","x":"\\x","j":{"@json":"null"},"js":{"@json":" 1"},"t":""}' ]
}

@test "all tables are of one snapshot" {
	q "CREATE TABLE a (x int); CREATE TABLE b (x int); INSERT INTO a SELECT generate_series(1, 300000)"
	mkfifo "$BATS_TEST_TMPDIR/p"
	pg-extract -d "$db" a b >"$BATS_TEST_TMPDIR/p" & pid=$!
	exec 8<"$BATS_TEST_TMPDIR/p"
	read -r first <&8 # it has begun, and waits for its reader
	q "INSERT INTO b VALUES (1); INSERT INTO a VALUES (1)"
	[ "$(tail -1 <&8 | jq -c '."@end".rows')" = '{"a":300000,"b":0}' ]
	exec 8<&-
	wait $pid
}

@test "a query's rows come as a table, with its own types" {
	q "CREATE TABLE t AS SELECT 1 AS x"
	run -0 pg-extract -d "$db" -q 'SELECT x, x * 1.5 AS y, now()::date AS d FROM t -- a comment' --table agg
	run -0 pg-extract -d "$db" -q 'SELECT x, x * 1.5 AS y, now()::date AS d FROM t; ' --table agg
	[ "$(head -1 <<<"$output" | jq -c '[."@table", [.columns[].type]]')" = '["agg",["int4","numeric","date"]]' ]
	run -2 pg-extract -d "$db" -q 'SELECT 1'
	run -2 pg-extract -d "$db" -q 'CREATE TABLE u ()' --table u
	run -2 pg-extract -d "$db" -q 'SELECT 1 AS a, 2 AS a' --table u
	run pg-extract -d "$db" -q 'WITH d AS (DELETE FROM t RETURNING x) SELECT * FROM d' --table u
	[ "$status" -ne 0 ]
	[ "$(q "SELECT count(*) FROM t")" = 1 ]
}

@test "what goes wrong has its exit code, one clear line, and no @end" {
	q "CREATE TABLE staff (x int)"
	run -1 pg-extract -d "$db" staf
	[[ "$output" == *'table "staf" is not in schema "public"'*"hint: There are: staff."* ]]
	run -1 pg-extract -d dbname=no_such_database
	run -75 pg-extract -d "host=127.0.0.1 port=1"
	run -77 pg-extract -d "user=no_such_role_of_the_database"
	q "DROP ROLE IF EXISTS waiting; CREATE ROLE waiting LOGIN CONNECTION LIMIT 0"
	run -75 pg-extract -d "$db user=waiting"
	run -1 pg-extract -d "$db" --schema nowhere
	run -2 pg-extract -d "no=such option"
	for secret in top-secret p@ss:word ab; do
		run -2 pg-extract -d "postgres//me:$secret@host/db"
		[[ "$output" == *'cannot make out the connection string'* && "$output" != *"me:$secret"* ]]
	done
	run -2 pg-extract -d 'postgres://me:secret@[host/db'
	[[ "$output" == *'cannot make out the connection string'* && "$output" != *me:secret* ]]
	run -2 pg-extract -d "$db" --rows --exclude x --query 'SELECT 1' --table y
	q "CREATE TABLE more (x int, orders int)"
	run -1 pg-extract -d "$db" --query 'SELECT ordrs FROM more' --table y
	[[ "$output" == *'column "ordrs" does not exist'*'hint: Perhaps you meant'*'"more.orders"'* ]]
	run -2 pg-extract -d "$db" --rows
}

@test "a role that may not read is exit 77, and row security is an error instead of fewer rows" {
	q "CREATE TABLE t (x int); INSERT INTO t VALUES (1); DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN"
	run -77 pg-extract -d "$db user=reader" t
	[[ "$output" == *"permission denied"* ]]
	q "GRANT SELECT ON t TO reader; ALTER TABLE t ENABLE ROW LEVEL SECURITY"
	run pg-extract -d "$db user=reader" t
	[ "$status" -ne 0 ]
	[[ "$output" == *"row-level security"* ]]
	[[ "$output" != *'{"@end"'* ]]
}

@test "a server that goes away is exit 75 and leaves no @end" {
	q "CREATE TABLE t AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 200000)"
	mkfifo "$BATS_TEST_TMPDIR/p"
	pg-extract -d "$db" t >"$BATS_TEST_TMPDIR/p" 2>"$BATS_TEST_TMPDIR/err" & pid=$!
	exec 8<"$BATS_TEST_TMPDIR/p"
	read -r first <&8
	psql_at dbname=postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ext'"
	run bash -c "cat <&8 | tail -c 300"
	exec 8<&-
	status=0; wait $pid || status=$?
	cat "$BATS_TEST_TMPDIR/err"
	[ "$status" -eq 75 ]
	[[ "$output" != *'@end'* ]]
}

@test "a row longer than the limit is a clear error, not the end of memory" {
	q "CREATE TABLE t AS SELECT 1 AS id, repeat('x', 300) AS x UNION ALL SELECT 2, repeat('y', 5000000)"
	run -65 --separate-stderr pg-extract -d "$db" --max-row 1M t
	[[ "$stderr" == *'row 2 of table "t" is longer than 1048576 bytes'*"--max-row"* ]]
	[[ "$output" != *'{"@end"'* ]]
	q "UPDATE t SET x = repeat('z', 300000000) WHERE id = 2"
	run bash -c "/usr/bin/time -f 'rss %M' pg-extract -d '$db' t 2>&1 >/dev/null"
	[[ "$output" == *'row 2 of table "t" is longer than 268435456 bytes'* ]]
	run -0 bash -o pipefail -c "pg-extract -d '$db' --max-row 400M --rows t | tail -1 | wc -c"
	[ "$output" -eq $((300000000 + 16)) ]
}

@test "text that is not UTF-8 is refused, naming table, row and column" {
	psql -qX -d postgres -c "DROP DATABASE IF EXISTS ascii" -c "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
	PGCLIENTENCODING=SQL_ASCII psql -qX -d ascii -c "CREATE TABLE t (id int, x text)" -c "INSERT INTO t VALUES (1, 'ok'), (2, E'\\xff')"
	run -65 --separate-stderr pg-extract -d dbname=ascii t
	[[ "$stderr" == *'table "t": row 2: column "x": '*UTF-8* ]]
}

@test "an operator that strangers put into the schema of a query is not called by our own queries" {
	q "DROP ROLE IF EXISTS mallory; CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; CREATE TABLE t (id int, e interval(3))"
	psql -qX -v ON_ERROR_STOP=1 -d "$db user=mallory" <<-'X'
		CREATE FUNCTION trap(oid, regnamespace) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'mallory is %', current_user; END$$;
		CREATE OPERATOR <> (LEFTARG = oid, RIGHTARG = regnamespace, FUNCTION = trap);
		CREATE FUNCTION regexp_replace(text, varchar, varchar) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'mallory is %', current_user; END$$;
	X
	run -0 --separate-stderr pg-extract -d "$db" -q 'SELECT * FROM t' --table t
	[[ "${lines[0]}" == *'"id","type":"int4"'*'"type":"interval(3)"'* ]]
	q "DROP OWNED BY mallory; DROP ROLE mallory"
}

@test "names that mean something in SQL or JSON are names" {
	local name=$'a"\n); DROP TABLE canary; --'
	psql -qX -v ON_ERROR_STOP=1 -d "$db" -v "n=$name" -v "type=a $name" <<-'X'
		CREATE TABLE canary (a int);
		CREATE TYPE :"type" AS ENUM (:'n');
		CREATE TABLE :"n" (:"n" :"type" PRIMARY KEY);
		INSERT INTO :"n" VALUES (:'n');
	X
	local source=$db
	fresh_db names
	q 'CREATE TABLE canary (a int)'
	run -0 bash -o pipefail -c "pg-extract -d '$source' --exclude canary | pg-load -d '$db'"
	[ "$(psql -qXAt -d "$db" -v "n=$name" <<<"SELECT count(*) FROM :\"n\" WHERE :\"n\" = :'n'")" = 1 ]
	[ "$(q 'SELECT count(*) FROM canary')$(psql_at "$source" 'SELECT count(*) FROM canary')" = 00 ]
}

@test "an array whose elements are not set apart by commas is its text" {
	q "CREATE TYPE odd; CREATE FUNCTION odd_in(cstring) RETURNS odd LANGUAGE internal IMMUTABLE STRICT AS 'textin';
	   CREATE FUNCTION odd_out(odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
	   CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, LIKE = text, DELIMITER = ':');
	   CREATE TABLE t (o odd[], b box[]); INSERT INTO t VALUES ('{a:b}', '{(1,1),(0,0);(2,2),(0,0)}')"
	run -0 pg-extract -d "$db" t
	[[ "${lines[0]}" == *'"o","type":"text"'*'"type":"box[]"'* ]]
	[ "${lines[1]}" = '{"o":"{a:b}","b":["(1,1),(0,0)","(2,2),(0,0)"]}' ]
}

# what a server says of itself to whoever connects, and nothing more
claim_version() { python3 -c '
import socket, struct, sys
def message(kind, body): return kind + struct.pack("!i", len(body) + 4) + body
listener = socket.create_server(("127.0.0.1", 0))
listener.settimeout(20)
print(listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    while client.recv(4096)[4:8] != bytes([0, 3, 0, 0]): client.sendall(b"N")  # neither TLS nor GSS
    client.sendall(message(b"R", bytes(4)) + message(b"S", b"server_version\0" + sys.argv[1].encode() + b"\0")
        + message(b"Z", b"I"))
    client.recv(4096)
    client.close()' "$1"; }

@test "a server older than PostgreSQL 13 is refused by the name of the oldest that works" {
	claim_version 12.22 >"$BATS_TEST_TMPDIR/port" 3>&- & fake=$!
	until [ -s "$BATS_TEST_TMPDIR/port" ]; do sleep 0.1; done
	old="host=127.0.0.1 port=$(cat "$BATS_TEST_TMPDIR/port") connect_timeout=5"
	for command in "pg-extract -d '$old'" "pg-load -d '$old' --show-state"; do
		run -1 timeout 10 bash -c "$command"
		[[ "$output" == *': the server is PostgreSQL 12.22: PostgreSQL 13 is the oldest that works' ]]
		[ ${#lines[@]} = 1 ]
	done
	kill $fake
}

@test "both ends of a connection by TCP notice a network that has gone silent, as the user says or in minutes" {
	tcp="$db host=127.0.0.1"
	kept() { pg-extract -d "$1" --rows --table t -q "SELECT current_setting('tcp_keepalives_idle') AS idle, current_setting('tcp_keepalives_count') AS n"; }
	[ "$(kept "$tcp")" = '{"idle":"60","n":"6"}' ]
	[ "$(PGOPTIONS='-c tcp_keepalives_idle=33' kept "$tcp")" = '{"idle":"33","n":"6"}' ]
	# the kernel's timer of the client's end: kind 02 is keepalive, then the rest in 1/100 s
	timer() {
		timeout 20 pg-extract -d "$1" --rows --table t -q 'SELECT 1 FROM pg_sleep(2)' >/dev/null 3>&- & sleep 1
		awk -v port="$(printf ':%04X' "$PGPORT")" '$3 ~ port "$" && $4 == "01" { print $6 }' /proc/net/tcp
		wait $!
	}
	seconds() { local t; t=$(timer "$1"); [ "${t%:*}" = 02 ] && echo $((16#${t#*:} / 100)); }
	t=$(seconds "$tcp")
	[ "$t" -gt 50 ] && [ "$t" -le 60 ]
	t=$(seconds "$tcp keepalives_idle=400")
	[ "$t" -gt 390 ] && [ "$t" -le 400 ]
	printf '[far]\nkeepalives_idle=300\n' >"$BATS_TEST_TMPDIR/services"
	t=$(PGSERVICEFILE=$BATS_TEST_TMPDIR/services seconds "$tcp service=far")
	[ "$t" -gt 290 ] && [ "$t" -le 300 ]
}
