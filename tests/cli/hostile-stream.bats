# Streams, CSV files and stores that somebody made to harm whoever reads them: an error, or what they say.
load ../lib/helpers

head='{"@table":"t","columns":[{"name":"a","type":"text"}],"key":["a"]}'

# refused CODE REASON: standard input is, by each reader, in a second and without much memory
refused() {
	cat >in
	for reader in "jsonl2csv --table t" "jsonl2parquet --table t"; do
		run --separate-stderr bash -c "limit_memory 1000000; timeout 20 $reader <in >out"
		[ "$status" = "$1" ] && [[ $stderr == *"$2"* ]] || { echo "$reader: $status $stderr"; return 1; }
	done
}

setup() { cd "$BATS_TEST_TMPDIR"; }

@test "a control line that is not what it should be is exit 65" {
	echo '{"@end":{"rows":[1]}}' | refused 65 'malformed control line'
	echo '{"@end":{"rows":7}}' | refused 65 'malformed control line'
	echo '{"@table":"t","columns":[],"foreign":[{"columns":["a",5],"table":"t","references":["a","b"]}]}' | refused 65 'a name is not a string'
	echo '{"@table":"t","columns":[],"foreign":[{"columns":["a","b","c","d","e"],"table":"t","references":["a"]}]}' | refused 65 'as many references'
	echo '{"@table":"t","columns":{"name":"a"}}' | refused 65 'lists of its columns and keys'
	echo '{"@table":"t","columns":[],"key":{"a":1}}' | refused 65 'lists of its columns and keys'
	echo '{"@table":"t","columns":[],"mode":7}' | refused 65 'mode is neither full nor changes'
	printf '%s\n' "$head" '{"@state":{"a":"\ud800"}}' | refused 65 'half a surrogate pair'
}

@test "what a @delete says besides the key is no end of all rows" {
	for other in '"k\u0065y":{"a":1}' '"kye":{"a":1}' '"key":{"a":1},"and":1' '"key":null'; do
		printf '%s\n' "$head" "{\"@delete\":\"t\",$other}" | refused 65 'something else than a key'
	done
}

@test "@end counts each table, and none twice" {
	printf '%s\n' "$head" '{"a":"x"}' '{"@table":"u","columns":[]}' '{}' '{"@end":{"rows":{"t":1,"t":1}}}' | refused 65 'counts a table twice'
}

@test "nesting without end is an error, not a crash" {
	python3 -c 'print("{\"@table\":\"t\",\"columns\":" + "[" * 4000 + "]" * 4000 + "}")' | refused 65 'nested too deeply'
	python3 -c 'print("'"${head//\"/\\\"}"'\n{\"@state\":{\"a\":" + "[" * 1000000 + "]" * 1000000 + "}}")' | refused 65 'nested too deeply'
	python3 -c 'print("'"${head//\"/\\\"}"'\n{\"a\":" + "[" * 1000000 + "]" * 1000000 + "}")' | refused 65 'nested too deeply'
}

