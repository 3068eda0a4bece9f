#!/usr/bin/env bats
# pg-load - rows into tables of a PostgreSQL warehouse

load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	fresh_db load
	export PGDATABASE=load
}

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# One table "staff" upserted by id, the rows of standard input, a state and the end.
staff() {
	local rows=$(cat)
	echo '{"@table":"staff","columns":[{"name":"id","type":"int4","notnull":true},{"name":"name","type":"text"},{"name":"pay","type":"numeric"}],"key":["id"],"mode":"full"}'
	[ -z "$rows" ] || echo "$rows"
	echo "{\"@state\":{\"at\":${1:-1}}}"
	echo "{\"@end\":{\"rows\":{\"staff\":$(grep -c . <<<"$rows")}}}"
}

# One fact "sale" with history.
sale() {
	local rows=$(cat)
	echo '{"@table":"sale","columns":[{"name":"record","type":"int4","notnull":true,"generated":"serial"},{"name":"id","type":"int4","notnull":true},{"name":"units","type":"int4"},{"name":"note","type":"json"}],"key":["id"],"mode":"full","load":"history"}'
	echo "$rows"
	echo "{\"@end\":{\"rows\":{\"sale\":$(grep -c . <<<"$rows")}}}"
}

# What a test that must change nothing compares.
contents() {
	sql -c "SELECT xmin, * FROM staff ORDER BY id" -c "SELECT source, steps, state FROM starpipe_state"
}

two_staff() {
	printf '%s\n' '{"id":1,"name":"Ann","pay":1.0}' '{"id":2,"name":"Bob","pay":2}'
}

@test "a missing table is created as announced" {
	run -0 --separate-stderr pg-load <<-'X'
		{"@table":"b","columns":[{"name":"Key \"1\"","type":"int8","notnull":true},{"name":"a","type":"varchar(3)"},{"name":"j","type":"jsonb[]"}],"key":["Key \"1\"","a"],"mode":"full"}
		{"Key \"1\"":1,"a":"x","j":[{"a":1},null]}
		{"@end":{"rows":{"b":1}}}
	X
	[ -z "$stderr" ]
	run -0 sql -c "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'b'::regclass AND attnum > 0 ORDER BY attnum"
	[ "${lines[0]}" = 'Key "1"|bigint|t' ]
	[ "${lines[1]}" = 'a|character varying(3)|t' ]
	[ "${lines[2]}" = 'j|jsonb[]|f' ]
	[ "$(sql -c "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'b'::regclass AND contype = 'p'")" = 'PRIMARY KEY ("Key ""1""", a)' ]
	[ "$(sql -c 'TABLE b')" = '1|x|{"{\"a\": 1}",NULL}' ]
}

