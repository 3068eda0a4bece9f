# Delta tables of s3-put --delta as others have them: deltalake, polars, DuckDB and Spark must read the same rows from
# them; deltalake and Spark write into them, too. `make test-oracles` installs them all.
load ../lib/helpers

oracles=$STARPIPE_TOP/build/oracles

setup_file() {
	[ -e "$oracles/ready" ] || return 0
	export DELTA_SOCKET=$BATS_FILE_TMPDIR/socket
	cd "$BATS_FILE_TMPDIR"
	"$oracles/bin/python" "$STARPIPE_TOP/tests/oracles/delta.py" serve "$DELTA_SOCKET" >said 2>&1 3>&- &
	server=$!
	until [ -S "$DELTA_SOCKET" ]; do
		kill -0 $server || { cat said; false; }
		sleep .2
	done
}

teardown_file() {
	[ ! -e "$oracles/ready" ] || kill $server
	wait
}

setup() {
	[ -e "$oracles/ready" ] || skip "deltalake, polars, DuckDB and Spark are not here: make test-oracles could not install them"
	cd "$BATS_TEST_TMPDIR"
	lake=$PWD/lake
}

delta() { "$oracles/bin/python" "$STARPIPE_TOP/tests/oracles/delta.py" "$@"; }

# frame COLUMNS STATE ROW... - a step of table t
frame() {
	local columns=$1 state=$2
	shift 2
	echo '{"@table":"t","columns":['"$columns"'],"key":["id"],"mode":"changes"}'
	[ $# = 0 ] || printf '%s\n' "$@"
	echo '{"@state":{"at":'"$state"'}}'
	echo '{"@end":{"rows":{"t":'"$(printf '%s\n' "$@" | grep -c '^{"[^@]')"'}}}'
}
id='{"name":"id","type":"int4"}'
v='{"name":"v","type":"text"}'

# put N OPTION... - row N as step N
put() {
	local n=$1
	shift
	frame "$id,$v" "$n" '{"id":'"$n"',"v":"'"v$n"'"}' | s3-put "$@" "file://$lake/"
}

# numbers FIRST LAST - rows of these ids, sorted as delta.py does
numbers() { for ((n = $1; n <= $2; n++)); do echo '{"id":'"$n"',"v":"v'"$n"'"}'; done | sort; }

# log VERSION - a commit of table t
log() { printf '%s/t/_delta_log/%020d.json' "$lake" "$1"; }

