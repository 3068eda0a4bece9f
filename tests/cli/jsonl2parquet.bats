# jsonl2parquet: what its page promises. That others read the files alike is in oracles/parquet.bats.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	head='{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"v","type":"TYPE"}],"key":["id"],"mode":"full"}'
}

# frame TYPE VALUE... - a table whose column v has these values
frame() {
	local n=0 v
	echo "${head/TYPE/$1}"
	shift
	for v; do n=$((n + 1)); echo "{\"id\":$n,\"v\":$v}"; done
	echo "{\"@end\":{\"rows\":{\"t\":$n}}}"
}

# numbers DIGITS ROWS - a table with a text of random digits, which no codec makes small
numbers() {
	echo "${head/TYPE/text}"
	awk -v digits="$1" -v n="$2" 'BEGIN { srand(1); for (i = 1; i <= n; i++) { s = ""
		while (length(s) < digits) s = s int(rand() * 1e9); print "{\"id\":" i ",\"v\":\"" s "\"}" } }'
	echo "{\"@end\":{\"rows\":{\"t\":$2}}}"
}

@test "the file goes into a pipe, begins and ends with PAR1, and gives the same frame" {
	for codec in zstd snappy gzip none; do
		frame 'numeric(10,2)' 1.50 null -99999999.99 >in
		jsonl2parquet --compress $codec <in | cat >out.parquet
		[ "$(head -c 4 out.parquet)" = PAR1 ]
		[ "$(tail -c 4 out.parquet)" = PAR1 ]
		diff in <(parquet2jsonl out.parquet)
	done
}

@test "key, foreign keys, mode, load, generated columns and the state come back" {
	cat >in <<-'END'
	{"@table":"f","columns":[{"name":"sk","type":"int4","notnull":true,"generated":"serial"},{"name":"id","type":"int2","notnull":true},{"name":"p","type":"varchar(3)"}],"key":["id"],"foreign":[{"columns":["p"],"table":"p","references":["c"]}],"mode":"changes","load":"history"}
	{"id":1,"p":"abc"}
	{"@state":{"source":"x","at":[1,2]}}
	{"@end":{"rows":{"f":1}}}
	END
	diff in <(jsonl2parquet <in | parquet2jsonl)
	# a state that rows follow is not the file's
	sed '2{h;p;}; 3{p;x;}; s/"f":1/"f":3/' in | jsonl2parquet | parquet2jsonl >out
	[ "$(grep -c '^{"@state"' out)" = 0 ]
	[ "$(wc -l <out)" = 5 ]
}

@test "a table without rows, and one without columns, are files" {
	frame int4 >in
	diff in <(jsonl2parquet <in | parquet2jsonl)
	printf '{"@table":"n","columns":[],"mode":"full"}\n{}\n{}\n{"@end":{"rows":{"n":2}}}\n' >in
	diff in <(jsonl2parquet <in | parquet2jsonl)
}

@test "numeric without a precision is an error that says what to do, or text" {
	frame numeric 1.10 '"NaN"' 1e100 >in
	run jsonl2parquet <in
	[ "$status" -eq 65 ]
	[[ "$output" == *'column "v": Parquet has no number for the type numeric'* ]]
	[[ "$output" == *'--numeric-as string'* ]]
	jsonl2parquet --numeric-as string <in | parquet2jsonl | diff in -
	frame 'numeric(39,2)' 1.10 >in
	run jsonl2parquet <in
	[ "$status" -eq 65 ]
	[[ "$output" == *'38 digits'* ]]
	# a scale below 0 or above the precision has a DECIMAL all the same
	frame 'numeric(3,-2)' 12300 -99900 >in
	diff in <(jsonl2parquet <in | parquet2jsonl)
	frame 'numeric(2,5)' 0.00012 -0.00099 >in
	diff in <(jsonl2parquet <in | parquet2jsonl)
}

@test "what the column's type cannot hold is exit 65, names line and column, and leaves no footer" {
	while IFS='|' read -r type value; do
		run bash -c "$(declare -f frame); head='$head' frame '$type' null '$value' | jsonl2parquet >out.parquet"
		[ "$status" -eq 65 ] || { echo "$type $value: $status"; false; }
		[[ "$output" == *'standard input: line 3 (table "t"): column "v": '* ]] || { echo "$output"; false; }
		[ "$(tail -c 4 out.parquet)" != PAR1 ] || [ ! -s out.parquet ] || [ "$(wc -c <out.parquet)" = 4 ]
	done <<-'END'
	numeric(10,2)|"NaN"
	numeric(10,2)|1.005
	numeric(10,2)|100000000.00
	numeric(38,0)|100000000000000000000000000000000000000
	numeric(20,19)|10.0
	int2|32768
	int4|"1"
	int8|9223372036854775808
	bool|1
	bytea|"\\x0"
	bytea|"\\xgg"
	bytea|"00"
	text|5
	text|"\u0000"
	date|"2023-02-29"
	timestamp|"294276-12-31T23:59:59.999999"
	timestamp|"2024-01-01T25:00:00"
	time|"24:00:01"
	END
}

