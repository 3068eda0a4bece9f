# jsonl2csv, and what PostgreSQL reads of it.
load ../lib/helpers

@test "NULL and the empty text differ in CSV, there and back" {
	run bash -o pipefail -c "printf '{\"a\":null,\"b\":\"\"}\n{\"a\":\"x\",\"b\":\"y,\\\\\"z\"}\n' | jsonl2csv"
	[ "$status" -eq 0 ]
	[ "$output" = $'a,b\n,""\nx,"y,""z"' ]
	run bash -o pipefail -c "printf 'a,b\n,\"\"\nx,\"y,\"\"z\"\n' | csv2jsonl"
	[ "$output" = $'{"a":null,"b":""}\n{"a":"x","b":"y,\\"z"}' ]
}

@test "a database's table goes through CSV and is the same" {
	totesys_db shop 500
	pg-extract -d "$db" | jsonl2csv --table address >"$BATS_TEST_TMPDIR/address.csv"
	q "CREATE TABLE copy (LIKE address)"
	psql -qX -d "$db" -c "\copy copy FROM $BATS_TEST_TMPDIR/address.csv CSV HEADER"
	[ "$(q "SELECT count(*) FROM copy")" -gt 0 ]
	[ "$(q "SELECT count(*) FROM ((TABLE address EXCEPT ALL TABLE copy) UNION ALL (TABLE copy EXCEPT ALL TABLE address)) d")" = 0 ]
}

@test "every type of PostgreSQL's goes through CSV and is the same" {
	fresh_db types
	q "CREATE TABLE t (i int8, n numeric, f float8, b bool, d date, ts timestamptz, a int[], ta text[], j jsonb, x bytea, iv interval)"
	q "INSERT INTO t VALUES (-9223372036854775808, 'NaN', 'Infinity', true, '0044-03-15 BC', 'infinity',
		'{{1,NULL},{3,4}}', ARRAY['a,b', 'c\"d', 'NULL', NULL, ''], '{\"a\": [\"x\", null]}', '\x00ff0a', '-1 mon 02:03:04.5'),
		(1, 1e-30, 1e300, false, '2024-02-29', '2024-02-29 12:00+02', '{}', '{}', '\"text\"', '', '1 day'),
		(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
	pg-extract -d "$db" t | jsonl2csv >"$BATS_TEST_TMPDIR/t.csv"
	q "CREATE TABLE copy (LIKE t)"
	psql -qX -d "$db" -c "\copy copy FROM $BATS_TEST_TMPDIR/t.csv CSV HEADER"
	[ "$(q "SELECT count(*) FROM (SELECT t::text FROM t EXCEPT ALL SELECT copy::text FROM copy) d")" = 0 ]
}

@test "a stream of several tables needs one to be named" {
	stream='{"@table":"a","columns":[{"name":"x","type":"int4"}]}\n{"@table":"b","columns":[{"name":"y","type":"int4"}]}\n{"y":1}\n{"@end":{"rows":{"a":0,"b":1}}}\n'
	run bash -c "printf '$stream' | jsonl2csv"
	[ "$status" -eq 2 ]
	[[ "$output" == *"--table"* ]]
	run bash -c "printf '$stream' | jsonl2csv --table b"
	[ "$output" = $'y\n1' ]
	run bash -c "printf '$stream' | jsonl2csv --table a"
	[ "$output" = "x" ]
}

@test "a frame that is cut short is exit 76" {
	run bash -c "printf '{\"@table\":\"a\",\"columns\":[{\"name\":\"x\",\"type\":\"int4\"}]}\n{\"x\":1}\n' | jsonl2csv"
	[ "$status" -eq 76 ]
}

@test "an empty input is exit 76, whatever options say: there is not even a header to write" {
	for options in "" --framed "--table a" "--table a --framed" --no-header; do
		run --separate-stderr bash -c "jsonl2csv $options </dev/null"
		[ "$status" -eq 76 ] || { echo "$options: $status"; false; }
		[ -z "$output" ]
		[[ "$stderr" == *"standard input is empty"* ]]
	done
	run -76 bash -c "echo | jsonl2csv"
}

@test "a text that a spreadsheet would run is left exact, and the page's guard disarms it" {
	rows='{"a":"=1+1","b":-1}\n{"a":"@x","b":2}\n{"a":"\\tx","b":3}\n{"a":"x=1","b":4}\n'
	diff <(printf "$rows" | jsonl2csv --no-header) <(printf '=1+1,-1\n@x,2\n\tx,3\nx=1,4\n')
	guard=$(sed -n '/jq -c .map_values/,/| jsonl2csv\|jsonl2csv$/p' "$STARPIPE_TOP/man/jsonl2csv.1" | sed 's/\\e/\\/g')
	diff <(printf "$rows" | bash -c "$guard --no-header") <(printf "'=1+1,-1\n'@x,2\n'\tx,3\nx=1,4\n")
}