@test "columns are as many as PostgreSQL's, of a frame, of bare rows and of CSV" {
	columns() { python3 -c 'n = '"$1"'
print("{\"@table\":\"t\",\"columns\":[" + ",".join("{\"name\":\"c%d\",\"type\":\"text\"}" % i for i in range(n)) + "]}\n{}\n{\"@end\":{\"rows\":{\"t\":1}}}")'; }
	columns 1600 | jsonl2csv >out
	[ "$(head -1 out | tr , '\n' | wc -l)" = 1600 ]
	columns 1601 | refused 65 'more than 1600 columns'
	python3 -c 'print("{" + ",".join("\"c%d\":1" % i for i in range(100000)) + "}")' | refused 65 'more than 1600 columns'
	echo '{"a":1,"a":2}' | refused 65 'column "a" comes twice'
	run --separate-stderr bash -c 'seq -s , 300000 | timeout 20 csv2jsonl'
	[ "$status" = 65 ] && [[ $stderr == *'more than 1600 columns'* ]]
}

@test "tables of a stream take time and memory in proportion to their announcements" {
	python3 -c '
n = 30000
for i in range(n): print("{\"@table\":\"t%d\",\"columns\":[{\"name\":\"a\",\"type\":\"text\"}]}" % i)
for i in range(n): print("{\"@table\":\"t%d\"}\n{\"a\":\"%d\"}" % (n - 1 - i, i))
print("{\"@end\":{\"rows\":{" + ",".join("\"t%d\":1" % i for i in range(n)) + "}}}")' >in
	run bash -c 'limit_memory 400000; timeout 20 jsonl2csv --table t5 <in'
	[ "$status" = 0 ] && [ "$output" = $'a\n29994' ]
	python3 -c '
for i in range(40):
    print("{\"@table\":\"t%d\",\"columns\":[{\"name\":\"%s\",\"type\":\"text\"}]}" % (i, "x" * 2000000))' | refused 65 'bytes to announce'
	python3 -c 'print("{\"@table\":\"t\",\"columns\":[{\"name\":\"%s\",\"type\":\"text\"}]}" % ("x" * 5000000))' | refused 65 'longer than 4194304 bytes'
}

@test "a row of one NULL goes through CSV, a row without columns does not" {
	printf '{"a":null}\n{"a":"x"}\n{"a":null}\n' >rows
	jsonl2csv <rows | tee csv | csv2jsonl | diff - rows
	sed 's/$/\r/' csv | csv2jsonl | diff - rows
	[ "$(printf 'a,b\n\n1,2\n\n' | csv2jsonl)" = '{"a":"1","b":"2"}' ]
	run --separate-stderr bash -c "printf '{}\n{}\n' | jsonl2csv"
	[ "$status" = 65 ] && [[ $stderr == *'CSV has no form for a row without columns'* ]]
	printf '%s\n' '{"@table":"t","columns":[],"mode":"full"}' '{}' '{}' '{"@end":{"rows":{"t":2}}}' >frame
	jsonl2parquet <frame | parquet2jsonl | diff - frame
}

@test "CSV that is no CSV is exit 65" {
	for csv in 'a\n"x' 'a\n"x"y\n' 'a,a\n1,2\n' 'a\n\377\n' 'a,b\n1\n' 'a\nx\0y\n'; do
		run --separate-stderr bash -c "printf '$csv' | timeout 20 csv2jsonl"
		[ "$status" = 65 ] || { echo "$csv: $status $output"; false; }
	done
	run --separate-stderr bash -c '(echo a; yes xxxxxxxxx | head -c 30000000 | tr -d "\n") | (limit_memory 200000; csv2jsonl --max-row 1M)'
	[ "$status" = 65 ] && [[ $stderr == *'row 2 is longer than 1048576 bytes'* ]]
	run --separate-stderr bash -c '(echo a; head -c 3000000 /dev/zero | tr "\0" ,) | timeout 20 csv2jsonl'
	[ "$status" = 65 ] && [[ $stderr == *'row 2 is longer than 1048576 fields'* ]]
}

@test "a store that star-transform did not write is exit 65" {
	cat >star.sql <<-'X'
	CREATE TABLE d (a text PRIMARY KEY, b text);
	INSERT INTO d SELECT t.a, u.b FROM t JOIN u USING (a);
	X
	u='{"@table":"u","columns":[{"name":"a","type":"text"},{"name":"b","type":"text"}],"key":["a"]}'
	printf '%s\n' "$head" "$u" '{"@end":{"rows":{"t":0,"u":0}}}' >in
	try() {
		printf '%s\n' "${@:2}" >store
		run --separate-stderr timeout 20 star-transform --store store star.sql <in
		[ "$status" = 65 ] && [[ $stderr == *"$1"*'It is no store'* ]] || { echo "$* $status $stderr"; return 1; }
	}
	wide='{"@table":"w","columns":[{"name":"k","type":"text"}'$(printf ',{"name":"c%d","type":"text"}' $(seq 1000))'],"key":["k"]}'
	try 'no deleted rows' "$head" '{"a":"1"}' "$wide" '{"@delete":"t","key":{"a":"1"}}' '{"a":"1"}'
	try 'each table once' "$head" "$head" '{"@end":{"rows":{"t":0}}}'
	try 'each table once' "$head" "$wide" '{"@table":"t"}' '{"a":"1"}' '{"@end":{"rows":{"t":1,"w":0}}}'
	try 'whole tables with keys' "${head/,\"key\":\[\"a\"\]/}" '{"a":"1"}' '{"@end":{"rows":{"t":1}}}'
	try 'whole tables with keys' "${head/\}*/\}],\"key\":[\"a\"],\"mode\":\"changes\"\}}" '{"@end":{"rows":{"t":0}}}'
	try 'one state' "$head" '{"@state":{"source":"x"}}' '{"@state":{"source":"x"}}' '{"@end":{"rows":{"t":0}}}'
}
