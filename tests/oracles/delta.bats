# Delta tables of s3-put --delta as others have them: deltalake and polars read them, and deltalake writes into them
# between our steps. `make test-oracles` installs both. DuckDB reads Delta by an extension, which comes from the network.
load ../lib/helpers

setup() {
	[ -x "$STARPIPE_TOP/build/oracles/bin/python" ] || skip "make test-oracles installs deltalake and polars"
	cd "$BATS_TEST_TMPDIR"
	lake=$PWD/lake
}

delta() { "$STARPIPE_TOP/build/oracles/bin/python" "$STARPIPE_TOP/tests/oracles/delta.py" "$@"; }

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

# numbers FIRST LAST - rows of these ids as delta.py prints them
numbers() { for ((n = $1; n <= $2; n++)); do echo '{"id": '"$n"', "v": "v'"$n"'"}'; done | sort; }

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
	"$STARPIPE_TOP/build/oracles/bin/python" - lake/t/_delta_log/*20.checkpoint.parquet <<-'END'
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
	frame "$columns" 1 '{"id":1,"n":-1.25,"ts":"2024-02-29T00:00:00.5","tz":"2024-01-01T00:00:00Z","d":"1969-12-31","ti":"12:00:00.5","b":true,"by":"\\x00ff","i8":9223372036854775807,"i2":-32768,"f4":1.5,"f8":0.1,"j":{"a":1},"a":[1,null],"u":"00000000-0000-0000-0000-000000000000"}' '{"id":2}' |
		s3-put --delta "file://$lake/"
	run -0 delta schema lake/t
	[ "$output" = "id:integer n:decimal(10,2) ts:timestamp_ntz tz:timestamp d:date ti:string b:boolean by:binary i8:long i2:short f4:float f8:double j:string a:string u:string" ]
	run -0 delta rows lake/t
	echo "$output"
	[ "${lines[0]}" = '{"id": 1, "n": "-1.25", "ts": "2024-02-29 00:00:00.500000", "tz": "2024-01-01 00:00:00+00:00", "d": "1969-12-31", "ti": "12:00:00.5", "b": true, "by": "b'"'"'\\x00\\xff'"'"'", "i8": 9223372036854775807, "i2": -32768, "f4": 1.5, "f8": 0.1, "j": "{\"a\":1}", "a": "[1,null]", "u": "00000000-0000-0000-0000-000000000000"}' ]
	[[ "${lines[1]}" == '{"id": 2, "n": null, '*'"u": null}' ]]
}

@test "numerics without a precision are text if --numeric-as says so, whatever the run that publishes them says" {
	n='{"name":"n","type":"numeric"}'
	run -65 bash -c "$(declare -f frame); frame '$id,$n' 1 '{\"id\":1,\"n\":1e100}' | s3-put --delta file://$lake/"
	[[ "$output" == *'--numeric-as string'* ]]
	[ ! -e lake/_commits ]
	frame "$id,$n" 1 '{"id":1,"n":1.50}' | s3-put --delta --numeric-as string "file://$lake/"
	[ "$(delta rows lake/t)" = '{"id": 1, "n": "1.50"}' ]
	# the same of a step that was not published
	m='{"name":"n","type":"numeric(10,2)"}'
	lake=$PWD/other
	frame "$id,$m" 1 '{"id":1,"n":1.50}' | s3-put --format parquet --numeric-as string "file://$lake/"
	frame "$id,$m" 2 '{"id":2,"n":2.50}' | s3-put --delta --numeric-as string "file://$lake/"
	[ "$(delta rows other/t)" = $'{"id": 1, "n": "1.50"}\n{"id": 2, "n": "2.50"}' ]
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
	{"id": 0, "v": "v0", "theirs": null, "ts": null}
	{"id": 1, "v": "v1", "theirs": null, "ts": null}
	{"id": 2, "v": "v2", "theirs": null, "ts": "2024-01-01 00:00:00"}
	END
	delta add lake/t '{"id":3,"theirs":"x"}'
	[ "$(delta rows lake/t theirs | sort -u | wc -l)" = 2 ]
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
	{"id": 0, "v": "v0", "_deleted": null}
	{"id": 0, "v": null, "_deleted": true}
	{"id": 1, "v": "v1", "_deleted": null}
	{"id": 2, "v": "v2", "_deleted": null}
	END
}

@test "partitions have the column's values, odd ones too; what Delta has no word for is NULL" {
	p='{"name":"p","type":"TYPE"}'
	frame "$id,${p/TYPE/text}" 1 '{"id":1,"p":"a/b c%2F=ü?"}' '{"id":2,"p":null}' '{"id":3,"p":""}' '{"id":4,"p":"'"'"'#"}' |
		s3-put --delta --partition-by p "file://$lake/"
	[ "$(delta partitions lake/t)" = p ]
	diff - <(delta deltalake lake/t) <<-'END'
	{"id": 1, "p": "a/b c%2F=ü?"}
	{"id": 2, "p": null}
	{"id": 3, "p": null}
	{"id": 4, "p": "'#"}
	END
	for t in date:2024-02-29:10000-01-01 timestamp:2024-02-29T12:00:00.5:infinity timestamptz:2024-02-29T12:00:00Z:-infinity; do
		good=${t#*:} good=${good%:*}
		lake=$PWD/lake-${t%%:*}
		frame "$id,${p/TYPE/${t%%:*}}" 1 '{"id":1,"p":"'"$good"'"}' '{"id":2,"p":"'"${t##*:}"'"}' | s3-put --delta --partition-by p "file://$lake/"
		run -0 delta deltalake "$lake/t"
		echo "$output"
		[[ "${lines[0]}" == '{"id": 1, "p": "2024-02-29'* ]]
		[ "${lines[1]}" = '{"id": 2, "p": null}' ]
	done
	run -2 bash -c "$(declare -f frame); frame '$id,${p/TYPE/jsonb}' 1 '{\"id\":1,\"p\":[]}' | s3-put --delta --partition-by p file://$PWD/none/"
	[[ "$output" == *'cannot be partitioned by "p", which is jsonb'* ]]
	for i in $(seq 2 22); do
		frame "$id,${p/TYPE/date}" "$i" '{"id":'$i',"p":"2024-01-0'$((i % 9 + 1))'"}' | s3-put --delta --partition-by p "file://$PWD/lake-date/" >/dev/null
	done
	delta deltalake lake-date/t >before
	rm lake-date/t/_delta_log/{0000000000000000000?,0000000000000000001?}.json lake-date/t/_delta_log/*compacted.json
	diff before <(delta deltalake lake-date/t)
}

@test "on S3 they are the same, with a checkpoint and a rival" {
	fresh_bucket delta
	for i in $(seq 0 21); do frame "$id,$v" "$i" '{"id":'"$i"',"v":"v'"$i"'"}' | s3-put --delta "$bucket/lake/" >/dev/null; done
	diff <(numbers 0 21) <(delta rows "$bucket/lake/t")
	# deltalake itself does not write to a server without conditional writes
	aws_s3 sync --quiet "$bucket/lake/t" copy
	delta add copy '{"id":22,"v":"v22"}'
	aws_s3 sync --quiet copy "$bucket/lake/t"
	frame "$id,$v" 23 '{"id":23,"v":"v23"}' | s3-put --delta "$bucket/lake/"
	for i in $(seq -w 0 20); do aws_s3 rm --quiet "$bucket/lake/t/_delta_log/000000000000000000$i.json"; done
	diff <(numbers 0 23) <(delta rows "$bucket/lake/t")
	[ "$(delta version "$bucket/lake/t")" = 23 ]
}

@test "DuckDB reads them, where its extension is" {
	put 0 --delta
	put 1 --delta
	duck() { "$STARPIPE_TOP/build/oracles/bin/python" -c "import duckdb; duckdb.sql('LOAD delta'); print(duckdb.sql(\"SELECT count(*) FROM delta_scan('lake/t')\").fetchone()[0])"; }
	if ! duck >out 2>err; then # it is downloaded, and not everywhere: no reason to fail
		grep -qi extension err
		echo "# DuckDB's delta extension is not here" >&3
		return
	fi
	[ "$(cat out)" = 2 ]
}
