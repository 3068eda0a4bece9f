# A lake into which others write: objects, commit records, Delta logs and links that s3-put did not make. Neither s3-get
# nor s3-put nor a loader behind them may be led beyond the lake, hang, or take for whole what was not verified.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	lake=file://$PWD/lake/
	record=lake/_commits/00000000000000000001.json
}

# rows X... - a stream of table t with these rows
rows() {
	echo '{"@table":"t","columns":[{"name":"x","type":"int4"},{"name":"p","type":"text"}],"key":["x"],"mode":"full"}'
	printf '{"x":%s,"p":"a"}\n' "$@"
	echo '{"@state":{"at":1}}'
	echo '{"@end":{"rows":{"t":'$#'}}}'
}

# object - the lake's only object
object() { find lake/t -type f -name '*[jcp]*' ! -path '*/_delta_log/*'; }

# seal - make the record agree with the object's bytes and checksum, as whoever writes records can
seal() {
	local f
	f=$(object)
	jq --arg s "$(sha256sum <"$f" | cut -c1-64)" --argjson b "$(stat -c %s "$f")" \
		'.objects[0].sha256 = $s | .objects[0].bytes = $b' "$record" >sealed
	cat sealed >"$record"
}

# refused MESSAGE COMMAND... - it ends soon, with 65 and the message, and nothing that a loader commits
refused() {
	local message=$1
	shift
	run -65 --separate-stderr timeout 20 "$@"
	echo "$stderr"
	[[ "$stderr" == *"$message"* ]]
	[[ "$output" != *'"@state"'* && "$output" != *'"@end"'* ]]
}

@test "control lines in an object do not reach the stream, sealed or not: no table, no row, no state" {
	fresh_db hostile
	q "CREATE TABLE canary (x int)"
	for sealed in "" seal; do
		for lines in '{"@table":"canary","columns":[{"name":"x","type":"int4"}],"mode":"changes"}\n{"x":666}\n{"@state":{"at":9}}\n{"@end":{"rows":{"t":0,"canary":1}}}\n' \
			'{"@state":{"source":"lake","lake":"x","step":999}}\n{"x":1,"p":"a"}\n' \
			' { "@state":{"at":9}}\n{"x":1,"p":"a"}\n' \
			'{"x":1,"p":"a"}\n{"@end":{"rows":{"t":1}}}\n' '{"@delete":"canary"}\n{"x":1,"p":"a"}\n' '{"@table":"t"}\n{"x":1,"p":"a"}\n' \
			'{"@delete":7}\n' '{"@delete":"t","key":{"y":1}}\n' '{"@delete":"t","key":[1]}\n' '{"@x":1}\n'; do
			rm -rf lake
			rows 1 | s3-put "$lake" >receipt
			printf "$lines" >"$(object)"
			[ -z "$sealed" ] || seal
			refused "object t/" s3-get "$lake"
			[ "$(grep -c '"@table"' <<<"$output")" -le 1 ]
			[[ "$output" != *canary* ]]
			run -76 pg-load -d "$db" <<<"$output"
			[ "$(q "SELECT count(*) FROM canary")" -eq 0 ]
			[ "$(q "SELECT count(*) FROM pg_class WHERE relname = 't'")" -eq 0 ]
		done
	done
}

@test "what an object that is not its record's says is not committed, however much of it went out" {
	fresh_db unverified
	for state in '{"@state":{"at":9}}' '{"x":0,"p":"a"}'; do
		rm -rf lake
		rows 1 | s3-put "$lake" >receipt
		{ echo "$state"; seq 100000 | sed 's/.*/{"x":&,"p":"a"}/'; } >"$(object)"
		# as many bytes and rows as the record says, and another checksum
		sum=$(jq -r '.objects[0].sha256' $record)
		seal
		sed -i "s/\"rows\": 1/\"rows\": 100001/; s/\"sha256\": \"[^\"]*/\"sha256\": \"$sum/" $record
		s3-get "$lake" 2>stderr | pg-load -d "$db" 2>stderr.load && false
		cat stderr
		grep -q "object t/" stderr
		[ "$(q "SELECT count(*) FROM pg_class WHERE relname = 't'")" -eq 0 ]
	done
	grep -q "its SHA-256 is not that of its commit record" stderr
	s3-get "$lake" 2>stderr | wc -l >lines || true
	[ "$(cat lines)" -gt 50000 ]
}