@test "a missing schema is created, and a keyword is a name like any other" {
	echo '{"select":1}' | pg-load --schema 'My "own"' --table table
	[ "$(sql -c 'SELECT "select" FROM "My ""own"""."table"')" = 1 ]
}

@test "an equal row is not touched, a changed one is, a new one is inserted, a vanished one stays" {
	two_staff | staff | pg-load
	before=$(sql -c 'SELECT xmin, xmax FROM staff WHERE id = 1')
	printf '%s\n' '{"id":1,"name":"Ann","pay":1.0}' '{"id":3,"name":"Cy"}' | staff >in
	run -0 pg-load <in
	[[ $output == *'"inserted":1,"updated":0,"unchanged":1,"deleted":0'* ]]
	printf '%s\n' '{"id":3,"name":"Cyd"}' | staff >in
	run -0 pg-load <in
	[[ $output == *'"inserted":0,"updated":1,"unchanged":0'* ]]
	[ "$(sql -c 'SELECT xmin, xmax FROM staff WHERE id = 1')" = "$before" ]
	[ "$(sql -c 'SELECT id, name, pay FROM staff ORDER BY id')" = $'1|Ann|1.0\n2|Bob|2\n3|Cyd|' ]
}

@test "values are compared as they are stored: 1.0 and 1.00 differ" {
	two_staff | staff | pg-load
	echo '{"id":1,"name":"Ann","pay":1.00}' | staff >in
	run -0 pg-load <in
	[[ $output == *'"updated":1,'* ]]
	[ "$(sql -c 'SELECT pay FROM staff WHERE id = 1')" = 1.00 ]
}

@test "types without an equality of their own are compared too" {
	for v in 1 1 2; do
		cat >in <<-X
			{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"j","type":"json"},{"name":"x","type":"xml"},{"name":"p","type":"point"},{"name":"b","type":"box"}],"key":["id"],"mode":"full"}
			{"id":1,"j":{"a":$v},"x":"<a/>","p":"(1,2)","b":"(3,4),(1,2)"}
			{"@end":{"rows":{"t":1}}}
		X
		run -0 pg-load <in
		echo "$output" | grep -o '"inserted":.,"updated":.' >>counts
	done
	[ "$(tr '\n' ' ' <counts)" = '"inserted":1,"updated":0 "inserted":0,"updated":0 "inserted":0,"updated":1 ' ]
}

@test "the last of several rows of one key wins" {
	printf '%s\n' '{"id":1,"name":"a"}' '{"id":2,"name":"b"}' '{"id":1,"name":"c"}' '{"id":1,"name":"d"}' | staff >in
	for run in first second; do
		pg-load <in
		[ "$(sql -c 'SELECT id, name FROM staff ORDER BY id')" = $'1|d\n2|b' ]
	done
}

@test "a history gets a row for each version, in the order of the stream, and none for a repeat" {
	printf '%s\n' '{"id":1,"units":5,"note":null}' '{"id":2,"units":1}' '{"id":1,"units":5}' '{"id":1,"units":6}' | sale | pg-load
	[ "$(sql -c 'SELECT record, id, units FROM sale ORDER BY record')" = $'1|1|5\n2|2|1\n3|1|6' ]
	printf '%s\n' '{"id":1,"units":6}' '{"id":2,"units":1}' | sale >in
	run -0 pg-load <in
	[[ $output == *'"inserted":0,'*'"unchanged":2'* ]]
	printf '%s\n' '{"id":2,"units":1}' '{"id":1,"units":5}' | sale | pg-load
	printf '%s\n' '{"id":1,"units":5,"note":{}}' | sale | pg-load
	# A, B, A again: three versions; no number of the sequence was spent on a repeat
	[ "$(sql -c 'SELECT record, units, note FROM sale WHERE id = 1 ORDER BY record')" = $'1|5|\n3|6|\n4|5|\n5|5|{}' ]
}

@test "versions that come again are told from the same ones anew by where the state began" {
	# step SINCE LSN VERSION... - a step of changes of key 1, from one position of the log to another
	step() {
		local since=$1 lsn=$2 v
		shift 2
		echo '{"@table":"h","columns":[{"name":"r","type":"int4","generated":"serial"},{"name":"id","type":"int4"},{"name":"v","type":"text"}],"key":["id"],"mode":"changes","load":"history"}'
		for v; do echo "{\"id\":1,\"v\":\"$v\"}"; done
		echo "{\"@state\":{\"source\":\"postgresql\",\"system\":\"1\",\"timeline\":1,\"database\":\"d\",\"lsn\":\"$lsn\",\"since\":\"$since\"}}"
		echo "{\"@end\":{\"rows\":{\"h\":$#}}}"
	}
	versions() { [ "$(sql -c "SELECT string_agg(v, '' ORDER BY r) FROM h")" = "$1" ]; }
	step 0/0 0/10 A B | pg-load
	step 0/0 0/10 A B | pg-load # the same run again
	versions AB
	step 0/10 0/20 A B | pg-load # changed to and fro since
	versions ABAB
	step 0/10 0/30 A B C | pg-load # from an older state, and a little further
	versions ABABC
}

@test "the newest version of a key is found by an index" {
	seq 1 20000 | sed 's/.*/{"id":&,"units":1}/' | sale | pg-load
	sql -c "ANALYZE sale"
	run -0 sql -c "EXPLAIN SELECT units FROM sale WHERE id = 7 ORDER BY record DESC LIMIT 1"
	[[ $output == *"Index Scan Backward using sale_id_record_idx"* ]]
}

@test "an identity column numbers a history as a serial one does" {
	for i in 1 2; do
		cat <<-X | pg-load
			{"@table":"f","columns":[{"name":"id","type":"int4"},{"name":"n","type":"int8","generated":"identity"}],"key":["id"],"mode":"full","load":"history"}
			{"id":$i}
			{"@end":{"rows":{"f":1}}}
		X
	done
	[ "$(sql -c 'TABLE f')" = $'1|1\n2|2' ]
	[ "$(sql -c "SELECT attidentity, atttypid::regtype FROM pg_attribute WHERE attrelid = 'f'::regclass AND attname = 'n'")" = 'd|bigint' ]
}

@test "parents go before children, whatever the order of the stream" {
	cat >in <<-'X'
		{"@table":"child","columns":[{"name":"id","type":"int4"},{"name":"parent_id","type":"int4"}],"key":["id"],"foreign":[{"columns":["parent_id"],"table":"parent","references":["id"]}],"mode":"full"}
		{"id":1,"parent_id":7}
		{"@table":"parent","columns":[{"name":"id","type":"int4"}],"key":["id"],"mode":"full"}
		{"id":7}
		{"@end":{"rows":{"child":1,"parent":1}}}
	X
	pg-load <in
	[ "$(sql -c "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'")" = \
		'child_parent_id_fkey|FOREIGN KEY (parent_id) REFERENCES parent(id)' ]
	sed 's/7/8/; s/"id":1,/"id":2,/' in >again # both tables are there now, with the key between them
	pg-load <again
	[ "$(sql -c 'SELECT * FROM child ORDER BY id')" = $'1|7\n2|8' ]
}

@test "tables that refer to each other, or to themselves, load and load again" {
	for n in 1 2; do
		cat <<-X | pg-load
			{"@table":"a","columns":[{"name":"id","type":"int4"},{"name":"b","type":"int4"},{"name":"next","type":"int4"}],"key":["id"],"foreign":[{"columns":["b"],"table":"b","references":["id"]},{"columns":["next"],"table":"a","references":["id"]}],"mode":"full"}
			{"@table":"b","columns":[{"name":"id","type":"int4"},{"name":"a","type":"int4"}],"key":["id"],"foreign":[{"columns":["a"],"table":"a","references":["id"]}],"mode":"full"}
			{"id":$n,"a":$n}
			{"@table":"a"}
			{"id":1,"b":$n,"next":$n}
			{"id":$n,"b":$n}
			{"@end":{"rows":{"a":2,"b":1}}}
		X
	done
	[ "$(sql -c "SELECT count(*) FROM pg_constraint WHERE contype = 'f'" -c 'SELECT * FROM a ORDER BY id')" = $'3\n1|2|2\n2|2|' ]
}

@test "a foreign key to a table that is not there is left out, and -v says so" {
	cat >in <<-'X'
		{"@table":"child","columns":[{"name":"id","type":"int4"},{"name":"parent_id","type":"int4"}],"key":["id"],"foreign":[{"columns":["parent_id"],"table":"parent","references":["id"]}],"mode":"full"}
		{"@end":{"rows":{"child":0}}}
	X
	run -0 --separate-stderr pg-load -v <in
	[[ $stderr == *'"child" gets no foreign key'*'"parent"'* ]]
}

@test "a foreign key of several columns is found however the warehouse sorts text" {
	psql -qX -d postgres -c 'DROP DATABASE IF EXISTS sorted WITH (FORCE)' \
		-c "CREATE DATABASE sorted TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
	PGDATABASE=sorted pg-load <<-'X'
		{"@table":"parent","columns":[{"name":"B","type":"int4"},{"name":"a","type":"int4"}],"key":["B","a"],"mode":"full"}
		{"@table":"child","columns":[{"name":"id","type":"int4"},{"name":"x","type":"int4"},{"name":"y","type":"int4"}],"key":["id"],"foreign":[{"columns":["x","y"],"table":"parent","references":["B","a"]}],"mode":"full"}
		{"@end":{"rows":{"parent":0,"child":0}}}
	X
	[ "$(sql -d sorted -c "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'")" = \
		'FOREIGN KEY (x, y) REFERENCES parent("B", a)' ]
}

@test "a table without a key is replaced, and only if it differs" {
	none() { printf '%s\n' '{"@table":"n","columns":[{"name":"a","type":"int4"},{"name":"j","type":"json"}],"mode":"full"}' "$@" "{\"@end\":{\"rows\":{\"n\":$#}}}"; }
	none '{"a":1,"j":{}}' '{"a":1,"j":{}}' '{"a":2}' | pg-load
	run -0 pg-load < <(none '{"a":2}' '{"a":1,"j":{}}' '{"a":1,"j":{}}')
	[[ $output == *'"inserted":0,"updated":0,"unchanged":3,"deleted":0'* ]]
	run -0 pg-load < <(none '{"a":2}' '{"a":2}' '{"a":1,"j":{}}')
	[[ $output == *'"inserted":3,"updated":0,"unchanged":0,"deleted":3'* ]]
	[ "$(sql -c 'SELECT * FROM n ORDER BY a')" = $'1|{}\n2|\n2|' ]
	none | pg-load
	[ "$(sql -c 'SELECT count(*) FROM n')" = 0 ]
}

@test "a table without columns can have rows" {
	pg-load <<<$'{"@table":"t","columns":[],"mode":"full"}\n{}\n{}\n{"@end":{"rows":{"t":2}}}'
	[ "$(sql -c 'SELECT count(*) FROM t')" = 2 ]
}

@test "changes of a table without a key are refused" {
	run -65 pg-load <<<'{"@table":"n","columns":[{"name":"a","type":"int4"}],"mode":"changes"}'
	[[ $output == *'"n"'*'no key'*"'pg-extract --full n'"* ]]
}

@test "an existing table's types and columns rule" {
	sql -c "CREATE DOMAIN code AS varchar(3); CREATE TABLE staff (extra int DEFAULT 7, pay float8, name code, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, twice float8 GENERATED ALWAYS AS (pay * 2) STORED)"
	two_staff | staff | pg-load
	[ "$(sql -c 'SELECT * FROM staff ORDER BY id')" = $'7|1|Ann|1|2\n7|2|Bob|2|4' ]
	printf '%s\n' '{"id":3,"name":"Cy"}' '{"id":4,"name":"Dora"}' | staff >in
	run -65 pg-load <in
	[[ $output == *'line 3 (table "staff")'*'column "name"'*'too long'* ]]
}

@test "a value that the warehouse computes may be in the stream, and is not loaded" {
	sql -c "CREATE TABLE staff (id int PRIMARY KEY, name text, pay numeric GENERATED ALWAYS AS (id * 2) STORED)"
	two_staff | staff | pg-load
	[ "$(sql -c 'SELECT * FROM staff ORDER BY id')" = $'1|Ann|2\n2|Bob|4' ]
}

@test "columns that the warehouse lacks are an error with the statement that adds them" {
	sql -c "CREATE TABLE staff (id int PRIMARY KEY); INSERT INTO staff VALUES (7)"
	two_staff | staff | sed 's/"type":"text"/&,"notnull":true/' >in
	run -65 --separate-stderr pg-load <in
	[[ $stderr == *'table "staff"'*'lacks'*'"name", "pay"'* ]]
	[[ $stderr == *'hint: ALTER TABLE "public"."staff" ADD COLUMN "name" pg_catalog."text"; ALTER TABLE "public"."staff" ADD COLUMN "pay" pg_catalog."numeric";'* ]]
	[ -z "$output" ]
	sql -c "$(sed -n 's/.*hint: //p' <<<"$stderr")"
	run -0 pg-load <in
}

@test "bare rows make a table, and replace it the next time" {
	printf '%s\n' '{"a":1.50,"b":true,"c":"x","d":{"e":1},"f":null}' '{"a":2}' | pg-load --table t
	[ "$(sql -c "SELECT string_agg(format_type(atttypid, -1), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0")" = 'numeric boolean text jsonb text' ]
	[ "$(sql -c 'SELECT * FROM t ORDER BY a')" = $'1.50|t|x|{"e": 1}|\n2||||' ]
	echo '{"a":3}' | pg-load --table t
	[ "$(sql -c 'SELECT a FROM t')" = 3 ]
	pg-load --table t </dev/null
	[ "$(sql -c 'SELECT a FROM t')" = 3 ]
}

@test "bare rows with the primary key of their table are upserted" {
	sql -c "CREATE TABLE t (v text, k2 int, k1 text, PRIMARY KEY (k1, k2)); INSERT INTO t VALUES ('old', 1, 'a'), ('stays', 2, 'a')"
	printf '%s\n' '{"k1":"a","k2":1,"v":{"any":"json"}}' '{"k1":"b","k2":1,"v":5}' | pg-load --table t
	[ "$(sql -c 'SELECT * FROM t ORDER BY k1, k2')" = $'{"any":"json"}|1|a\nstays|2|a\n5|1|b' ]
}

@test "bare rows without --table are refused, and --framed refuses --table" {
	run -65 pg-load <<<'{"a":1}'
	[[ $output == *"--table"* ]]
	run -2 pg-load --framed --table t </dev/null
	run -76 pg-load --framed </dev/null
}

@test "a primary key is its key columns, not what its index includes" {
	sql -c "CREATE TABLE p (id int, v text, PRIMARY KEY (id) INCLUDE (v)); INSERT INTO p VALUES (1, 'a')"
	pg-load --table p <<<'{"id":1,"v":"b"}'
	[ "$(sql -c 'TABLE p')" = '1|b' ]
}

@test "a key that is not unique in the warehouse is counted for what it is" {
	sql -c "CREATE TABLE staff (id int, name text, pay numeric); INSERT INTO staff VALUES (1), (1), (1), (1)"
	run -0 pg-load < <(two_staff | staff)
	[[ $output == *'"inserted":1,"updated":4,"unchanged":0,'* ]]
}

@test "a producer that dies changes nothing, and the exit code is 76" {
	two_staff | staff 5 | pg-load
	before=$(contents)
	printf '%s\n' '{"id":1,"name":"other"}' '{"id":9,"name":"new"}' | staff 6 >in
	for lines in 1 2 3 4; do # after the table, each row, and the state
		run -76 --separate-stderr pg-load --state-out state < <(head -$lines in)
		[ -z "$output" ]
		[ "$(contents)" = "$before" ]
	done
	run -76 pg-load < <(head -c -20 in)
	[ "$(contents)" = "$before" ]
	sed 's/"staff":2/"staff":3/' in >wrong
	run -76 pg-load --state-out state <wrong
	[[ $output == *'"staff" has 2 rows where @end says 3'* ]]
	[ "$(contents)" = "$before" ]
	[ ! -e state ]
}

@test "steps are committed one by one, each with its state" {
	{
		two_staff | staff 1 | grep -v @end
		echo '{"id":3,"name":"Cy"}'
		echo '{"@state":{"at":2}}'
		echo '{"id":4,"name":"Dan"}'
	} >in
	run -76 --separate-stderr pg-load --state-out state <in
	[[ $output == *'"steps":2,"rows":{"staff":3}'*'"state":{"at":2}}' ]]
	[ "$(cat state)" = '{"at":2}' ]
	[ "$(sql -c 'SELECT count(*) FROM staff')" = 3 ]
	echo '{"@end":{"rows":{"staff":4}}}' >>in # rows behind the last state
	run -0 --separate-stderr pg-load <in
	[[ $output == *'"steps":3,"rows":{"staff":4}'*'"inserted":1,'*'"state":{"at":2}}' ]]
	[ "$(sql -c 'SELECT steps FROM starpipe_state')" = 5 ]
}

@test "the state is committed with the rows, printed byte for byte, and written to a file" {
	[ "$(pg-load --show-state)" = '{}' ]
	two_staff | staff | sed 's/{"at":1}/{"n":1.10, "t":"\\u0001é"}/' >in
	run -0 --separate-stderr pg-load --state-out state <in
	[[ $output == '{"tool":"pg-load","source":"default","steps":1,"rows":{"staff":2},"inserted":2,"updated":0,"unchanged":0,"deleted":0,"bytes":'*',"seconds":0.'*',"state":{"n":1.10, "t":"\u0001é"}}' ]]
	jq -e . <<<"$output"
	[ "$(cat state)" = '{"n":1.10, "t":"\u0001é"}' ]
	[ "$(pg-load --show-state)" = "$(cat state)" ]
	[ "$(sql -c "SELECT receipt->'rows'->>'staff' FROM starpipe_state")" = 2 ]
	# no state in the stream: the last one stays
	two_staff | staff | grep -v @state | pg-load
	[ "$(pg-load --show-state)" = "$(cat state)" ]
	[ "$(pg-load --show-state --source other)" = '{}' ]
}

@test "a state file that cannot be written is an error that says what was committed" {
	two_staff | staff >in
	run -1 --separate-stderr pg-load --state-out no/such/folder/state <in
	[[ $stderr == *"the warehouse is committed, but: could not create"* ]]
	[ "$(sql -c 'SELECT count(*) FROM staff')" = 2 ]
	jq -e '.steps == 1' <<<"$output"
}

@test "a second pg-load exits 73 and changes nothing, other sources go on" {
	mkfifo hold
	pg-load <hold &
	exec 7>hold
	two_staff | staff | head -2 >&7
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" = 1 ]; do sleep 0.1; done
	echo '{"id":5}' | staff 9 >in
	run -73 --separate-stderr pg-load <in
	[ -z "$output" ]
	[[ $stderr == *"another pg-load"*"nothing was changed"* ]]
	echo '{"a":1}' | pg-load --source other --table t
	echo '{"a":1}' | pg-load --schema other --table t
	two_staff | staff | tail -n +3 >&7
	exec 7>&-
	wait $!
	[ "$(sql -c 'SELECT id FROM staff ORDER BY id')" = $'1\n2' ]
}

@test "who waits for the lock while another commits has lost" {
	two_staff | staff 1 | pg-load
	mkfifo hold
	pg-load <hold &
	exec 7>hold
	two_staff | staff 2 | head -2 >&7
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" = 1 ]; do sleep 0.1; done
	echo '{"id":5}' | staff 9 >in
	pg-load <in >second.out 2>second.err 7>&- &
	second=$!
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")" = 1 ]; do sleep 0.1; done
	two_staff | staff 2 | tail -n +3 >&7
	exec 7>&-
	rc=0; wait $second || rc=$?
	[ $rc = 73 ]
	[ "$(sql -c 'SELECT id FROM staff ORDER BY id')" = $'1\n2' ]
	[ "$(pg-load --show-state)" = '{"at":2}' ]
}

# A state of a PostgreSQL source whose snapshot is $1.
at_snapshot() {
	sed 's/{"at":[0-9]*}/{"source":"postgresql","system":"7","timeline":1,"database":"shop","snapshot":"'"$1"'"}/'
}

@test "a state only moves forward: an older one exits 73 and changes nothing" {
	two_staff | staff | at_snapshot 20:20: | pg-load
	before=$(contents)
	echo '{"id":9,"name":"late"}' | staff | at_snapshot 10:19: >in
	run -73 --separate-stderr pg-load --state-out state <in
	[ -z "$output" ]
	[[ $stderr == *"the warehouse has a later state"* ]]
	[ "$(contents)" = "$before" ]
	[ ! -e state ]
	# the same state is a run again, a later one goes on, and other sources have states of their own
	two_staff | staff | at_snapshot 20:20: | pg-load
	echo '{"id":3}' | staff | at_snapshot 20:21: | pg-load
	pg-load --source other <in
	[ "$(sql -c 'SELECT count(*) FROM staff')" = 4 ]
	# a cluster that is another one has a time of its own
	sed 's/"system":"7"/"system":"8"/' in | pg-load
	[ "$(pg-load --show-state | jq -r .system)" = 8 ]
}

@test "a run without a state, after one for which all rows were read again, is exit 65 with what to type" {
	fresh_db origin
	q "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)"
	echo '{"source":"postgresql","system":"1","timeline":1,"database":"x","schema":"public","snapshot":"9:9:"}' >state
	pg-extract -d "$db" --state state >again
	pg-extract -d "$db" >anew
	pg-load <again
	s3-put "file://$PWD/lake/" <again
	for load in pg-load "s3-put file://$PWD/lake/"; do
		before=$($load --show-state)
		run -65 --separate-stderr $load <anew
		[[ "$stderr" == *"nothing was changed"*"--show-state"*"--state"* ]]
		[ "$($load --show-state)" = "$before" ]
		pg-extract -d "$db" --state <(echo "$before") | $load # what the hint says
	done
	# a race is one all the same
	jq -c 'if .["@state"] then .["@state"] |= (del(.generation) | .since = "1:1:") else . end' again >since
	run -73 pg-load <since
}

@test "a number without a fraction is an integer, however it is written; one with a fraction is refused" {
	columns='{"name":"s","type":"int2"},{"name":"i","type":"int4"},{"name":"b","type":"int8"},{"name":"a","type":"int4[]"},{"name":"n","type":"numeric"}'
	whole() {
		echo '{"@table":"w","columns":['"$columns"']}'
		echo '{"s":2.0,"i":-1.50e1,"b":9223372036854775807.000,"a":[3.0,4],"n":2.0}'
		echo '{"s":3276.7e1,"i":0.0,"b":-92233720368547758.08e2,"a":[null,-0.0],"n":1e2}'
		echo '{"@end":{"rows":{"w":2}}}'
	}
	whole | pg-load
	sql -c "COPY w TO STDOUT" | diff - <(printf '2\t-15\t9223372036854775807\t{3,4}\t2.0\n32767\t0\t-9223372036854775808\t{NULL,0}\t100\n')
	columns=${columns/'{"name":"a","type":"int4[]"},'/} # also in a star and in Parquet
	echo "CREATE TABLE v (s int2, i int4, b int8, n numeric); INSERT INTO v SELECT s, i, b, n FROM w;" >star.sql
	whole | sed 's/"a":[^]]*],//' >whole
	star-transform star.sql <whole | grep -v @ >out
	diff out - <<-'END'
	{"s":2,"i":-15,"b":9223372036854775807,"n":2.0}
	{"s":32767,"i":0,"b":-9223372036854775808,"n":1e2}
	END
	jsonl2parquet --numeric-as string <whole >w.parquet
	parquet2jsonl w.parquet | grep -v @ | jq -c 'del(.n)' | diff - <(jq -c 'del(.n)' out)
	for bad in 2.5 20000000000000000000.0 1e19 1e-1 32768.0 9e99999999999; do
		sed "s/2.0,/$bad,/" whole >bad
		run -65 pg-load <bad
		run -65 star-transform star.sql <bad
		run -65 jsonl2parquet --numeric-as string <bad
	done
}

@test "a bare row needs no last line break if it is whole, a frame does; an array is told how to become rows" {
	printf '{"x":1}\n{"x":2}' | pg-load --table bare
	[ "$(sql -c "SELECT string_agg(x::text, ',' ORDER BY x) FROM bare")" = 1,2 ]
	printf '{"x":3}' | pg-load --table bare
	[ "$(sql -c "SELECT x FROM bare")" = 3 ]
	for cut in '{"x":4}\n{"x":5' '{"x":4}\n{"x":"}' '{"x"' '{"x":4}\n4'; do
		run -76 bash -c "printf '$cut' | pg-load --table bare"
		[[ "$output" == *"no line break ends it"*"hint: "* ]]
	done
	echo '{"id":9}' | staff | head -c -1 >cut
	run -76 pg-load <cut
	[[ "$output" == *"no line break ends it"*"hint: "*"@end, needs a line break." ]]
	for array in '[{"x":6}]' '[{"x":6}]\n' '[\n{"x":6}\n]\n'; do
		run -65 bash -c "printf '$array' | pg-load --table bare"
		[[ "$output" == *"jq -c '.[]'"* ]]
	done
	[ "$(sql -c "SELECT x FROM bare")" = 3 ]
}

@test "of two runs at once exactly one commits, the other exits 73" {
	for try in 1 2 3 4 5; do
		echo '{"id":1,"name":"a'$try'"}' | staff ${try}1 >a
		echo '{"id":1,"name":"b'$try'"}' | staff ${try}2 >b
		mkfifo go.a go.b
		pg-load <go.a >a.out 2>a.err & a=$!
		pg-load <go.b >b.out 2>b.err & b=$!
		exec 7>go.a 8>go.b
		until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" = 2 ]; do sleep 0.05; done
		cat a >&7 & cat b >&8 &
		exec 7>&- 8>&-
		rc_a=0; wait $a || rc_a=$?
		rc_b=0; wait $b || rc_b=$?
		rm go.a go.b
		case "$rc_a $rc_b" in
		"0 73") won=a; lost=b ;;
		"73 0") won=b; lost=a ;;
		*) cat a.err b.err; false ;;
		esac
		[ ! -s $lost.out ]
		[ "$(sql -c 'SELECT name FROM staff')" = $won$try ]
		[ "$(pg-load --show-state)" = "{\"at\":$try$([ $won = a ] && echo 1 || echo 2)}" ]
		[ "$(sql -c 'SELECT steps FROM starpipe_state')" = $try ]
	done
}

@test "--empty skip exits 99 when there was no row, with state and receipt all the same" {
	two_staff | staff | pg-load
	staff 2 </dev/null >in
	run -0 --separate-stderr pg-load <in
	run -99 --separate-stderr pg-load --empty skip --state-out state < <(sed s/2/3/ in)
	[ -z "$stderr" ]
	[[ $output == *'"rows":{"staff":0},"inserted":0,'*'"state":{"at":3}}' ]]
	[ "$(cat state)" = '{"at":3}' ]
	[ "$(pg-load --show-state)" = '{"at":3}' ]
	# a row that changes nothing is a row
	two_staff | staff >in
	run -0 pg-load --empty skip <in
	run -99 pg-load --empty skip --table t </dev/null
	run -2 pg-load --empty sometimes <in
	[[ $output == *'--empty is ok or skip'* ]]
}

@test "an announced table without a row is created, and costs no temporary table" {
	sql -c "CREATE ROLE poor LOGIN" -c "GRANT CREATE ON SCHEMA public TO poor" \
		-c "REVOKE TEMPORARY ON DATABASE load FROM public"
	staff </dev/null >in
	PGUSER=poor pg-load <in
	PGUSER=poor pg-load <in
	[ "$(sql -c 'SELECT count(*) FROM staff')" = 0 ]
	two_staff | staff >in
	run -77 env PGUSER=poor pg-load <in # so this is what it needs the right for
	sql -c "DROP OWNED BY poor" -c "DROP ROLE poor"
}

@test "a table announced again may come in another mode, step by step" {
	announce() { echo '{"@table":"n","columns":[{"name":"a","type":"int4"}],"mode":"'$1'"}'; }
	{
		announce full; echo '{"a":1}'; echo '{"@state":{"at":1}}'
		announce full; echo '{"a":2}'; echo '{"@state":{"at":2}}'
		announce changes; echo '{"a":3}'; echo '{"@state":{"at":3}}'
		echo '{"@end":{"rows":{"n":3}}}'
	} >in
	run -65 --separate-stderr pg-load <in
	[[ $stderr == *'"n"'*'no key'* ]]
	[[ $output == *'"steps":2,'*'"state":{"at":2}}' ]]
	[ "$(sql -c 'TABLE n')" = 2 ]
	two_staff | staff 1 | grep -v @end >in
	two_staff | sed s/Bob/Rob/ | staff 2 | sed 's/"full"/"changes"/; s/"staff":2/"staff":4/' >>in
	run -0 --separate-stderr pg-load <in
	[[ $output == *'"steps":2,"rows":{"staff":4},"inserted":2,"updated":1,"unchanged":1,'* ]]
}

@test "a stream of many steps commits each of them" {
	{
		staff </dev/null | head -1
		for i in $(seq 200); do
			echo '{"@table":"staff"}'
			echo '{"id":'$((i % 7))',"pay":'$i'}'
			echo '{"@state":{"at":'$i'}}'
		done
		echo '{"@end":{"rows":{"staff":200}}}'
	} >in
	run -0 --separate-stderr pg-load <in
	[[ $output == *'"steps":200,"rows":{"staff":200},"inserted":7,"updated":193,'*'"state":{"at":200}}' ]]
	[ "$(sql -c 'SELECT steps FROM starpipe_state' -c 'SELECT sum(pay) FROM staff')" = $'200\n1379' ]
}

# Events by one letter each, a line for each argument: r3=5 is a row with id 3 and units 5, d3 the delete of
# id 3, t a truncate, s a state. The first argument announces: upsert or history.
events() {
	local kind=$1 rows=0 n=0 event columns='{"name":"id","type":"int4","notnull":true},{"name":"units","type":"int4"}'
	[ "$kind" = upsert ] || columns='{"name":"record","type":"int4","notnull":true,"generated":"serial"},'$columns
	echo '{"@table":"sale","columns":['"$columns"'],"key":["id"],"mode":"changes","load":"'"$kind"'"}'
	shift
	for event; do
		case $event in
		r*) event=${event#r}; echo '{"id":'${event%=*}',"units":'${event#*=}'}'; rows=$((rows + 1)) ;;
		d*) echo '{"@delete":"sale","key":{"id":'${event#d}'}}' ;;
		t) echo '{"@delete":"sale"}' ;;
		s) n=$((n + 1)); echo '{"@state":{"at":'$n'}}' ;;
		esac
	done
	echo '{"@end":{"rows":{"sale":'$rows'}}}'
}

@test "deletes of upserted rows: the last event of a key in a step wins" {
	events upsert r1=1 r2=2 r3=3 r4=4 | pg-load
	before=$(sql -c 'SELECT xmin FROM sale WHERE id = 4')
	events upsert d1 d2 r2=5 r3=6 d3 d9 r8=8 d8 r7=7 r4=4 >in
	run -0 pg-load <in
	[[ $output == *'"rows":{"sale":5},"inserted":1,"updated":1,'*'"deleted":2,'* ]]
	[ "$(sql -c 'SELECT * FROM sale ORDER BY id')" = $'2|5\n4|4\n7|7' ]
	[ "$(sql -c 'SELECT xmin FROM sale WHERE id = 4')" = "$before" ]
	[ "$(sql -c "SELECT count(*) FROM pg_attribute WHERE attrelid = 'sale'::regclass AND attname = '_deleted'")" = 0 ]
}

@test "marked deletes of upserted rows keep the row, which comes back with its key" {
	events upsert r1=1 r2=2 r3=3 | pg-load --on-delete mark
	events upsert d9 | pg-load --on-delete mark # an unknown key is no reason for a column
	[ "$(sql -c "SELECT count(*) FROM pg_attribute WHERE attrelid = 'sale'::regclass AND attname = '_deleted'")" = 0 ]
	events upsert d1 r2=5 d2 r4=4 d4 >in
	run -0 pg-load --on-delete mark <in
	[[ $output == *'"deleted":3,'* ]]
	[ "$(sql -c 'SELECT * FROM sale ORDER BY id')" = $'1|1|t\n2|5|t\n3|3|f\n4|4|t' ]
	[ "$(sql -c "SELECT format_type(atttypid, -1), attnotnull FROM pg_attribute WHERE attrelid = 'sale'::regclass AND attname = '_deleted'")" = 'boolean|t' ]
	before=$(sql -c 'SELECT xmin, * FROM sale ORDER BY id')
	events upsert d1 d2 >in
	run -0 pg-load --on-delete mark <in
	[[ $output == *'"deleted":0,'* ]]
	[ "$(sql -c 'SELECT xmin, * FROM sale ORDER BY id')" = "$before" ]
	events upsert r1=1 | pg-load # also where the step has no delete
	events upsert d2 r2=5 d3 | pg-load --on-delete mark
	[ "$(sql -c 'SELECT * FROM sale ORDER BY id')" = $'1|1|f\n2|5|f\n3|3|t\n4|4|t' ]
	events upsert d3 | pg-load
	[ "$(sql -c 'SELECT * FROM sale ORDER BY id')" = $'1|1|f\n2|5|f\n4|4|t' ]
}

@test "a delete of a history's key is one more version, and so is the same row when it comes again" {
	events history r1=1 r2=2 r2=3 | pg-load
	events history d9 | pg-load
	[ "$(sql -c 'SELECT * FROM sale ORDER BY record')" = $'1|1|1\n2|2|2\n3|2|3' ]
	events history d1 d2 d2 r5=5 d5 d9 >in
	run -0 pg-load <in
	[[ $output == *'"rows":{"sale":1},"inserted":1,"updated":0,"unchanged":0,"deleted":3,'* ]]
	[ "$(sql -c 'SELECT id, units, _deleted FROM sale ORDER BY id, record')" = $'1|1|f\n1|1|t\n2|2|f\n2|3|f\n2|3|t\n5|5|f\n5|5|t' ]
	events history d1 d2 d5 d9 >in
	run -0 pg-load <in
	[[ $output == *'"inserted":0,'*'"deleted":0,'* ]]
	events history r1=1 r2=4 d2 r2=4 r2=4 | pg-load
	[ "$(sql -c 'SELECT id, units, _deleted FROM sale WHERE id < 3 ORDER BY id, record')" = $'1|1|f\n1|1|t\n1|1|f\n2|2|f\n2|3|f\n2|3|t\n2|4|f\n2|4|t\n2|4|f' ]
	events history r1=1 r2=4 >in # no delete in the step: the newest versions are not deleted, and equal
	run -0 pg-load <in
	[[ $output == *'"inserted":0,'*'"unchanged":2,'* ]]
}

@test "--on-delete delete removes all versions of a key, but not those that come later; ignore does nothing" {
	events history r1=1 r1=2 r2=1 r3=1 | pg-load
	events history r1=3 d1 r2=2 d2 r2=1 d9 >in
	run -0 pg-load --on-delete delete <in
	[[ $output == *'"inserted":1,"updated":0,"unchanged":2,"deleted":3,'* ]]
	[ "$(sql -c 'SELECT id, units FROM sale ORDER BY id, record')" = $'2|1\n3|1' ]
	events history d2 t r3=2 d3 >in
	run -0 pg-load --on-delete ignore <in
	[ "$(sql -c 'SELECT id, units FROM sale ORDER BY id, record')" = $'2|1\n3|1\n3|2' ]
	events history d2 >in
	run -0 pg-load --on-delete ignore --empty skip <in # it was not empty
	run -2 pg-load --on-delete maybe <in
	[[ $output == *'--on-delete is ignore, mark or delete, not "maybe"'* ]]
}

@test "a truncate deletes every key of table and step, and rows behind it stay" {
	for how in mark delete; do
		for kind in upsert history; do
			sql -c 'DROP TABLE IF EXISTS sale CASCADE'
			events $kind r1=1 r2=2 | pg-load --on-delete $how
			events $kind r3=3 r2=5 t r4=4 r2=6 | pg-load --on-delete $how
			case "$how $kind" in
			'mark upsert') want=$'1|1|t\n2|6|f\n3|3|t\n4|4|f' ;;
			'mark history') want=$'1|1|f\n1|1|t\n2|2|f\n2|5|f\n2|5|t\n2|6|f\n3|3|f\n3|3|t\n4|4|f' ;;
			*) want=$'2|6\n4|4' ;;
			esac
			order=$([ $kind = upsert ] && echo id || echo record)
			[ "$(sql -c "SELECT id, units $([ $how = delete ] || echo ', _deleted') FROM sale ORDER BY id, $order")" = "$want" ]
		done
	done
	events upsert t | pg-load --schema fresh # of a table that was not there
	[ "$(sql -c 'SELECT count(*) FROM fresh.sale')" = 0 ]
}

@test "events give the same tables in one step as in a step for each" {
	RANDOM=20
	for round in $(seq ${ROUNDS:-4}); do
		list=()
		for i in $(seq 40); do
			case $((RANDOM % 20)) in
			[0-9]) list+=(r$((RANDOM % 5))=$((RANDOM % 3))) ;;
			1[0-8]) list+=(d$((RANDOM % 5))) ;;
			*) list+=(t) ;;
			esac
		done
		half=$((RANDOM % 40))
		for how in ignore mark delete; do
			for kind in upsert history; do
				sql -c 'DROP SCHEMA IF EXISTS one CASCADE' -c 'DROP SCHEMA IF EXISTS many CASCADE'
				# other values in the second step, as a history takes equal ones for a repeat
				later=("${list[@]:half}")
				whole=("${list[@]:0:half}" "${later[@]/=/=1}")
				events $kind "${whole[@]:0:half}" s "${whole[@]:half}" s | pg-load --schema one --on-delete $how >/dev/null
				events $kind $(printf '%s s ' "${whole[@]}") | pg-load --schema many --on-delete $how >/dev/null
				order=$([ $kind = upsert ] && echo 1 || echo record)
				for s in one many; do
					marked=$(sql -c "SELECT count(*) FROM pg_attribute WHERE attrelid = '$s.sale'::regclass AND attname = '_deleted'")
					sql -c "SELECT id, units, $([ $marked = 1 ] && echo _deleted || echo false) FROM $s.sale ORDER BY id, $order" >$s
				done
				diff one many || { echo "$how $kind $half: ${list[*]}"; false; }
			done
		done
	done
}

@test "a step that is loaded again adds no version, also if it had several of a key" {
	newest() { sql -c "SELECT id, string_agg(CASE WHEN $1 THEN 'x' ELSE units::text END, ' ' ORDER BY record) FROM sale GROUP BY id ORDER BY id"; }
	a=(r1=1 r2=2 r1=2 r1=1 r3=3 r1=1 r2=3)
	events history "${a[@]}" | pg-load
	want=$'1|1 2 1\n2|2 3\n3|3'
	[ "$(newest false)" = "$want" ]
	for i in 1 2; do
		events history "${a[@]}" | pg-load
		[ "$(newest false)" = "$want" ]
	done
	events history "${a[@]}" r1=5 r2=2 r2=2 r4=4 r4=5 | pg-load # again, and what came since
	want=$'1|1 2 1 5\n2|2 3 2\n3|3\n4|4 5'
	[ "$(newest false)" = "$want" ]
	# with deletes, beginning at any of them
	b=(d1 r1=5 r1=6 d1 d2 r2=7)
	events history "${b[@]}" | pg-load
	want=$'1|1 2 1 5 x 5 6 x\n2|2 3 2 x 7\n3|3\n4|4 5'
	[ "$(newest _deleted)" = "$want" ]
	for i in 0 1 2 3 4 5; do
		events history "${b[@]:i}" | pg-load
		[ "$(newest _deleted)" = "$want" ]
	done
	events history r1=6 r1=5 r3=4 r3=3 | pg-load # but this is news
	[ "$(newest _deleted)" = $'1|1 2 1 5 x 5 6 x 6 5\n2|2 3 2 x 7\n3|3 4 3\n4|4 5' ]
}

# bats test_tags=size
@test "a million deletes take no more memory than rows do" {
	events upsert r1=1 r1000000=1 r1000001=1 | pg-load
	events history r1=1 r1000000=1 r1000001=1 | pg-load --schema past
	{ events upsert | head -1; seq 1000000 | sed 's/.*/{"@delete":"sale","key":{"id":&}}/'; events upsert | tail -1; } >in
	run -0 /usr/bin/env time -f %M -o rss pg-load <in
	[ "$(sql -c 'TABLE sale')" = '1000001|1' ]
	bounded "$(cat rss)"
	{ events history | head -1; tail -n +2 in; } >in.history
	run -0 /usr/bin/env time -f %M -o rss pg-load --schema past <in.history
	[[ $output == *'"deleted":2,'* ]]
	bounded "$(cat rss)"
}

@test "deletes among rows of many tables are blamed on their line" {
	awk 'BEGIN {
		for (t = 0; t < 2; t++)
			printf "{\"@table\":\"t%d\",\"columns\":[{\"name\":\"pad\",\"type\":\"text\"},{\"name\":\"id\",\"type\":\"int4\"}],\"key\":[\"id\"],\"mode\":\"changes\"}\n", t
		pad = sprintf("%300s", "")
		for (i = 1; i <= 40000; i++) {
			printf "{\"@delete\":\"t%d\",\"key\":{\"id\":%s}}\n", i % 2, i == 30000 ? "\"x\"" : i
			printf "{\"@table\":\"t0\"}\n{\"id\":%d,\"pad\":\"%s\"}\n", i, pad
		}
		print "{\"@end\":{\"rows\":{\"t0\":40000,\"t1\":0}}}"
	}' >in
	run -65 --separate-stderr pg-load <in
	[[ $stderr == *'line 90000 (table "t0"): column "id": invalid input syntax for type integer: "x"'* ]] || { echo "$stderr"; false; }
	sed -i '90000s/"x"/30000/' in
	run -0 /usr/bin/env time -f %M -o rss pg-load <in
	[ "$(sql -c "SELECT count(*) FROM t0")" = 40000 ]
	bounded "$(cat rss)"
}

@test "deleted parents go behind deleted children; one that a child refers to is marked, or an error if it must go" {
	family() {
		echo '{"@table":"parent","columns":[{"name":"id","type":"int4"}],"key":["id"],"mode":"changes"}'
		[ -z "$1" ] || printf '%s\n' $1
		echo '{"@table":"child","columns":[{"name":"id","type":"int4"},{"name":"parent_id","type":"int4"}],"key":["id"],"foreign":[{"columns":["parent_id"],"table":"parent","references":["id"]}],"mode":"changes"}'
		[ -z "$2" ] || printf '%s\n' $2
		echo "{\"@end\":{\"rows\":{\"parent\":$(grep -c '^{"id' <<<"$1"),\"child\":$(grep -c '^{"id' <<<"$2")}}}"
	}
	family $'{"id":1}\n{"id":2}\n{"id":3}' $'{"id":1,"parent_id":1}\n{"id":2,"parent_id":2}' | pg-load
	family '{"@delete":"parent","key":{"id":1}}' '' >in
	run -65 --separate-stderr pg-load --on-delete delete <in
	[[ $stderr == *'could not delete rows of table "parent"'*'"child"'*'(id)=(1)'*'hint:'*'such rows are marked.' ]]
	[ "$(sql -c 'SELECT count(*) FROM parent')" = 3 ]
	# 1 goes with its child, 2's child moves to 4, which is new
	family $'{"@delete":"parent","key":{"id":1}}\n{"@delete":"parent","key":{"id":2}}\n{"id":4}' \
		$'{"@delete":"child","key":{"id":1}}\n{"id":2,"parent_id":4}' >in
	run -0 pg-load <in
	[[ $output == *'"inserted":1,"updated":1,"unchanged":0,"deleted":3,'* ]]
	[ "$(sql -c 'SELECT * FROM parent ORDER BY id' -c 'TABLE child')" = $'3\n4\n2|4' ]
	family $'{"@delete":"parent","key":{"id":3}}\n{"@delete":"parent","key":{"id":4}}' '' >in
	run -0 pg-load <in
	[[ $output == *'"deleted":2,'* ]]
	[ "$(sql -c 'SELECT * FROM parent')" = '4|t' ]
	family '{"id":4}' '' | pg-load
	[ "$(sql -c 'SELECT * FROM parent')" = '4|f' ]
	family '{"@delete":"parent","key":{"id":4}}' '{"@delete":"child","key":{"id":2}}' | pg-load
	[ "$(sql -c 'SELECT count(*) FROM parent')" = 0 ]
}

@test "of tables that refer to themselves and to each other all goes that nothing keeps" {
	sql -c 'CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff, dept int);
		CREATE TABLE dept (id int PRIMARY KEY, head int REFERENCES staff, x int, y int, UNIQUE (x, y));
		ALTER TABLE staff ADD FOREIGN KEY (dept) REFERENCES dept DEFERRABLE;
		CREATE TABLE "r R" ("x''" int, y int, FOREIGN KEY ("x''", y) REFERENCES dept (x, y)) PARTITION BY LIST (y);
		CREATE TABLE r1 PARTITION OF "r R" DEFAULT;
		INSERT INTO staff VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, NULL), (6, 5);
		INSERT INTO dept VALUES (1, 4, 1, 1), (2, 6, 2, 2), (3, 6, 3, NULL);
		INSERT INTO "r R" VALUES (2, 2), (3, NULL)'
	{
		echo '{"@table":"staff","columns":[{"name":"id","type":"int4"}],"key":["id"],"mode":"changes"}'
		echo '{"@table":"dept","columns":[{"name":"id","type":"int4"}],"key":["id"],"mode":"changes"}'
		for i in 1 2 3; do echo '{"@delete":"dept","key":{"id":'$i'}}'; done
		for i in 1 2 3 4 5 6; do echo '{"@delete":"staff","key":{"id":'$i'}}'; done
		echo '{"@end":{"rows":{"staff":0,"dept":0}}}'
	} >in
	run -0 pg-load <in
	[[ $output == *'"deleted":9,'* ]]
	[ "$(sql -c 'SELECT id, _deleted FROM dept' -c 'SELECT id, _deleted FROM staff ORDER BY id' | xargs)" = '2|t 5|t 6|t' ]
	run -0 pg-load <in
	[[ $output == *'"deleted":0,'* ]]
}

@test "a deleted key that is wrong is blamed on its line" {
	events upsert r1=1 d1 >in
	sed 's/"key":{"id":1}/"key":{}/' in >wrong
	run -65 pg-load <wrong
	[[ $output == *'line 3 (table "sale"): column "id": it is absent'* ]]
	sed 's/"key":{"id":1}/"key":{"id":"x"}/' in >wrong
	run -65 pg-load <wrong
	[[ $output == *'line 3 (table "sale"): column "id": invalid input syntax for type integer: "x"'* ]]
	sed 's/"key":{"id":1}/"key":{"other":1}/' in >wrong
	run -65 pg-load <wrong
	[[ $output == *'line 3 (table "sale"): column "other" was not announced'* ]]
}

@test "a column of the name _deleted is a column like any other where nothing is marked" {
	echo '{"id":1,"_deleted":"no"}' >rows
	frame() { echo '{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"_deleted","type":"text"}],"key":["id"],"mode":"full"}'; cat rows; echo "{\"@end\":{\"rows\":{\"t\":$(wc -l <rows)}}}"; }
	frame | pg-load
	[ "$(sql -c 'TABLE t')" = '1|no' ]
	frame >in
	run -65 --separate-stderr pg-load --on-delete mark <in
	[[ $stderr == *'its column "_deleted"'*'hint: '*'--on-delete'* ]]
}

@test "a role that may not add the column is told the statement" {
	events history r1=1 | pg-load
	sql -c "DROP ROLE IF EXISTS writer" -c "CREATE ROLE writer LOGIN" -c "GRANT SELECT, INSERT, UPDATE ON sale, starpipe_state TO writer" \
		-c "GRANT USAGE ON SEQUENCE sale_record_seq TO writer"
	events history d1 >in
	run -77 --separate-stderr env PGUSER=writer pg-load <in
	[[ $stderr == *'hint: ALTER TABLE "public"."sale" ADD COLUMN "_deleted" boolean NOT NULL DEFAULT false;'* ]]
	sql -c 'ALTER TABLE "public"."sale" ADD COLUMN "_deleted" boolean NOT NULL DEFAULT false'
	PGUSER=writer pg-load <in
	[ "$(sql -c 'SELECT units, _deleted FROM sale ORDER BY record')" = $'1|f\n1|t' ]
	sql -c "DROP OWNED BY writer" -c "DROP ROLE writer"
}

@test "a view shows the newest version of each key, without those that are deleted" {
	events history r1=1 r2=2 r1=3 | pg-load
	[ "$(sql -c 'SELECT * FROM current_sale ORDER BY id')" = $'3|1|3\n2|2|2' ]
	sql -c 'CREATE VIEW over AS SELECT id FROM current_sale' # which must not be in the way
	events history d1 | pg-load
	[ "$(sql -c 'SELECT * FROM current_sale' -c 'TABLE over')" = $'2|2|2\n2' ]
	events history r1=3 | pg-load
	[ "$(sql -c 'SELECT id, units FROM current_sale ORDER BY id')" = $'1|3\n2|2' ]
	sql -c 'ALTER TABLE sale ADD COLUMN more text'
	sql -c "SELECT obj_description('current_sale'::regclass)" | grep '^newest version of each key, kept by pg-load'
	events history | pg-load
	[ "$(sql -c 'SELECT id, units, more FROM current_sale ORDER BY id')" = $'1|3|\n2|2|' ]
	oid=$(sql -c "SELECT xmin FROM pg_class WHERE relname = 'current_sale'")
	events history r1=4 | pg-load
	[ "$(sql -c "SELECT xmin FROM pg_class WHERE relname = 'current_sale'")" = "$oid" ]
	sql -c 'DROP VIEW current_sale CASCADE'
	events history | pg-load
	[ "$(sql -c 'SELECT id, units FROM current_sale ORDER BY id')" = $'1|4\n2|2' ]
}

@test "the view reads the index of the versions" {
	seq 1 20000 | sed 's/.*/{"id":&,"units":1}/' | sale | pg-load
	sql -c "ANALYZE sale"
	run -0 sql -c "SET enable_seqscan = off" -c "EXPLAIN SELECT * FROM current_sale"
	[[ $output == *"Index Scan Backward using sale_id_record_idx"* ]]
	[[ $output != *"Sort"* ]]
	run -0 sql -c "EXPLAIN SELECT * FROM current_sale WHERE id = 7"
	[[ $output == *"sale_id_record_idx"* ]]
}

@test "a relation in the view's place is left alone, and a view that cannot be made is a warning" {
	sql -c "CREATE VIEW current_sale AS SELECT 7 AS seven"
	events history r1=1 d1 | pg-load
	[ "$(sql -c 'TABLE current_sale')" = 7 ]
	sql -c "DROP VIEW current_sale"
	events history | pg-load
	sql -c "ALTER TABLE sale RENAME units TO pieces" -c "ALTER TABLE sale ADD units int"
	run -0 --separate-stderr pg-load < <(events history r1=2)
	[[ $stderr == 'pg-load: warning: could not make the view of the newest versions of table "sale": '*'"pieces"'* ]]
	[ "$(sql -c 'SELECT units FROM sale ORDER BY record DESC LIMIT 1')" = 2 ]
}

@test "versions of one key in one step are kept in load order, also with one time stamp" {
	fact() {
		echo '{"@table":"f","columns":[{"name":"n","type":"int4","generated":"serial"},{"name":"id","type":"int4"},{"name":"v","type":"text"},{"name":"last_updated","type":"timestamp"}],"key":["id"],"mode":"changes","load":"history"}'
		for v; do echo '{"id":1,"v":"'$v'","last_updated":"2026-01-01T00:00:00"}'; done
		echo "{\"@end\":{\"rows\":{\"f\":$#}}}"
	}
	fact b a | pg-load
	fact a c b | pg-load
	[ "$(sql -c "SELECT string_agg(v, ' ' ORDER BY n) FROM f")" = 'b a c b' ]
	fact b c b | pg-load
	[ "$(sql -c "SELECT string_agg(v, ' ' ORDER BY n) FROM f")" = 'b a c b c b' ]
}

@test "one run right after the other gets the lock" {
	two_staff | staff >in
	for i in 1 2 3 4 5; do
		pg-load <in
	done
	run -65 pg-load <<<'{"@delete":"x"}'
	pg-load <in
}

@test "a producer may take its time, whatever the server has against idle sessions" {
	sql -c "ALTER DATABASE load SET idle_session_timeout = '300ms'" \
		-c "ALTER DATABASE load SET idle_in_transaction_session_timeout = '300ms'"
	two_staff | staff >in
	while read -r line; do
		sleep 0.5
		echo "$line"
	done <in | pg-load
	[ "$(sql -c 'SELECT count(*) FROM staff')" = 2 ]
}

@test "of two sources that create the same schema at once one loads, the other is to try again" {
	sql <<-'X'
		CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); END';
		CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION slow();
	X
	two_staff | staff >in
	for source in a b; do
		{ rc=0; pg-load --schema new --source $source <in >$source.out 2>$source.err || rc=$?; echo $rc >$source.rc; } &
	done
	wait
	[ "$(sort [ab].rc | xargs)" = '0 75' ]
	[[ "$(cat [ab].err)" == *'"new"'*'hint: Another session has just created the same: run again.'* ]]
	pg-load --schema new --source a <in
	pg-load --schema new --source b <in
	[ "$(sql -c 'SELECT count(*) FROM new.starpipe_state')" = 2 ]
}

@test "SIGTERM rolls back and kills" {
	two_staff | staff 1 | pg-load
	before=$(contents)
	for signal in TERM HUP KILL; do
		mkfifo hold
		pg-load <hold &
		pid=$!
		exec 7>hold
		echo '{"id":5,"name":"x"}' | staff 2 | head -2 >&7
		until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" = 1 ]; do sleep 0.1; done
		sleep 0.2
		kill -$signal $pid
		rc=0; wait $pid || rc=$?
		[ $rc = $((128 + $(kill -l $signal))) ]
		exec 7>&-
		rm hold
		[ "$(contents)" = "$before" ]
		two_staff | staff 1 | pg-load # the server lets go of the lock in time
		before=$(contents)
	done
}

@test "a bad value is told before the stream ends" {
	run -65 timeout 60 bash -c '{
		echo "{\"@table\":\"t\",\"columns\":[{\"name\":\"id\",\"type\":\"int4\"}],\"mode\":\"full\"}"
		echo "{\"id\":\"x\"}"
		yes "{\"id\":1}"
	} 2>&- | pg-load; exit ${PIPESTATUS[1]}'
	[[ $output == *'line 2 (table "t"): column "id": invalid'* ]]
}

@test "bad values are blamed on line, table and column" {
	bad() { # line of the frame, what the message must hold
		run -65 --separate-stderr pg-load <in
		[[ $stderr == *"standard input: line $1 (table \"staff\"): $2"* ]] || { echo "$stderr"; false; }
		[ -z "$output" ]
		[ "$(sql -c "SELECT to_regclass('staff')")" = "" ]
	}
	printf '%s\n' '{"id":1}' '{"id":"x"}' '{"id":3}' | staff >in
	bad 3 'column "id": invalid input syntax for type integer: "x"'
	printf '%s\n' '{"id":1}' '{"id":99999999999}' | staff >in
	bad 3 'column "id": value "99999999999" is out of range for type integer'
	printf '%s\n' '{"id":1}' '{"id":2,"name":"a\u0000"}' | staff >in
	bad 3 'column "name": text cannot hold the character \u0000'
	printf '%s\n' '{"name":"y"}' | staff >in
	bad 2 'column "id": it is absent'
	printf '%s\n' '{"id":null}' | staff >in
	bad 2 'column "id": it is null'
	printf '%s\n' '{"id":1,"other":2}' | staff >in
	bad 2 'column "other" was not announced'
	printf '%s\n' '{"id":1,}' | staff >in
	bad 2 'invalid JSON at byte 9'
}

@test "the line is right between rows of many tables, and behind the buffers' first turn" {
	awk 'BEGIN {
		for (t = 0; t < 3; t++)
			printf "{\"@table\":\"t%d\",\"columns\":[{\"name\":\"id\",\"type\":\"int4\"},{\"name\":\"v\",\"type\":\"json\"},{\"name\":\"pad\",\"type\":\"text\"}],\"key\":[\"id\"],\"mode\":\"full\"}\n", t
		pad = sprintf("%300s", "")
		for (i = 1; i <= 90000; i++) {
			printf "{\"@table\":\"t%d\"}\n", i % 3
			printf "{\"id\":%d,\"v\":%s,\"pad\":\"%s\"}\n", i, i == 80000 ? "{\"@json\":\"[1,\"}" : "1", pad
		}
		print "{\"@end\":{\"rows\":{\"t0\":30000,\"t1\":30000,\"t2\":30000}}}"
	}' >in
	run -65 --separate-stderr pg-load <in
	[[ $stderr == *'line 160003 (table "t2"): column "v": invalid input syntax for type json'* ]] || { echo "$stderr"; false; }
	sed -i '160003s/{"@json":"\[1,"}/2/' in
	run -0 /usr/bin/env time -f %M -o rss pg-load <in
	[ "$(sql -c "SELECT count(*) FROM t1" -c "SELECT v FROM t2 WHERE id = 80000")" = $'30000\n2' ]
	bounded "$(cat rss)"
}

@test "constraints are named with their keys" {
	sql -c "CREATE TABLE staff (id int PRIMARY KEY, name text CHECK (name <> 'x'), pay numeric UNIQUE)"
	echo '{"id":1,"name":"x"}' | staff >in
	run -65 pg-load <in
	[[ $output == *'table "staff"'*'"staff_name_check"'*'(1, x, null)'* ]]
	printf '%s\n' '{"id":1,"pay":5}' '{"id":2,"pay":5.0}' | staff >in
	run -65 pg-load <in
	[[ $output == *'"staff_pay_key"'*'(pay)=(5'* ]]
	sql -c "DROP TABLE staff; CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE staff (id int PRIMARY KEY REFERENCES p, name text, pay numeric)"
	echo '{"id":4}' | staff >in
	run -65 pg-load <in
	[[ $output == *'"staff_id_fkey"'*'(id)=(4)'* ]]
}

@test "what cannot be loaded is refused with its reason" {
	refused() { # reason, announcement
		run -65 pg-load <<<"$2"
		[[ $output == *$1* ]] || { echo "$output"; false; }
	}
	refused 'without a key' '{"@table":"t","columns":[{"name":"a","type":"int4"}],"load":"upsert"}'
	refused 'needs a generated column' '{"@table":"t","columns":[{"name":"a","type":"int4"}],"key":["a"],"load":"history"}'
	refused 'neither upsert nor history' '{"@table":"t","columns":[{"name":"a","type":"int4"}],"key":["a"],"load":"sideways"}'
	refused 'neither serial nor identity' '{"@table":"t","columns":[{"name":"a","type":"int4","generated":"x"}]}'
	refused 'key is generated' '{"@table":"t","columns":[{"name":"a","type":"int4","generated":"serial"}],"key":["a"]}'
	refused 'starpipe_state' '{"@table":"starpipe_state","columns":[{"name":"source","type":"text"}],"key":["source"]}'
	refused 'no key by which a deleted row' $'{"@table":"t","columns":[{"name":"a","type":"int4"}]}\n{"@delete":"t","key":{"a":1}}'
	refused '"_deleted" has the name' '{"@table":"t","columns":[{"name":"a","type":"int4"},{"name":"_deleted","type":"bool"},{"name":"n","type":"int4","generated":"serial"}],"key":["a"],"load":"history"}'
	refused 'rows cannot have it' $'{"@table":"t","columns":[{"name":"a","type":"int4"},{"name":"b","type":"int4","generated":"serial"}],"key":["a"]}\n{"a":1,"b":1}'
}

@test "a type that does not exist is bad data, not a piece of SQL" {
	for type in 'interval; DROP TABLE x' 'interval, b int' 'interval DEFAULT pg_sleep' intervals; do
		run -65 pg-load <<<"{\"@table\":\"t\",\"columns\":[{\"name\":\"a\",\"type\":\"$type\"}],\"key\":[\"a\"]}"
		[[ $output == *"type \"pg_catalog.$type\" does not exist"* ]]
	done
}

# announce NAME TYPE NAME TYPE - a stream with one table "t" of these columns, as JSON has them
announce() {
	local columns
	printf -v columns ',{"name":%s,"type":%s}' "$@"
	printf '%s\n' "{\"@table\":\"t\",\"columns\":[${columns:1}]}" '{"@end":{"rows":{"t":0}}}'
}

@test "a type's modifier and a name with a line break are no statement" {
	sql -c 'CREATE TABLE canary (a int)'
	for type in 'numeric(10,--)' 'numeric(10,2--)' 'numeric(--' 'foo(--)' 'interval(--)' 'numeric(1,\n--)' 'varchar(3))--' 'bit(3)--'; do
		announce '"a"' "\"$type\"" '"\n2)); DROP TABLE canary; COMMIT; --"' '"int4"' >in
		run pg-load <in
		[ "$(sql -c 'SELECT count(*) FROM canary')" = 0 ]
		[ "$status" -eq 65 ] || [[ $status -eq 1 && $output == *"does not exist"* ]]
	done
	announce '"\n); DROP TABLE canary; COMMIT; --"' '"int4"' '"\"); DROP TABLE canary; --"' '"text"' | pg-load
	[ "$(sql -c 'SELECT count(*) FROM canary')" = 0 ]
}

@test "a type that cannot be is bad data, with table and column" {
	for type in 'numeric(0)' 'numeric(1001)' 'numeric(3,1001)' 'numeric(3,-1001)' 'numeric(1,2,3)' 'varchar(0)' 'bpchar(10485761)' \
		'bpchar(1000000000)' 'timestamp(7)' 'interval day(3)' 'interval second(7)' 'time(-1)' 'int4(4)' 'bit(0)' 'varbit(83886081)' \
		'text()' 'varchar()' 'varchar(99999999999999999999)' "$(printf 'x%.0s' {1..64})" ''; do
		announce '"c"' "\"$type\"" >in
		run -65 pg-load <in
		[[ $output == *"table \"t\": column \"c\": type \"$type\" "* ]]
	done
	announce '"a"' '"numeric(1000,-1000)"' '"b"' '"bit(8)[]"' '"c"' '"interval day to second(3)"' '"d"' '"timestamp(3) without time zone"' \
		'"e"' '"numeric(5)"' '"f"' '"char"' '"g"' '"interval[]"' '"h"' '"numeric(5, 2)"' | pg-load
	[ "$(sql -c "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0")" = \
		'numeric(1000,-1000) bit(8)[] interval day to second(3) timestamp(3) without time zone numeric(5,0) "char" interval[] numeric(5,2)' ]
}

@test "a name that PostgreSQL would cut off or keeps for itself is bad data" {
	local long=$(printf 'x%.0s' {1..64})
	announce "\"$long\"" '"text"' >in
	run -65 pg-load <in
	[[ $output == *"column \"$long\" is longer than PostgreSQL's 63 bytes"* ]]
	announce '"ctid"' '"text"' >in
	run -65 pg-load <in
	[[ $output == *'column "ctid" has the name of one that PostgreSQL keeps in every table'* ]]
	announce '""' '"text"' >in
	run -65 pg-load <in
	run -65 pg-load <<<"{\"@table\":\"$long\",\"columns\":[{\"name\":\"a\",\"type\":\"int4\"}]}"
	for name in pg_temp pg_catalog information_schema "$long"; do
		run -2 pg-load --schema "$name" </dev/null
	done
	# the views of two tables would be one
	local a=$(printf 'y%.0s' {1..60})
	for name in "${a}1" "${a}2"; do
		printf '%s\n' '{"id":1,"units":5}' | sale | sed "s/\"sale\"/\"$name\"/g" >in
		run -0 --separate-stderr pg-load -v <in
		[[ $stderr == *"table \"$name\" gets no view"* ]]
	done
	[ "$(sql -c "SELECT count(*) FROM pg_views WHERE schemaname = 'public'")" = 0 ]
}

# A database as it was until PostgreSQL 14: everybody may put things into public. mallory does, the
# loader (role "loader") and the superuser must not run them.
open_house() {
	sql -c "DROP ROLE IF EXISTS mallory" -c "DROP ROLE IF EXISTS loader" -c "CREATE ROLE mallory LOGIN" -c "CREATE ROLE loader LOGIN" \
		-c "GRANT CREATE ON SCHEMA public TO PUBLIC" -c "CREATE TABLE canary (who text)" -c "GRANT ALL ON canary TO PUBLIC"
}

as_mallory() { PGUSER=mallory psql -XAtq -v ON_ERROR_STOP=1; }

leave_house() {
	[ "$(sql -c "SELECT count(*) FROM canary")" = 0 ] || { sql -c 'TABLE canary'; false; }
	sql -c "DROP OWNED BY loader, mallory CASCADE" -c "DROP ROLE loader, mallory"
}

# coded UNITS - a table with a varchar key, a state and the end
coded() {
	echo '{"@table":"coded","columns":[{"name":"code","type":"varchar(9)"},{"name":"units","type":"int4"}],"key":["code"],"mode":"full"}'
	printf '%s\n' "{\"code\":\"a\",\"units\":$1}" '{"code":"b","units":1}' '{"@state":{"at":1}}' '{"@end":{"rows":{"coded":2}}}'
}

@test "a function or operator that strangers put into public is not called" {
	open_house
	as_mallory <<-'X'
		CREATE FUNCTION trap(text, int) RETURNS int8 LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.canary VALUES (current_user); RETURN 1; END$$;
		ALTER FUNCTION trap(text, int) RENAME TO hashtextextended;
		CREATE FUNCTION trap(varchar, varchar) RETURNS bool LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.canary VALUES (current_user); RETURN true; END$$;
		CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = trap);
		CREATE OPERATOR <> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = trap);
		CREATE FUNCTION md5(varchar) RETURNS text LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.canary VALUES (current_user); RETURN ''; END$$;
	X
	for role in loader postgres; do
		coded 1 | PGUSER=$role pg-load
		coded 2 | PGUSER=$role pg-load
		printf '%s\n' '{"id":1,"units":5}' | sale | PGUSER=$role pg-load
		sql -c "SELECT units FROM coded ORDER BY code" >got
		[ "$(cat got)" = $'2\n1' ]
		sql -c 'DROP TABLE coded, starpipe_state, sale CASCADE'
	done
	leave_house
}

@test "a table that strangers put where pg-load keeps its state or would load is refused" {
	open_house
	as_mallory <<-'X'
		CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.canary VALUES (current_user); RETURN NEW; END$$;
		CREATE TABLE starpipe_state (source text PRIMARY KEY, steps int8 NOT NULL, state json, receipt jsonb NOT NULL, committed_at timestamptz NOT NULL);
		CREATE TRIGGER trap BEFORE INSERT ON starpipe_state FOR EACH ROW EXECUTE FUNCTION trap();
		GRANT ALL ON starpipe_state TO PUBLIC;
	X
	for role in loader postgres; do
		coded 1 >in
		run -77 env PGUSER=$role pg-load <in
		[[ $output == *'"public"."starpipe_state": it belongs to role "mallory"'* ]]
		run -77 env PGUSER=$role pg-load --show-state
	done
	as_mallory <<-'X'
		DROP TABLE starpipe_state;
		CREATE TABLE coded (code varchar(9) PRIMARY KEY, units int4);
		CREATE TRIGGER trap BEFORE INSERT ON coded FOR EACH ROW EXECUTE FUNCTION trap();
		GRANT ALL ON coded TO PUBLIC;
	X
	for role in loader postgres; do
		run -77 env PGUSER=$role pg-load <in
		[[ $output == *'"public"."coded": it belongs to role "mallory"'* ]]
	done
	as_mallory <<<'DROP TABLE coded; CREATE VIEW starpipe_state AS SELECT 1 AS source'
	run -77 pg-load <in
	as_mallory <<<'DROP VIEW starpipe_state; CREATE VIEW current_sale AS SELECT 1 AS units'
	printf '%s\n' '{"id":1,"units":5}' | sale >facts
	run -0 --separate-stderr env PGUSER=loader pg-load <facts
	[[ $stderr == *'warning: cannot use "public"."current_sale": it belongs to role "mallory"'* ]]
	[ "$(sql -c 'SELECT * FROM current_sale')" = 1 ]
	as_mallory <<<'DROP VIEW current_sale'
	sql -c 'DROP TABLE sale, starpipe_state'
	# where only those may create to whom it was given, a table may belong to anybody
	sql -c 'CREATE TABLE coded (code varchar(9) PRIMARY KEY, units int4)' -c 'ALTER TABLE coded OWNER TO mallory' \
		-c 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'
	pg-load <in
	[ "$(sql -c 'SELECT count(*) FROM coded')" = 2 ]
	leave_house
}

@test "the members of a role share its state" {
	sql -c "DROP ROLE IF EXISTS team, ann, bob" -c "CREATE ROLE team" -c "CREATE ROLE ann LOGIN IN ROLE team" -c "CREATE ROLE bob LOGIN IN ROLE team" \
		-c "CREATE SCHEMA s" -c "GRANT ALL ON SCHEMA s TO team"
	coded 1 | PGUSER=ann pg-load --schema s
	sql -c "ALTER TABLE s.starpipe_state OWNER TO team" -c "ALTER TABLE s.coded OWNER TO team"
	coded 2 | PGUSER=bob pg-load --schema s
	[ "$(sql -c 'SELECT units FROM s.coded ORDER BY 1')" = $'1\n2' ]
	sql -c "DROP OWNED BY team, ann, bob CASCADE" -c "DROP ROLE ann, bob, team"
}

@test "keys of an extension's type are compared by its own operator, also where public is not searched" {
	open_house
	sql -c 'CREATE EXTENSION citext' -c 'CREATE TABLE parent (code citext PRIMARY KEY, units int)' \
		-c 'CREATE TABLE child (id int PRIMARY KEY, code citext REFERENCES parent)' -c "INSERT INTO parent VALUES ('b', 1)" -c "INSERT INTO child VALUES (1, 'B')"
	t='{"@table":"parent","columns":[{"name":"code","type":"text"},{"name":"units","type":"int4"}],"key":["code"],"mode":"changes"}'
	printf '%s\n' "$t" '{"code":"a","units":1}' '{"code":"A","units":2}' '{"@end":{"rows":{"parent":2}}}' | pg-load
	printf '%s\n' "$t" '{"code":"a","units":3}' '{"@delete":"parent","key":{"code":"B"}}' '{"@end":{"rows":{"parent":1}}}' | pg-load
	[ "$(sql -c 'SELECT * FROM parent ORDER BY code')" = $'a|3|f\nb|1|t' ]
	leave_house
}

@test "a lock that a role without rights holds is no pg-load, and one that is says whose it is" {
	open_house
	coded 1 | pg-load
	sql -c 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'
	coded 2 >in
	coproc HOLD { PGUSER=mallory exec psql -XAtq; }
	held="hashtextextended('starpipe 6 public default', 0)"
	echo "SELECT pg_advisory_lock($held);" >&"${HOLD[1]}"
	read -r -u "${HOLD[0]}" -t 10 _
	run -1 --separate-stderr pg-load <in
	[[ $stderr == *'held by process '*' of role "mallory", application "psql", since '*'may not write starpipe_state'*'SELECT pg_terminate_backend('* ]]
	sql -c 'GRANT INSERT ON starpipe_state TO mallory'
	run -73 --separate-stderr pg-load <in
	[[ $stderr == *'another pg-load'*'(process '*' of role "mallory", application "psql", since '*'nothing was changed'* ]]
	echo '\q' >&"${HOLD[1]}"
	wait "$HOLD_PID" || true
	pg-load <in
	leave_house
}

@test "a connection string that cannot be made out does not show its password" {
	for d in 'postgresql://u:s3cr%ZZt@h/db' 'host=h password=s3cr etww' 'postgresql://u:s3/cr@127.0.0.1/db' 'postgresql://u:s3@cr@127.0.0.1/db' \
		'host=h port=1password=s3cr' 'mysql://u:s3cr@h/db' 'u:s3cr@h/db' 'postgres://u@h/db?s3cr' 'dbname=postgresql://u:s3cr@h/db' "password='s3cr"; do
		run -2 --separate-stderr pg-load -d "$d" </dev/null
		[[ $stderr == 'pg-load: error: cannot make out the connection string'* && $stderr != *s3* && $stderr != *cr@* && $stderr != *etww* ]]
		run -2 --separate-stderr pg-extract -d "$d"
		[[ $stderr == 'pg-extract: error: cannot make out the connection string'* && $stderr != *s3* && $stderr != *cr@* && $stderr != *etww* ]]
	done
	run -2 --separate-stderr env PGDATABASE='postgresql://u:s3cr@h/db' pg-load </dev/null
	[[ $stderr != *s3cr* ]]
	pg-load -d "postgresql://postgres:p%40ss%3A%2F@/load?host=$PGHOST" --show-state
	pg-load -d "dbname=load password='a b=c'" --show-state
}

@test "no server is 75, no permission 77, a wrong option or operand 2" {
	run -75 pg-load -d "host=127.0.0.1 port=1" </dev/null
	sql -c "DROP ROLE IF EXISTS reader" -c "CREATE ROLE reader LOGIN"
	two_staff | staff >in
	run -77 env PGUSER=reader pg-load <in
	[[ $output == *'permission denied'* ]]
	run -2 pg-load --no-such-option
	run -2 pg-load operand
}

@test "a role that may only read and write the tables is enough once they are there" {
	two_staff | staff | pg-load
	printf '%s\n' '{"id":1,"units":5}' | sale | pg-load
	sql -c "DROP ROLE IF EXISTS writer" -c "CREATE ROLE writer LOGIN" -c "GRANT SELECT, INSERT, UPDATE ON staff, starpipe_state TO writer" \
		-c "GRANT SELECT, INSERT ON sale TO writer" -c "GRANT USAGE ON SEQUENCE sale_record_seq TO writer"
	echo '{"id":2,"name":"Bo"}' | staff | PGUSER=writer pg-load
	printf '%s\n' '{"id":1,"units":6}' | sale | PGUSER=writer pg-load
	[ "$(sql -c 'SELECT count(*) FROM sale' -c 'SELECT name FROM staff WHERE id = 2')" = $'2\nBo' ]
	sql -c "DROP OWNED BY writer" -c "DROP ROLE writer"
}

@test "a line longer than --max-row is bad data" {
	printf '{"id":1,"name":"%1000s"}\n' x | staff >in
	run -65 pg-load --max-row 1000 <in
	[[ $output == *"line 2 is longer than 1000 bytes"* ]]
	pg-load --max-row 2K <in
}

@test "a large row goes through" {
	{ printf '{"id":1,"name":"'; head -c 20000000 /dev/zero | tr '\0' 'x'; printf '"}\n'; } | staff | pg-load
	[ "$(sql -c "SELECT length(name), md5(name) = md5(repeat('x', 20000000)) FROM staff")" = '20000000|t' ]
}

@test "a trigger of the warehouse finds its tables by name" {
	sql <<-'X'
		REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- before PostgreSQL 15
		CREATE TABLE staff (id int PRIMARY KEY, name text, pay numeric);
		CREATE TABLE audit (id int);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NULL; END';
		CREATE TRIGGER note AFTER INSERT OR UPDATE ON staff FOR EACH ROW EXECUTE FUNCTION note();
	X
	two_staff | staff >in
	pg-load <in
	pg-load <in
	[ "$(sql -c 'SELECT count(*) FROM audit')" = 2 ]
}

@test "-v says in a line what was done" {
	two_staff | staff >in
	run -0 --separate-stderr pg-load -v <in
	[[ $stderr == "pg-load: loaded 2 rows ("*" bytes) in 0."*" s: 2 inserted, 0 updated, 0 deleted" ]]
	sed 's/{"@end.*/{"id":3,"name":"no end"}/' in >step
	run -76 --separate-stderr pg-load -v <step # what counts is in the receipt of the first step
	[[ $output == *'"rows":{"staff":2}'* && $stderr != *loaded* ]]
}

@test "a receipt that cannot be written is an error" {
	two_staff | staff >in
	run -1 bash -c 'pg-load <in >/dev/full'
	[[ $output == *"could not write standard output"* ]]
}