@test "fifty steps are as many versions with all rows, and so is the table from its checkpoint alone" {
	for i in $(seq 0 49); do put "$i" --delta >/dev/null; done
	[ "$(delta version lake/t)" = 49 ]
	diff <(numbers 0 49) <(delta rows lake/t)
	[ "$(jq -r .version lake/t/_delta_log/_last_checkpoint)" = 40 ]
	rm lake/t/_delta_log/*compacted.json
	for ((i = 0; i <= 40; i++)); do rm "$(log $i)"; done
	diff <(numbers 0 49) <(delta rows lake/t)
	[ "$(delta schema lake/t)" = "id:integer v:string" ]
	s3-get "file://$lake/" | jq -c 'select(.id != null) | .id' | diff <(seq 0 49) -
}

@test "a checkpoint holds every file and transaction once, in the protocol's schema" {
	for i in $(seq 0 20); do put "$i" --delta >/dev/null; done
	"$oracles/bin/python" - lake/t/_delta_log/*20.checkpoint.parquet <<-'END'
	import sys, json, pyarrow.parquet as pq
	t = pq.read_table(sys.argv[1])
	rows = t.to_pylist()
	adds = [r['add'] for r in rows if r['add']]
	assert len(rows) == 24, len(rows)
	assert len({a['path'] for a in adds}) == 21
	assert all(a['partitionValues'] == [] and a['tags'] is None and a['size'] > 0 and json.loads(a['stats'])['numRecords'] == 1 for a in adds)
	assert [r['txn']['version'] for r in rows if r['txn']] == [21]
	assert [r['protocol'] for r in rows if r['protocol']] == [{'minReaderVersion': 1, 'minWriterVersion': 2, 'readerFeatures': None, 'writerFeatures': None}]
	assert [r['metaData']['format'] for r in rows if r['metaData']] == [{'provider': 'parquet', 'options': []}]
	assert all(sum(v is not None for v in r.values()) == 1 for r in rows)
	p = {f'{c.path}': str(c.physical_type) for c in pq.ParquetFile(sys.argv[1]).schema}
	for path, kind in {'txn.appId': 'BYTE_ARRAY', 'txn.version': 'INT64', 'add.size': 'INT64', 'add.modificationTime': 'INT64', 'add.dataChange': 'BOOLEAN',
	                   'add.partitionValues.key_value.key': 'BYTE_ARRAY', 'add.tags.key_value.value': 'BYTE_ARRAY', 'remove.deletionTimestamp': 'INT64',
	                   'metaData.partitionColumns.list.element': 'BYTE_ARRAY', 'metaData.createdTime': 'INT64', 'protocol.minReaderVersion': 'INT32'}.items():
	    assert p[path] == kind, (path, p.get(path))
	END
}

@test "values of every type a Delta table has are those of the stream, in its checkpoint too" {
	columns=$id
	for c in n:numeric\(10,2\) ts:timestamp tz:timestamptz d:date ti:time b:bool by:bytea i8:int8 i2:int2 f4:float4 f8:float8 j:jsonb a:int4[] u:uuid; do
		columns+=',{"name":"'"${c%%:*}"'","type":"'"${c#*:}"'"}'
	done
	cat >rows <<-'END'
	{"id":1,"n":-1.25,"ts":"2024-02-29T00:00:00.5","tz":"2024-01-01T00:00:00Z","d":"1969-12-31","ti":"12:00:00.5","b":true,"by":"\\x00ff","i8":9223372036854775807,"i2":-32768,"f4":1.5,"f8":0.1,"j":{"a":1},"a":[1,null],"u":"00000000-0000-0000-0000-000000000000"}
	{"id":2,"n":null,"ts":null,"tz":null,"d":null,"ti":null,"b":null,"by":null,"i8":null,"i2":null,"f4":null,"f8":null,"j":null,"a":null,"u":null}
	{"id":3,"n":0.00,"ts":"1582-10-10T01:02:03.000001","tz":"1899-12-31T23:59:59.999999Z","d":"1582-10-10","ti":"00:00:00","b":false,"by":"\\x","i8":-9223372036854775808,"i2":32767,"f4":0.1,"f8":5e-324,"j":null,"a":null,"u":"ffffffff-ffff-ffff-ffff-ffffffffffff"}
	{"id":4,"n":99999999.99,"ts":"0044-03-15T12:00:00 BC","tz":"10000-01-01T00:00:00Z","d":"4713-01-01 BC","ti":"24:00:00","b":null,"by":null,"i8":0,"i2":0,"f4":"NaN","f8":"NaN","j":null,"a":null,"u":null}
	{"id":5,"n":-0.01,"ts":"infinity","tz":"-infinity","d":"infinity","ti":null,"b":null,"by":null,"i8":0,"i2":0,"f4":"-Infinity","f8":"Infinity","j":null,"a":null,"u":null}
	END
	mapfile -t rows <rows
	frame "$columns" 1 "${rows[@]}" | s3-put --delta "file://$lake/"
	run -0 delta schema lake/t
	[ "$output" = "id:integer n:decimal(10,2) ts:timestamp_ntz tz:timestamp d:date ti:string b:boolean by:binary i8:long i2:short f4:float f8:double j:string a:string u:string" ]
	diff <(sed 's/{"a":1},"a":\[1,null\]/"{\\"a\\":1}","a":"[1,null]"/' rows) <(delta rows lake/t)
}

@test "every type's ugliest values are to all of them what PostgreSQL said" {
	fresh_db ugly
	psql -qX -v ON_ERROR_STOP=1 -d ugly -f "$STARPIPE_TOP/tests/e2e/ugly.sql" >/dev/null
	# What Parquet has no value for is gone; JSON, which would be text, stays away. Of all other tables "t TYPE" one is
	# made, with a column for each: a row has the values of one number.
	psql -qXAt -v ON_ERROR_STOP=1 -d ugly <<-'END'
	UPDATE "t numeric(10,2)" SET v = NULL WHERE v = 'NaN';
	UPDATE "t timestamp" SET v = NULL WHERE v > '294247-01-10' AND v <> 'infinity';
	UPDATE "t timestamptz" SET v = NULL WHERE v > '294247-01-10' AND v <> 'infinity';
	SELECT 'CREATE TABLE t AS SELECT * FROM ' || string_agg(format('(SELECT id, v AS %1$I FROM %2$I) AS %2$I',
	       substr(relname, 3), relname), ' NATURAL FULL JOIN ' ORDER BY relname)
	  FROM pg_class WHERE relkind = 'r' AND relname LIKE 't %' AND relname !~ '^t (numeric|jsonb?)$' \gexec
	END
	exact() { python3 -c 'import json, sys; print(*sorted(json.dumps(r) for r in map(json.loads, sys.stdin) if "id" in r), sep="\n")'; }
	pg-extract -d "$db" t >frame
	s3-put --delta "file://$lake/" <frame
	delta rows lake/t >got
	cmp <(exact <frame) <(exact <got)
	[ "$(delta schema lake/t | grep -o : | wc -l)" -gt 80 ]
}

@test "numerics without a precision are text if --numeric-as says so, whatever the run that publishes them says" {
	n='{"name":"n","type":"numeric"}'
	run -65 bash -c "$(declare -f frame); frame '$id,$n' 1 '{\"id\":1,\"n\":1e100}' | s3-put --delta file://$lake/"
	[[ "$output" == *'--numeric-as string'* ]]
	[ ! -e lake/_commits ]
	frame "$id,$n" 1 '{"id":1,"n":1.50}' | s3-put --delta --numeric-as string "file://$lake/"
	[ "$(delta rows lake/t)" = '{"id":1,"n":"1.50"}' ]
	# the same of a step that was not published
	m='{"name":"n","type":"numeric(10,2)"}'
	lake=$PWD/other
	frame "$id,$m" 1 '{"id":1,"n":1.50}' | s3-put --format parquet --numeric-as string "file://$lake/"
	frame "$id,$m" 2 '{"id":2,"n":2.50}' | s3-put --delta --numeric-as string "file://$lake/"
	[ "$(delta rows other/t)" = $'{"id":1,"n":"1.50"}\n{"id":2,"n":"2.50"}' ]
	run -65 bash -c "$(declare -f frame); frame '$id,$m' 3 '{\"id\":3,\"n\":1}' | s3-put --delta file://$lake/"
	[[ "$output" == *'Delta table "t": column "n" was string there, and is decimal(10,2) now'* ]]
	[ "$(ls other/_commits | wc -l)" = 2 ]
}

@test "rows that a rival appends between our steps and during them are there with ours, each once" {
	put 0 --delta
	for i in $(seq 1 6); do
		delta add lake/t '{"id":'"$((100 + i))"',"v":"v'"$((100 + i))"'"}' & rival=$!
		for k in 0 1 2 3; do put $((i * 4 + k)) --delta >/dev/null; done
		wait $rival
	done
	diff <({ numbers 0 0; numbers 4 27; numbers 101 106; } | sort) <(delta rows lake/t)
	[ "$(delta version lake/t)" = 30 ]
	# a checkpoint came whoever made the twentieth version
	checkpoint=$(jq -r .version lake/t/_delta_log/_last_checkpoint)
	[ "$checkpoint" -ge 20 ]
	for ((i = 0; i <= checkpoint; i++)); do rm "$(log $i)"; done
	rm lake/t/_delta_log/*compacted.json
	diff <({ numbers 0 0; numbers 4 27; numbers 101 106; } | sort) <(delta rows lake/t)
}

@test "columns that a rival or the source adds are the table's, and older rows have none" {
	put 0 --delta
	delta widen lake/t theirs
	put 1 --delta
	frame "$id,$v,"'{"name":"ts","type":"timestamp"}' 2 '{"id":2,"v":"v2","ts":"2024-01-01T00:00:00"}' | s3-put --delta "file://$lake/"
	[ "$(delta schema lake/t)" = "id:integer v:string theirs:string ts:timestamp_ntz" ]
	diff - <(delta rows lake/t) <<-'END'
	{"id":0,"v":"v0","theirs":null,"ts":null}
	{"id":1,"v":"v1","theirs":null,"ts":null}
	{"id":2,"v":"v2","theirs":null,"ts":"2024-01-01T00:00:00"}
	END
	delta add lake/t '{"id":3,"theirs":"x"}'
	[ "$(delta rows lake/t | tail -1)" = '{"id":3,"v":null,"theirs":"x","ts":null}' ]
}

@test "a column of another type, and other partitions, are refused before anything is committed" {
	put 0 --delta
	run -65 bash -c "$(declare -f frame); frame '${id/int4/int8},$v' 1 '{\"id\":1}' | s3-put --delta file://$lake/"
	[[ "$output" == *'Delta table "t": column "id" was integer there, and is long now'*'hint: '* ]]
	run -65 bash -c "$(declare -f frame); frame '$id,$v' 1 '{\"id\":1}' | s3-put --delta --partition-by v file://$lake/"
	[[ "$output" == *'partitioned by nothing there, and by v now'* ]]
	[ "$(ls lake/_commits | wc -l)" = 1 ]
	put 1 --delta
	diff <(numbers 0 1) <(delta rows lake/t)
}

@test "steps put without --delta are published by the next with it, but not what is no Parquet" {
	put 0 --delta
	put 1 --format parquet
	put 2 --format parquet --compress snappy
	[ "$(delta version lake/t)" = 0 ]
	put 3 --delta
	[ "$(delta version lake/t)" = 3 ]
	diff <(numbers 0 3) <(delta rows lake/t)
	put 4 --format jsonl
	run -65 bash -c "$(declare -f frame); frame '$id,$v' 5 '{\"id\":5}' | s3-put --delta file://$lake/"
	[[ "$output" == *".jsonl is no Parquet"*"Begin a new lake"* ]]
	ti='{"name":"ti","type":"time"}'
	lake=$PWD/other
	frame "$id,$ti" 1 '{"id":1,"ti":"12:00:00"}' | s3-put --format parquet "file://$lake/"
	run -65 bash -c "$(declare -f frame); frame '$id,$ti' 5 '{\"id\":5}' | s3-put --delta file://$lake/"
	[[ "$output" == *"has times of day, which a Delta table has not"* ]]
}

@test "a commit that was lost after its record, or that is there already, is made once" {
	put 0 --delta
	put 1 --delta
	rm "$(log 1)" # a crash between record and Delta commit
	put 2 --delta
	diff <(numbers 0 2) <(delta rows lake/t)
	[ "$(delta version lake/t)" = 2 ]
	# the record that says what is published is lost to a run without --delta: the log says it
	put 3 --format parquet
	put 4 --delta
	diff <(numbers 0 4) <(delta rows lake/t)
	[ "$(delta version lake/t)" = 4 ]
}

@test "a version of a lost commit that Spark took stays Spark's, and the step gets another" {
	put 0 --delta
	put 1 --delta
	rm "$(log 1)"
	delta sql lake/t "INSERT INTO {t} VALUES (101, 'v101')"
	grep -q Apache-Spark "$(log 1)"
	put 2 --delta
	diff <({ numbers 0 2; numbers 101 101; } | sort) <(delta rows lake/t)
	[ "$(delta version lake/t)" = 3 ]
}

@test "killed at any moment and repeated, every row is there once" {
	RANDOM=${SEED:-7}
	killed=0
	for i in $(seq 0 19); do
		frame "$id,$v" "$i" '{"id":'"$i"',"v":"v'"$i"'"}' >step
		s3-put --delta "file://$lake/" <step >/dev/null 2>&1 & pid=$!
		sleep "0.0$((RANDOM % 40 + 10))"
		kill -KILL $pid 2>/dev/null && killed=$((killed + 1))
		wait $pid || true
		[ "$(s3-put --show-state "file://$lake/")" = '{"at":'"$i"'}' ] || s3-put --delta "file://$lake/" <step >/dev/null
	done
	put 20 --delta
	echo "# $killed killed" >&3
	diff <(numbers 0 20) <(delta rows lake/t)
}

@test "deleted rows are rows with _deleted, which a later step may bring first" {
	put 0 --delta
	frame "$id,$v" 1 '{"id":1,"v":"v1"}' '{"@delete":"t","key":{"id":0}}' | s3-put --delta "file://$lake/"
	put 2 --delta
	[ "$(delta schema lake/t)" = "id:integer v:string _deleted:boolean" ]
	diff - <(delta rows lake/t | sed 's/false/null/') <<-'END'
	{"id":0,"v":"v0","_deleted":null}
	{"id":0,"v":null,"_deleted":true}
	{"id":1,"v":"v1","_deleted":null}
	{"id":2,"v":"v2","_deleted":null}
	END
}

# partition_by TYPE VALUE... - rows 1... of a table that is partitioned by a column with these values, as all have it
# but polars, which takes the value from the file
partition_by() {
	local type=$1 n=0 rows=() lake
	shift
	lake=$(mktemp -d -p "$PWD")
	for value; do rows+=("{\"id\":$((++n)),\"p\":$value}"); done
	frame "$id,{\"name\":\"p\",\"type\":\"$type\"}" 1 "${rows[@]}" | s3-put --delta --partition-by p "file://$lake/" >/dev/null
	delta partitioned "$lake/t"
}

# same TYPE VALUE... - they are the values put, or NULL for what Delta has no word for
same() {
	local n=0
	diff <(shift; for value; do echo "{\"id\":$((++n)),\"p\":$value}"; done |
		sed -E 's/:"(|-?infinity|[0-9]{5}-.*|.* BC)"}/:null}/') <(partition_by "$@")
}

@test "partitions have the column's values, odd ones too; what Delta has no word for is NULL" {
	same bool true false null
	same int8 -9223372036854775808 9007199254740993
	same 'numeric(10,2)' -1.25 0.00 12345678.90
	same 'numeric(38,10)' 1234567890123456789012345678.0123456789
	same float4 1.5 0.1 '"NaN"' '"-Infinity"'
	same float8 0.1 5e-324 '"NaN"' '"Infinity"' 1e+200
	same text '"a/b c%2F=ü?"' null '""' '"'"'"'#"' '"a:b*[]{}"' '" "' '".."' '"__HIVE_DEFAULT_PARTITION__"' '"\"\t%"'
	same time '"12:00:00.5"' '"24:00:00"'
	same date '"2024-02-29"' '"0001-01-01"' '"1582-10-10"' '"1899-12-31"' '"9999-12-31"' '"10000-01-01"' '"0044-03-15 BC"' '"infinity"'
	same timestamp '"2024-02-29T12:00:00.5"' '"0001-01-01T00:00:00"' '"1582-10-10T01:02:03.000001"' '"infinity"' '"0044-03-15T00:00:00 BC"'
	same timestamptz '"2024-02-29T12:00:00Z"' '"1899-12-31T23:59:59.999999Z"' '"9999-12-31T23:59:59.999999Z"' '"-infinity"' '"10000-01-01T00:00:00Z"'
	run -2 bash -c "$(declare -f frame); frame '$id,{\"name\":\"p\",\"type\":\"jsonb\"}' 1 '{\"id\":1,\"p\":[]}' | s3-put --delta --partition-by p file://$PWD/none/"
	[[ "$output" == *'cannot be partitioned by "p", which is jsonb'* ]]
}

@test "a checkpoint has the values of partitions" {
	for i in $(seq 0 21); do
		frame "$id,"'{"name":"p","type":"date"}' "$i" '{"id":'$i',"p":"2024-01-0'$((i % 9 + 1))'"}' | s3-put --delta --partition-by p "file://$lake/" >/dev/null
	done
	[ "$(delta partitions lake/t)" = p ]
	delta rows lake/t >before
	[ "$(wc -l <before)" = 22 ]
	rm lake/t/_delta_log/{0000000000000000000?,0000000000000000001?}.json lake/t/_delta_log/*compacted.json
	diff before <(delta rows lake/t)
}

@test "on S3 they are the same, with a checkpoint and a rival" {
	fresh_bucket delta
	for i in $(seq 0 21); do frame "$id,$v" "$i" '{"id":'"$i"',"v":"v'"$i"'"}' | s3-put --delta "$bucket/lake/" >/dev/null; done
	diff <(numbers 0 21) <(delta rows "$bucket/lake/t")
	# deltalake itself does not write to a server without conditional writes
	aws_s3 sync --quiet "$bucket/lake/t" copy
	diff <(numbers 0 21) <(delta rows copy) # to Spark, too
	delta add copy '{"id":22,"v":"v22"}'
	aws_s3 sync --quiet copy "$bucket/lake/t"
	frame "$id,$v" 23 '{"id":23,"v":"v23"}' | s3-put --delta "$bucket/lake/"
	aws_s3 rm --quiet --recursive "$bucket/lake/t/_delta_log/" --exclude '*' --include '0000000000000000000?.json' --include '0000000000000000001?.json'
	diff <(numbers 0 23) <(delta rows "$bucket/lake/t")
	[ "$(delta version "$bucket/lake/t")" = 23 ]
}

@test "Spark appends, optimizes, updates, deletes, adds a column and makes checkpoints between our steps" {
	for i in $(seq 0 8); do put "$i" --delta >/dev/null; done
	delta sql lake/t "INSERT INTO {t} VALUES (109, 'v109')"
	delta sql lake/t "INSERT INTO {t} VALUES (110, 'v110')"
	[ -e lake/t/_delta_log/00000000000000000010.checkpoint.parquet ]
	for i in $(seq 11 14); do put "$i" --delta >/dev/null; done
	delta sql lake/t "OPTIMIZE {t}" >/dev/null
	delta sql lake/t "UPDATE {t} SET v = 'updated' WHERE id = 109" >/dev/null
	put 17 --delta
	delta sql lake/t "DELETE FROM {t} WHERE id = 3" >/dev/null
	delta sql lake/t "ALTER TABLE {t} ADD COLUMNS (theirs int COMMENT 'of a rival')"
	delta sql lake/t "INSERT INTO {t} VALUES (120, 'v120', 7)"
	for i in 21 22; do put "$i" --delta >/dev/null; done
	{
		{ numbers 0 2; numbers 4 8; numbers 11 14; numbers 17 17; numbers 21 22; numbers 110 110; } | sed 's/}$/,"theirs":null}/'
		echo '{"id":109,"v":"updated","theirs":null}'
		echo '{"id":120,"v":"v120","theirs":7}'
	} | sort >wanted
	diff wanted <(delta rows lake/t)
	[ "$(delta schema lake/t)" = "id:integer v:string theirs:integer" ]
	[ "$(delta version lake/t)" = 22 ]
	[ "$(delta sql lake/t "DESCRIBE HISTORY {t}" | grep -c '"engineInfo": "starpipe"')" = 16 ]
	[ "$(delta sql lake/t "SELECT count(*) AS n FROM {t} VERSION AS OF 8")" = '{"n": 9}' ]
	for ((i = 0; i <= 20; i++)); do rm "$(log $i)"; done
	diff wanted <(delta rows lake/t)
}

@test "our steps and Spark's appends race, and every row is there once" {
	put 0 --delta
	delta sql lake/t "SELECT count(*) FROM {t}" >/dev/null
	for i in $(seq 101 106); do delta sql lake/t "INSERT INTO {t} VALUES ($i, 'v$i')" || exit; done & rival=$!
	n=1
	while kill -0 $rival 2>/dev/null; do
		put $n --delta >/dev/null
		n=$((n + 1))
		sleep .2
	done
	wait $rival
	echo "# $n of ours" >&3
	diff <({ numbers 0 $((n - 1)); numbers 101 106; } | sort) <(delta rows lake/t)
	[ "$(delta version lake/t)" = $((n + 5)) ]
}

@test "a short log that others clean up goes on; a new column is refused until the log says the columns again" {
	for i in $(seq 0 5); do put "$i" --delta >/dev/null; done
	delta clean lake/t
	[ ! -e "$(log 4)" ]
	put 6 --delta
	put 7 --delta
	diff <(numbers 0 7) <(delta rows lake/t)
	frame "$id,$v,"'{"name":"w","type":"text"}' 8 '{"id":8,"v":"v8"}' >wider
	run -65 s3-put --delta "file://$lake/" <wider
	[[ "$output" == *'Delta table "t": others have cleaned up its log, which does not say its columns any more'*'hint: Set any property'* ]]
	[ "$(ls lake/_commits | wc -l)" = 8 ]
	delta sql lake/t "ALTER TABLE {t} SET TBLPROPERTIES ('any' = 'thing')"
	s3-put --delta "file://$lake/" <wider
	diff <(numbers 0 8 | sed 's/}$/,"w":null}/') <(delta rows lake/t)
}

@test "others may clean up the log: columns and checkpoints go on from what is left" {
	for i in $(seq 0 18); do put "$i" --delta >/dev/null; done
	delta widen lake/t theirs
	delta add lake/t '{"id":20,"v":"v20"}'
	put 21 --delta
	delta clean lake/t
	[ ! -e "$(log 19)" ]
	frame "$id,$v,"'{"name":"ts","type":"timestamp"}' 22 '{"id":22,"v":"v22"}' | s3-put --delta "file://$lake/"
	[ "$(delta schema lake/t)" = "id:integer v:string theirs:string ts:timestamp_ntz" ]
	for i in $(seq 23 40); do put "$i" --delta 2>>warnings >/dev/null; done
	[ ! -s warnings ]
	[ "$(jq .version lake/t/_delta_log/_last_checkpoint)" = 40 ]
	for ((i = 21; i < 40; i++)); do rm "$(log $i)"; done
	diff <({ numbers 0 18; numbers 20 40; } | sort) <(delta rows lake/t | sed 's/,"theirs":null,"ts":null//')
}

@test "a log that others have cleaned up beyond what is known of it is refused, and nothing is committed" {
	for i in 0 1 2; do put "$i" --delta >/dev/null; done
	for i in 103 104; do delta add lake/t '{"id":'$i',"v":"v'$i'"}'; done
	delta clean lake/t
	[ ! -e "$(log 3)" ]
	run -65 bash -c "$(declare -f frame put); id='$id' v='$v' lake='$lake'; put 5 --delta"
	[[ "$output" == *'Delta table "t": others have cleaned up its log beyond version '*'hint: '* ]]
	[ "$(ls lake/_commits | wc -l)" = 3 ]
	diff <({ numbers 0 2; numbers 103 104; } | sort) <(delta rows lake/t)
}