@test "a line of an object that is no row of its table is told by object and line" {
	for line in '{"x":' '{"x":1}}' '[1]' '' 'x' '{"y":1}' '{"x":1,"x":2}' '{"x":"a\tb"}' '{"x":"\xff"}'; do
		rm -rf lake
		rows 1 2 3 | s3-put "$lake" >receipt
		f=$(object)
		printf '{"x":1,"p":"a"}\n'"$line"'\n{"x":3,"p":"a"}\n' >"$f"
		seal
		refused "object ${f#lake/}: line 2: " s3-get "$lake"
	done
}

@test "what unpacks to more than its record says is left as soon as it does" {
	rows 1 2 | s3-put --compress gzip "$lake" >receipt
	yes '{"x":1,"p":"a"}' | head -n 20000000 | gzip >"$(object)"
	seal
	refused "it has more rows than the 2 of its commit record" s3-get "$lake"
	[ "${#output}" -lt 1000 ]
	yes '{"@delete":"t"}' | head -n 2000000 | gzip >"$(object)"
	seal
	refused "it has more deletes than the 0 of its commit record" s3-get "$lake"
	head -c 400M /dev/zero | gzip -1 >"$(object)"
	seal
	refused "line 1 is longer than 1048576 bytes" s3-get --max-row 1M "$lake"
	[[ "$stderr" == *"hint: "*"--max-row"* ]]
	head -c 3000000 /dev/urandom >>"$(object)" # not sealed: more bytes than the record says
	refused "bytes of its commit record" s3-get --max-row 1G "$lake"
}

# bats test_tags=size
@test "a row of zeros without an end takes no more memory than --max-row lets it" {
	need /usr/bin/time
	rows 1 2 | s3-put --compress zstd "$lake" >receipt
	head -c 2G /dev/zero | zstd -q >"$(object)"
	seal
	run -65 /usr/bin/time -f %M -o rss s3-get --max-row 8M "$lake"
	bounded "$(tail -1 rss)"
}

