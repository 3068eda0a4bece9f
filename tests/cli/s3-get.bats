# s3-get: steps of a lake as a stream, and objects as they are; from files and from a real S3 server.
load ../lib/helpers

setup() { cd "$BATS_TEST_TMPDIR"; }

# frame MODE STATE X... - a stream of table t with these rows
frame() {
	local mode=$1 state=$2
	shift 2
	echo '{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"'"$mode"'"}'
	[ $# = 0 ] || printf '{"x":%s}\n' "$@"
	echo '{"@state":{"at":'"$state"'}}'
	echo '{"@end":{"rows":{"t":'$#'}}}'
}

# the last @state of a stream
state_of() { grep '^{"@state"' | tail -1 | jq -c '.["@state"]'; }

@test "what was put into a lake is what is read from it, with every codec and in both stores" {
	fresh_bucket get
	for url in "file://$PWD/lake" "$bucket/lake"; do
		for codec in "" "--compress gzip" "--compress zstd"; do
			lake=$url${codec##* }/
			frame full 1 1 2 | s3-put $codec "$lake"
			frame changes 2 2 3 4 | s3-put $codec "$lake"
			id=$(s3-get "${lake}_commits/00000000000000000001.json" | jq -r .id)
			second=$(s3-get "${lake}_commits/00000000000000000002.json" | jq -r .id)
			run -0 --separate-stderr s3-get "$lake"
			[ -z "$stderr" ]
			diff - <(echo "$output") <<-END
			{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"full"}
			{"x":1}
			{"x":2}
			{"@state":{"source":"lake","lake":"$id","step":1,"id":"$id","since":0}}
			{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"changes"}
			{"x":2}
			{"x":3}
			{"x":4}
			{"@state":{"source":"lake","lake":"$id","step":2,"id":"$second","since":1}}
			{"@end":{"rows":{"t":5}}}
			END
		done
	done
}

@test "with a state only the steps since are read, without a new one no row and the same state" {
	lake=file://$PWD/lake/
	frame full 1 1 2 | s3-put "$lake"
	s3-get "$lake" | state_of >state
	frame changes 2 3 | s3-put "$lake"
	run -0 --separate-stderr s3-get "$lake" --state state
	[ "$(grep -c x.: <<<"$output")" = 1 ]
	[[ "${lines[0]}" == *'"mode":"changes"}' ]]
	[ "${lines[1]}" = '{"x":3}' ]
	[ "$(jq -c '[.["@state"].step, .["@state"].source]' <<<"${lines[2]}")" = '[2,"lake"]' ]
	echo "$output" | state_of >state
	run -0 --separate-stderr s3-get "$lake" --state state
	[ -z "$stderr" ]
	[[ "${lines[0]}" == '{"@table":"t",'*'"mode":"changes"}' ]]
	[ "${lines[1]}" = "{\"@state\":$(cat state)}" ]
	[ "${lines[2]}" = '{"@end":{"rows":{"t":0}}}' ]
	[ "${#lines[@]}" = 3 ]
}

@test "no state file, one with {} and none named are a first run; an empty, malformed or foreign one is exit 65" {
	lake=file://$PWD/lake/
	frame full 1 1 | s3-put "$lake"
	s3-get "$lake" >whole
	echo '{}' >braces
	for file in none braces; do
		run -0 --separate-stderr s3-get "$lake" --state $file
		[ -z "$stderr" ]
		diff whole <(echo "$output")
	done
	run -0 --separate-stderr s3-get -v "$lake"
	[[ "$stderr" == *"no state: all steps are read"* ]]
	: >empty
	echo '{"source":"lake"' >cut
	echo '{"source":"lake","step":1}' >incomplete
	echo '{"source":"lake","lake":"x","step":"1"}' >text
	echo '[1]' >array
	echo '{"source":"postgresql","snapshot":"1:1:"}' >foreign
	for file in empty cut incomplete text array foreign; do
		run -65 --separate-stderr s3-get "$lake" --state $file
		echo "$stderr"
		[ -z "$output" ]
		[[ "$stderr" == *"state file $file"* ]]
	done
	[[ "$stderr" == *'is not of a lake but of "postgresql"'*"hint: "* ]]
}

@test "with the state of another lake all steps are read, and that is said" {
	frame full 1 1 2 | s3-put "file://$PWD/a/"
	frame full 1 1 2 3 | s3-put "file://$PWD/b/"
	s3-get "file://$PWD/a/" | state_of >state
	run -0 --separate-stderr s3-get "file://$PWD/b/" --state state
	[[ "$stderr" == "s3-get: notice: state is of another lake than file://$PWD/b/: all steps are read" ]]
	[[ "$output" == *'{"@end":{"rows":{"t":3}}}' ]]
}

@test "a lake that was restored is refused: new steps of known numbers would be left out" {
	fresh_db restored
	lake=file://$PWD/lake/
	frame full 1 1 | s3-put "$lake"
	frame changes 2 2 | s3-put "$lake"
	s3-get "$lake" | pg-load -d "$db"
	pg-load -d "$db" --show-state >state
	rm lake/_commits/*2.json
	run -65 --separate-stderr s3-get "$lake" --state state
	[ -z "$output" ]
	[[ "$stderr" == *"state is of step 2, but $lake has 1 only: it was restored from an earlier time"* ]]
	frame changes 2 3 | s3-put "$lake"
	frame changes 3 4 | s3-put "$lake"
	run -65 --separate-stderr s3-get "$lake" --state state
	[ -z "$output" ]
	[[ "$stderr" == *"step 2 of $lake is another than the one of state: the lake was restored"* ]]
	# what the hint says
	q "$(sed -n "s/.*in a warehouse: \(.*\)/\1/p" <<<"$stderr" | sed 's/:N}/:1}/')"
	s3-get "$lake" --state <(pg-load -d "$db" --show-state) | pg-load -d "$db"
	[ "$(q "SELECT string_agg(x::text, ',' ORDER BY x) FROM t")" = 1,2,3,4 ]
}

@test "a lake that is not there is an error and its state moves nothing; --new says that it may be so" {
	fresh_db moved
	lake=file://$PWD/lake/
	frame full 1 1 2 | s3-put "$lake"
	s3-get "$lake" | pg-load -d "$db"
	pg-load -d "$db" --show-state >state
	for options in "" "--state state"; do
		run -1 --separate-stderr s3-get $options "file://$PWD/laek/"
		[ -z "$output" ]
		[[ "${stderr_lines[0]}" == "s3-get: error: there is no lake at file://$PWD/laek/: it has no commit record" ]]
		[[ "${stderr_lines[1]}" == "s3-get: hint: "*"--new." ]]
	done
	run -65 --separate-stderr s3-get --new --state state "file://$PWD/laek/"
	[[ "$stderr" == *"state is of a lake's step 1, but file://$PWD/laek/ has none" ]]
	run -2 s3-get --new "file://$PWD/laek"
	s3-get --new "file://$PWD/laek/" >nothing
	frame full 1 9 | s3-put "file://$PWD/other/"
	s3-get "file://$PWD/other/" >elsewhere
	echo '{"@state":{"source":"postgresql","system":"7","database":"d"}}{"@end":{"rows":{}}}' | sed 's/}{/}\n{/' >database
	for stream in nothing elsewhere database; do
		run -65 --separate-stderr pg-load -d "$db" <$stream
		[[ "$stderr" == *"nothing was changed"*"another --source"*"DELETE FROM \"public\".\"starpipe_state\" WHERE source = 'default';" ]]
		[ "$(pg-load -d "$db" --show-state)" = "$(cat state)" ]
		s3-put "file://$PWD/copy/" < <(s3-get "$lake") >receipt
		run -65 --separate-stderr s3-put "file://$PWD/copy/" <$stream
		[[ "$stderr" == *"nothing was changed"*"a lake of its own"* ]]
		[ "$(s3-put --show-state "file://$PWD/copy/")" = "$(cat state)" ]
	done
	[ "$(q "SELECT string_agg(x::text, ',' ORDER BY x) FROM t")" = 1,2 ]
	q "$(pg-load -d "$db" <elsewhere 2>&1 | sed -n 's/.*: DELETE/DELETE/p')" # what the hint says
	pg-load -d "$db" <elsewhere
	[ "$(q "SELECT string_agg(x::text, ',' ORDER BY x) FROM t")" = 1,2,9 ]
}

@test "a lake without a step is a stream without a table, which goes on when there is one" {
	run -0 --separate-stderr s3-get --new "file://$PWD/none/"
	[ "$output" = $'{"@state":{"source":"lake","lake":"","step":0}}\n{"@end":{"rows":{}}}' ]
	[ -z "$stderr" ]
	echo "$output" | s3-put "file://$PWD/copy/"
	s3-put --show-state "file://$PWD/copy/" >state
	frame full 1 1 2 | s3-put "file://$PWD/none/"
	run -0 --separate-stderr s3-get "file://$PWD/none/" --state state
	[ -z "$stderr" ]
	[[ "$output" == *'{"@end":{"rows":{"t":2}}}' ]]
	echo "$output" | s3-put "file://$PWD/copy/"
}

# steps STEP... - put each as a step of lake/: tables as NAME:MODE:COLUMNS:VALUES, -N deletes N
steps() {
	python3 - "$@" <<-'END' | while read -r stream; do printf '%b' "$stream" | s3-put "file://$PWD/lake/" >receipt; done
	import json, sys
	for step in sys.argv[1:]:
	    rows, out = {}, []
	    for table in step.split():
	        name, mode, columns, values = table.split(":")
	        out.append({"@table": name, "columns": [{"name": c, "type": "int4"} for c in columns.split(",")], "mode": mode})
	        rows[name] = 0
	        for v in filter(None, values.split(",")):
	            if v[0] == "-": out.append({"@delete": name, "key": {columns.split(",")[0]: int(v[1:])}})
	            elif v == "truncate": out.append({"@delete": name})
	            else: out.append({columns.split(",")[0]: int(v)}); rows[name] += 1
	    out += [{"@state": {"n": step}}, {"@end": {"rows": rows}}]
	    print("".join(json.dumps(o, separators=(",", ":")) + "\\n" for o in out))
	END
}

# short - a stream's lines in few words
short() {
	jq -r 'if has("@table") then "table \(.["@table"]) \(.mode // "")" elif has("@delete") then "delete \(.["@delete"]) \(.key.x // "all")"
		elif has("@state") then "state \(.["@state"].step)" elif has("@end") then "end \(.["@end"].rows | tojson)" else "row \(.x)" end'
}

@test "every table is announced before the first row, at each step with its mode; deletes are no rows" {
	steps "a:full:x:1,2 b:full:x:" "c:full:x:5 a:changes:x:3,-1" "b:changes:x:truncate,7"
	s3-get "file://$PWD/lake/" >stream
	diff - <(short <stream) <<-'END'
	table a full
	table b full
	table c changes
	table a 
	row 1
	row 2
	state 1
	table a changes
	table b changes
	table c full
	row 5
	table a 
	row 3
	delete a 1
	state 2
	table b changes
	table c changes
	table b 
	delete b all
	row 7
	state 3
	end {"a":3,"b":1,"c":1}
	END
	s3-put "file://$PWD/copy/" <stream # what reads a stream takes it
	run -0 s3-get "file://$PWD/lake/" --table b --table a
	diff <(short <<<"$output" | grep -v '^table . $') \
		<(short <stream | grep -v '^table . $' | grep -v '^table c\|^row 5' | sed 's/,"c":1//')
	run -0 --separate-stderr s3-get "file://$PWD/lake/" --table d
	[[ "$stderr" == *'warning: no step that is read has a table "d"'* ]]
	[ "$(short <<<"$output" | tr '\n' ' ')" = 'state 1 state 2 state 3 end {} ' ]
}

@test "a step with other columns ends the stream before it, and the next run goes on there" {
	steps "a:full:x:1" "a:changes:x:2 b:full:x:9" "b:changes:x:8 a:full:x,y:3" "a:changes:x,y:4"
	run -0 --separate-stderr s3-get "file://$PWD/lake/"
	[[ "$stderr" == *'notice: step 3 has other columns of table "a": this stream ends before it, the next run goes on there' ]]
	[[ "$(short <<<"$output" | tail -4 | tr '\n' ' ')" == 'table b  row 9 state 2 end {"a":2,"b":1} ' ]]
	echo "$output" | state_of >state
	run -0 --separate-stderr s3-get "file://$PWD/lake/" --state state
	[ -z "$stderr" ]
	[[ "$(short <<<"$output" | tail -1)" == 'end {"b":1,"a":2}' ]]
	[ "$(short <<<"$output" | grep state | tr '\n' ' ')" = "state 3 state 4 " ]
	run -0 --separate-stderr s3-get "file://$PWD/lake/" --table b
	[ -z "$stderr" ]
}

@test "an object that is not what its record says is exit 65, and neither @state nor @end follows" {
	for codec in "" "--compress gzip" "--compress zstd"; do
		for harm in 'printf x | dd conv=notrunc bs=1 seek=20 of=$f' 'truncate -s -1 $f' 'echo "{}" >>$f' ': >$f' \
			'head -c 40 /dev/urandom >$f' 'sed -i "s/\"rows\":2/\"rows\":3/" lake/_commits/*1.json' \
			'sed -i "s/\"path\":\"/\"path\":\"..\/lake\//" lake/_commits/*1.json' \
			'sed -i "s/\"bytes\":/\"bytes\":1/" lake/_commits/*1.json'; do
			rm -rf lake
			frame full 1 1000000 2000000 | s3-put $codec "file://$PWD/lake/"
			f=$(echo lake/t/*/*/*/*)
			s3-get "file://$PWD/lake/" >stream
			eval "$harm" 2>dd.err
			run -65 --separate-stderr s3-get "file://$PWD/lake/"
			echo "$codec $harm: $stderr"
			[[ "$output" != *@state* && "$output" != *@end* ]]
			[[ "$stderr" == "s3-get: error: file://$PWD/lake/: object ${f#lake/}: "* || "$stderr" == *"commit record 1: object 1: its path is not one below its table's folder"* ]]
			run -76 s3-put "file://$PWD/copy/" <<<"$output"
		done
	done
	rm "$f"
	run -1 s3-get "file://$PWD/lake/"
	[[ "$output" == *"object ${f#lake/}: could not open"*"No such file"* && "$output" != *object*object* ]]
	echo '{"step":1}' >"$(echo lake/_commits/*1.json)"
	run -65 s3-get "file://$PWD/lake/"
	[[ "$output" == *"commit record 1: it has no id"* ]]
	rm lake/_commits/*
	frame full 1 1 | s3-put "file://$PWD/lake/"
	sed -i 's/"format":"jsonl"/"format":"tape"/' lake/_commits/*
	run -65 --separate-stderr s3-get "file://$PWD/lake/"
	[[ "$stderr" == *'its format is "tape"'* && "$output" != *@state* ]]
}

@test "steps that are committed while a lake is read are not read" {
	frame full 1 $(seq 30000) | s3-put "file://$PWD/lake/"
	frame full 2 $(seq 30000) | s3-put "file://$PWD/lake/"
	mkfifo pipe
	s3-get "file://$PWD/lake/" >pipe & pid=$!
	exec 8<pipe
	head -c 100000 <&8 >stream # it waits for us, in the first object
	frame full 3 1 2 3 | s3-put "file://$PWD/lake/"
	cat <&8 >>stream
	wait $pid
	[ "$(tail -1 stream)" = '{"@end":{"rows":{"t":60000}}}' ]
	[ "$(state_of <stream | jq .step)" = 2 ]
}

@test "0 bytes, 1 byte, whole pieces and more come as they were, whatever the key" {
	fresh_bucket objects
	for n in 0 1 4194304 4194305 9000000; do
		head -c $n /dev/urandom >in
		for key in "o$n" "ü b+%41&/o$n?#"; do
			s3-put "$bucket/$key" <in
			s3-get "$bucket/$key" | cmp - in
		done
		s3-put "file://$PWD/o" <in
		s3-get "file://$PWD/o" | cmp - in
	done
}

@test "what goes wrong has its exit code and a clear line" {
	fresh_bucket errors
	run -1 s3-get "$bucket/none"
	[[ "$output" == *"could not get $bucket/none: NoSuchKey"* ]]
	run -1 s3-get s3://no-such-bucket-here/lake/
	[[ "$output" == *NoSuchBucket* ]]
	run -1 s3-get "file://$PWD/none"
	[[ "$output" == *"could not open $PWD/none: No such file"* ]]
	AWS_SECRET_ACCESS_KEY=wrong run -77 s3-get "$bucket/lake/"
	AWS_ENDPOINT_URL=http://127.0.0.1:1 run -75 s3-get "$bucket/lake/"
	run -2 s3-get
	run -2 s3-get a b
	run -2 s3-get "file://$PWD/none" --state x
	run -2 s3-get "file://$PWD/none" --table x
	run -2 s3-get ftp://x/
	frame full 1 1 | s3-put "file://$PWD/lake/"
	run -1 bash -c "s3-get file://$PWD/lake/ >/dev/full"
	[[ "$output" == *"could not write standard output: No space left"* ]]
	run bash -c "yes '{\"x\":1}' | head -n 2000000 | s3-put --table t file://$PWD/large/; s3-get file://$PWD/large/ | head -2 | tail -1"
	[ "${lines[1]}" = '{"x":1}' ]
	[ "${#lines[@]}" = 2 ]
}

@test "an object that is replaced while it is read is exit 75" {
	fresh_bucket replaced
	for url in "$bucket/o" "file://$PWD/o"; do
		rm -f pipe; mkfifo pipe
		head -c 20000000 /dev/zero | s3-put "$url"
		s3-get "$url" >pipe 2>stderr & pid=$!
		exec 8<pipe
		head -c 100000 <&8 >part
		head -c 20000000 /dev/zero | tr '\0' x | s3-put "$url"
		cat <&8 >>part
		status=0; wait $pid || status=$?
		exec 8<&-
		[ "$status" -eq 75 ]
		[[ "$(cat stderr)" == *"was replaced while it was read"* ]]
		! grep -q x part
	done
}

# bats test_tags=size
@test "256 MiB as they are and 1 GiB compressed take less than 64 MiB of memory" {
	fresh_bucket large
	need /usr/bin/time
	row='{"x":"'$(printf '%0.s0123456789abcdef' $(seq 64))'"}' # 1033 bytes with its line break
	for what in "--compress zstd:1040000" ":260000"; do
		lake=$bucket/${what//[ :]/_}/
		yes "$row" | head -n "${what#*:}" | s3-put ${what%:*} --table t "$lake" >receipt
		run -0 bash -c "/usr/bin/time -f %M -o rss s3-get $lake | tail -n 1"
		[ "$output" = '{"@end":{"rows":{"t":'"${what#*:}"'}}}' ]
		echo "$lake: $(cat rss) KiB"
		bounded "$(cat rss)"
	done
	path=$(s3-get "${lake}_commits/00000000000000000001.json" | jq -r '.objects[0].path')
	run -0 bash -c "/usr/bin/time -f %M -o rss s3-get $lake$path | wc -c"
	[ "$output" = $((1033 * 260000)) ]
	bounded "$(cat rss)"
}

@test "three zones, each with a state of its own, are in step after every run, and twice changes nothing" {
	totesys_db totesys 300
	source=$db
	star=$STARPIPE_TOP/transform/totesys.sql
	fresh_db warehouse
	fresh_bucket zones
	for i in 1 2; do
		[ $i = 1 ] || psql_at "$source" "UPDATE staff SET first_name = 'Zoë' WHERE staff_id = 1"
		for again in 1 2; do
			bash -o pipefail -ec "
				pg-extract -d '$source' | s3-put --compress gzip $bucket/ingested/
				s3-get $bucket/ingested/ --state <(s3-put --show-state $bucket/processed/) |
					star-transform $star | s3-put --compress zstd $bucket/processed/
				s3-get $bucket/processed/ --state <(pg-load -d '$db' --show-state) | pg-load -d '$db'" >receipts
		done
	done
	[ "$(q "SELECT first_name FROM dim_staff WHERE staff_id = 1")" = "Zoë" ]
	[ "$(q "SELECT count(*) FROM fact_sales_order")" = 300 ]
	[ "$(s3-put --show-state "$bucket/processed/" | jq .step)" = 4 ]
	[ "$(pg-load -d "$db" --show-state | jq .step)" = 4 ]
	run -99 bash -o pipefail -c "s3-get $bucket/processed/ --state <(pg-load -d '$db' --show-state) | pg-load -d '$db' --empty skip"
}