@test "a frame that is cut short is exit 76, and its file has no footer" {
	frame int4 1 2 | head -2 >in
	run bash -c 'jsonl2parquet <in >out.parquet'
	[ "$status" -eq 76 ]
	run parquet2jsonl out.parquet
	[ "$status" -eq 65 ]
	run jsonl2parquet </dev/null
	[ "$status" -eq 76 ]
}

@test "a stream of several tables needs one to be named" {
	{ frame int4 1 | head -2; echo '{"@table":"u","columns":[{"name":"y","type":"text"}]}'; echo '{"y":"z"}'
		echo '{"@end":{"rows":{"t":1,"u":1}}}'; } >in
	run jsonl2parquet <in
	[ "$status" -eq 2 ]
	[[ "$output" == *'tables "t" and "u"'*'--table'* ]]
	[ "$(jsonl2parquet --table u <in | parquet2jsonl --rows)" = '{"y":"z"}' ]
	run jsonl2parquet --table w <in
	[ "$status" -eq 65 ]
}

@test "bare rows need their table's name" {
	run bash -c "echo '{\"a\":\"x\"}' | jsonl2parquet"
	[ "$status" -eq 65 ]
	run bash -c "echo '{\"a\":\"x\",\"b\":true,\"c\":{\"d\":[1]}}' | jsonl2parquet --table t | parquet2jsonl"
	[ "${lines[1]}" = '{"a":"x","b":true,"c":{"d":[1]}}' ]
}

@test "deleted rows are an error, or a column _deleted from which they come back" {
	cat >in <<-'END'
	{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"v","type":"text"}],"key":["id"],"mode":"changes"}
	{"id":1,"v":"a"}
	{"@delete":"t","key":{"id":1}}
	{"id":2,"v":null}
	{"@delete":"t"}
	{"id":3,"v":"c"}
	{"@end":{"rows":{"t":3}}}
	END
	run jsonl2parquet <in
	[ "$status" -eq 65 ]
	[[ "$output" == *'--deletes'* ]]
	jsonl2parquet --deletes <in >out.parquet
	diff in <(parquet2jsonl out.parquet)
	run parquet2jsonl --rows out.parquet
	[ "$status" -eq 65 ]
	sed -i 's/"v"/"_deleted"/' in
	run jsonl2parquet --deletes <in
	[ "$status" -eq 65 ]
	[[ "$output" == *'has a column "_deleted" already'* ]]
}

@test "an option that is nothing is exit 2, and says what it may be; s3-put says the same" {
	while IFS='|' read -r option says; do
		for tool in jsonl2parquet "s3-put --format parquet file://$PWD/lake/"; do
			run -2 $tool $option </dev/null
			[[ "$output" == *"error: $says"* ]]
		done
	done <<-'END'
	--compress lz4|--compress: "lz4" is neither zstd, snappy, gzip nor none
	--numeric-as text|--numeric-as: "text" is neither decimal nor string
	--row-group-size 1|--row-group-size is 1024 at least
	END
	[ ! -e lake ]
}

@test "values that were chosen to clash in the dictionary cost no more time than others" {
	python3 - >in <<-'END'
	inverse = pow(0x9e3779b97f4a7c15, -1, 2**64)
	columns = [f'c{i}' for i in range(12)]
	print('{"@table":"t","columns":[' + ','.join('{"name":"%s","type":"int8"}' % c for c in columns) + ']}')
	for row in range(130000):
	    v = row // 2 * inverse % 2**64
	    v -= (v >> 63) << 64
	    print('{' + ','.join(f'"{c}":{v}' for c in columns) + '}')
	print('{"@end":{"rows":{"t":130000}}}')
	END
	timeout 20 jsonl2parquet <in >out.parquet
	parquet2jsonl --rows out.parquet | cmp - <(grep -v @ in)
}

@test "a terminal is refused" {
	need script
	run script -qec "echo '{\"a\":1}' | jsonl2parquet" /dev/null
	[ "$status" -eq 2 ]
	[[ "$output" == *'terminal'* ]]
}

@test "a file that cannot be written is exit 1" {
	run bash -c "echo '{\"a\":\"x\"}' | jsonl2parquet --table t >/dev/full"
	[ "$status" -eq 1 ]
	[[ "$output" == *'No space left on device'* ]]
}

@test "row groups are as large as --row-group-size says, and memory stays under 64 MiB whatever the rows are" {
	numbers 200 20000 >in
	jsonl2parquet --row-group-size 64K <in >small.parquet
	jsonl2parquet <in >large.parquet
	[ "$(wc -c <small.parquet)" -gt "$(wc -c <large.parquet)" ]
	cmp <(parquet2jsonl small.parquet) in
	cmp <(parquet2jsonl large.parquet) in
	command time -f %M -o kib jsonl2parquet --compress none < <(numbers 2000 40000) >large.parquet
	bounded "$(tail -1 kib)"
	command time -f %M -o kib parquet2jsonl large.parquet >/dev/null
	bounded "$(tail -1 kib)"
}