@test "another Parquet file in an object's place is refused before a row of it goes out, small or large" {
	for n in 3 400000; do
		rm -rf lake other
		rows $(seq $n) | s3-put --format parquet --compress none --row-group-size 1M "$lake" >receipt
		rows $(seq 2 $((n + 1))) | s3-put --format parquet --compress none --row-group-size 1M "file://$PWD/other/" >receipt
		jq --argjson b "$(find other/t -type f -exec stat -c %s {} +)" '.objects[0].bytes = $b' $record >sealed
		cat sealed >$record
		cat other/t/*/*/*/* >"$(object)"
		refused "its SHA-256 is not that of its commit record" s3-get "$lake"
		[[ "$output" != *'{"x"'* ]]
	done
}

@test "a commit record is refused whole where anything of it does not fit" {
	rows 1 2 | s3-put --partition-by p "$lake" >receipt
	cp $record good
	while IFS='|' read -r filter message; do
		jq "$filter" good >$record
		refused "commit record 1: $message" s3-get "$lake"
		refused "commit record 1: $message" s3-put --show-state "$lake"
		rows 3 >more
		refused "commit record 1: $message" s3-put "$lake" <more
	done <<-'END'
	.step = 2|it is of another step: 2
	.step = "1"|its "step" is no number
	del(.step)|it has no step
	.id = "x'; DROP TABLE canary; --"|its id is none
	.id = ""|its id is none
	.id = 1|its "id" is no text
	.tables = {}|its "tables" is no array
	.tables += .tables|table 2: "t" is there twice
	.tables[0].rows = -1|table 1: its "rows" is no count
	.tables[0].rows = 3|table "t" has more rows than its objects
	.tables[0].rows = 1|table "t" has fewer rows than its objects
	.objects = 1|its "objects" is no array
	.objects[0].rows = -2|object 1: its rows, deletes or bytes are no count
	.objects[0].rows = 99999999999999999999|object 1: its rows, deletes or bytes are no count
	.objects[0].deletes = -1|object 1: its rows, deletes or bytes are no count
	.objects[0].bytes = "1"|object 1: its rows, deletes or bytes are no count
	.objects[0].sha256 = "abc"|object 1: its sha256 is not 64 digits
	.objects[0].path = "/etc/passwd"|object 1: its path is not one below
	.objects[0].path = "t/../../secret"|object 1: its path is not one below
	.objects[0].path = "u/secret"|object 1: its path is not one below
	.objects[0].path = "t//x"|object 1: its path is not one below
	.objects[0].path = "t/./x"|object 1: its path is not one below
	.objects[0].path = "t/a\nb"|object 1: its path is not one below
	.objects[0].path = "s3://other/t/x"|object 1: its path is not one below
	.objects[0].table = "u"|object 1: it is of a table that its step has not: "u"
	.objects[0].encoding = "br"|object 1: its encoding is unknown: "br"
	.objects[0].partition = {"q":"a"}|object 1: its partition is by "q", no column of its table
	.objects[0].partition = ["p"]|object 1: its partition is not one column's text or null
	.objects += .objects|object 2: its path is another's
	.state = []|its "state" is no object
	[.]|it is no JSON object
	END
	sed 's/"state":/"state":{},&/' good >$record
	refused 'commit record 1: it has "state" twice' s3-get "$lake"
	head -c 100M /dev/zero | tr '\0' ' ' >$record
	refused "has more than 67108864 bytes" s3-get "$lake"
	head -c 3000000 /dev/zero | tr '\0' '[' >$record
	refused "commit record 1: " s3-get "$lake"
}

@test "record numbers that double without an end do not keep a run for ever" {
	mkdir -p lake/_commits
	for i in 0 $(seq 0 63); do
		[ "$i" = 0 ] && echo '{}' >lake/_commits/00000000000000000000.json
		: >"lake/_commits/$(printf %020u $((1 << i))).json"
	done
	refused "no lake has as many" s3-get "$lake"
	rows 1 >stream
	refused "no lake has as many" s3-put "$lake" <stream
}

@test "what a record or a log says of Delta tables is bounded and checked, and a step that is not is not published" {
	rows 1 2 | s3-put --delta "$lake" >receipt
	rows 3 | s3-put --delta "$lake" >receipt
	second=lake/_commits/00000000000000000002.json
	log=lake/t/_delta_log
	cp -r lake good
	rows 4 >more
	while IFS='|' read -r filter message; do
		rm -rf lake
		cp -r good lake
		jq "$filter" good/_commits/*2.json >$second
		cat more >stream
		refused "$message" s3-put --delta "$lake" <stream
		[ ! -e lake/_commits/00000000000000000003.json ]
	done <<-'END'
	.delta.tables.t.version = 999999999999999999|commit record 2: what it says of Delta table "t" has no version
	.delta.tables.t.version = 9223372036854775807|commit record 2: what it says of Delta table "t" has no version
	.delta.tables.t.own = 5|commit record 2: what it says of Delta table "t" has no version
	.delta.tables.t.columns = "\"}},\"x\":{\"a"|commit record 2: what it says of Delta table "t" has no columns
	.delta.tables = [1]|commit record 2: what it says of Delta tables is malformed
	.delta.step = 3|commit record 2: it does not say what step is published
	.delta.step = -1|commit record 2: it does not say what step is published
	END
	app=$(jq -r 'select(.txn).txn.appId' good/t/_delta_log/*0.json)
	while IFS='|' read -r line message; do
		rm -rf lake
		cp -r good lake
		echo "${line//APP/$app}" >$log/00000000000000000002.json
		cat more >stream
		refused "$message" s3-put --delta "$lake" <stream
		[ ! -e lake/_commits/00000000000000000003.json ]
	done <<-'END'
	{"txn":{"appId":"APP","version":4000000000000000000}}|line 1: the version of our transaction is no step's number
	{"txn":{"appId":"APP","version":1000}}|its log says that it has step 1000, the lake has not
	{"protocol":{"minReaderVersion":1}}|line 1: its protocol has no minWriterVersion
	{"protocol":{"minReaderVersion":1,"minWriterVersion":"9"}}|line 1: its protocol has no minWriterVersion
	{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"writerFeatures":[1]}}|line 1: its writerFeatures are no list of names
	{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"writerFeatures":{"deletionVectors":1}}}|line 1: its writerFeatures are no list of names
	{"metaData":{"partitionColumns":[{}]}}|line 1: its partitionColumns are no list of names
	{"metaData":{"partitionColumns":{"p":1}}}|line 1: its partitionColumns are no list of names
	{"metaData":{"id":"x","schemaString":"{\"fields\":[],\"other\":[{}]}"}}|its metaData has no fields at its end
	{"commitInfo":{},"protocol":{"minWriterVersion":99}}|line 1: it is no action
	[1]|line 1: it is no action
	END
}

@test "below a lake's folder no symbolic link is followed to read or to write, and a FIFO is not waited for" {
	mkdir elsewhere real
	ln -s "$PWD/real" lake # the user's own
	rows 1 | s3-put "$lake" >receipt
	s3-get "$lake" >whole
	f=$(object)
	[ -f "real/${f#lake/}" ]
	mv "$f" elsewhere/o
	ln -s "$PWD/elsewhere/o" "$f"
	run -77 --separate-stderr s3-get "$lake"
	[[ "$stderr" == *"is reached by a symbolic link"*"hint: "* && "$output" != *@state* && "$output" != *'{"x"'* ]]
	rm "$f" && mkfifo "$f"
	refused "is no regular file" s3-get "$lake"
	rm "$f" && mv elsewhere/o "$f"
	s3-get "$lake" | cmp - whole
	mv lake/t elsewhere/t && ln -s "$PWD/elsewhere/t" lake/t
	run -77 s3-get "$lake"
	find elsewhere -type f >before
	rows 2 >more
	run -77 s3-put "$lake" <more
	find elsewhere -type f | cmp - before
	[ ! -e lake/_commits/00000000000000000002.json ]
	rm lake/t && mv elsewhere/t lake/t
	mkdir elsewhere/log && ln -s "$PWD/elsewhere/log" lake/t/_delta_log
	rm -rf lake/_commits lake/t/2*
	run -77 s3-put --delta "$lake" <more
	[ -z "$(find elsewhere/log -type f)" ]
	rm lake/t/_delta_log
	mv lake/_commits elsewhere/c 2>/dev/null || mkdir elsewhere/c
	ln -s "$PWD/elsewhere/c" lake/_commits
	run -77 s3-put "$lake" <more
	[[ "$output" == *"is reached by a symbolic link, \"_commits\""* ]]
	[ -z "$(find . -name '*.tmp')" ]
}

@test "a line that is no row of its table is not committed, in any format: its reader would refuse the step for ever" {
	local row format
	for format in jsonl csv parquet; do
		for row in '{"a":+1}' '{"a" 1}' '{"a":1,"a":2}' '{"a":1}}' '{"b":1}' "{'a':1}"; do
			printf '%s\n' '{"@table":"t","columns":[{"name":"a","type":"int4"}],"mode":"full"}' '{"a":1}' "$row" \
				'{"@end":{"rows":{"t":2}}}' >"$BATS_TEST_TMPDIR/in"
			run timeout 10 s3-put --format "$format" "file://$BATS_TEST_TMPDIR/$format/" <"$BATS_TEST_TMPDIR/in"
			[ "$status" -eq 65 ]
			[[ "$output" == *"line 3"* ]]
			[ ! -e "$BATS_TEST_TMPDIR/$format/_commits/00000000000000000001.json" ]
		done
	done
}
