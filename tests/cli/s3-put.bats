# s3-put: its three forms, into files and onto a real S3 server.
load ../lib/helpers

frame='{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"full"}\n{"x":1}\n{"x":2}\n{"@state":{"at":7}}\n{"@end":{"rows":{"t":2}}}\n'

# the objects of a lake that a commit record names, one path a line
objects() { jq -r '.objects[].path' "$1"/_commits/*.json; }

@test "a step is an object per table and a commit record with counts, checksums and state" {
	lake=$BATS_TEST_TMPDIR/lake
	run -0 --separate-stderr bash -c "printf '$frame' | s3-put file://$lake/"
	[ "$(jq -c '[.steps, .rows.t, .objects, .state.at]' <<<"$output")" = '[1,2,1,7]' ]
	[ -z "$stderr" ]
	path=$(objects "$lake")
	[[ "$path" == t/20[0-9][0-9]/[0-9][0-9]/[0-9][0-9]/*.jsonl ]]
	[ "$(cat "$lake/$path")" = $'{"x":1}\n{"x":2}' ]
	[ "$(sha256sum <"$lake/$path" | cut -c1-64)" = "$(jq -r '.objects[0].sha256' "$lake"/_commits/*1.json)" ]
	[ "$(s3-put --show-state "file://$lake/")" = '{"at":7}' ]
	run -0 bash -c "printf '$frame' | s3-put file://$lake/"
	[ "$(ls "$lake/_commits" | wc -l)" -eq 2 ]
	[ "$(ls "$lake/t"/*/*/* | wc -l)" -eq 2 ]
}

@test "a step's tables have the mode they had in it, whatever the line says that ends it" {
	table='{"@table":"t","columns":[{"name":"x","type":"int4"},{"name":"h","type":"time"}],"key":["x"],"mode":"MODE"}'
	for modes in "full changes" "changes full"; do
		set -- $modes
		printf '%s\n' "${table/MODE/$1}" '{"x":1,"h":"10:00:00"}' '{"@state":{"at":1}}' \
			"${table/MODE/$2}" '{"x":2,"h":null}' '{"@state":{"at":2}}' '{"@end":{"rows":{"t":2}}}' >"$BATS_TEST_TMPDIR/in"
		for how in "--format jsonl" "--format parquet" --delta; do
			lake=$BATS_TEST_TMPDIR/$1${how##* }
			s3-put $how "file://$lake/" <"$BATS_TEST_TMPDIR/in"
			[ "$(jq -r '.tables[0].mode' "$lake"/_commits/*.json | xargs)" = "$modes" ]
			s3-get "file://$lake/" | s3-put "file://$lake-copy/"
			[ "$(jq -r '.tables[0].mode' "$lake-copy"/_commits/*.json | xargs)" = "$modes" ]
			[[ "$how" = *jsonl ]] || jq -r '.objects[].path' "$lake"/_commits/*.json | while read -r path; do
				parquet2jsonl "$lake/$path" | head -1 | jq -r .mode
			done | xargs | grep -qx "$modes"
		done
	done
}

@test "a lake without a step has the state of a first run" {
	[ "$(s3-put --show-state "file://$BATS_TEST_TMPDIR/none/")" = '{}' ]
}

@test "a stream that is cut leaves no commit record and exits 76" {
	for form in lake/ object.jsonl; do
		run bash -c "printf '$frame' | head -n 4 | s3-put file://$BATS_TEST_TMPDIR/$form"
		[ "$status" -eq 76 ]
		run bash -c "printf '$frame' | sed 's/\"t\":2/\"t\":3/' | s3-put file://$BATS_TEST_TMPDIR/$form"
		[ "$status" -eq 76 ]
	done
	[ ! -e "$BATS_TEST_TMPDIR/object.jsonl" ]
	[ -z "$(find "$BATS_TEST_TMPDIR" -path '*_commits*' -type f -o -name '*.tmp' -type f)" ]
	run bash -c "s3-put file://$BATS_TEST_TMPDIR/lake/ </dev/null"
	[ "$status" -eq 76 ]
}

@test "compressed objects are what gzip and zstd read" {
	for c in gzip:gz:gzip zstd:zst:zstd; do
		IFS=: read -r codec suffix tool <<<"$c"
		bash -c "printf '$frame' | s3-put --compress $codec file://$BATS_TEST_TMPDIR/$codec/"
		path=$(objects "$BATS_TEST_TMPDIR/$codec")
		[[ "$path" == *.jsonl.$suffix ]]
		[ "$($tool -dc <"$BATS_TEST_TMPDIR/$codec/$path")" = $'{"x":1}\n{"x":2}' ]
		head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/in"
		s3-put --compress $codec "file://$BATS_TEST_TMPDIR/one.$suffix" <"$BATS_TEST_TMPDIR/in"
		$tool -dc <"$BATS_TEST_TMPDIR/one.$suffix" | cmp - "$BATS_TEST_TMPDIR/in"
	done
}

@test "of two runs at once exactly one commits, the other exits 73" {
	fresh_bucket race
	for url in "file://$BATS_TEST_TMPDIR/race/" "$bucket/lake/"; do
		mkfifo "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
		s3-put "$url" <"$BATS_TEST_TMPDIR/a" >"$BATS_TEST_TMPDIR/ra" 2>&1 & a=$!
		s3-put "$url" <"$BATS_TEST_TMPDIR/b" >"$BATS_TEST_TMPDIR/rb" 2>&1 & b=$!
		exec 8>"$BATS_TEST_TMPDIR/a" 9>"$BATS_TEST_TMPDIR/b"
		sleep 1 # both have seen the same last record
		printf "$frame" >&8; printf "$frame" >&9
		exec 8>&- 9>&-
		ra=0; wait $a || ra=$?
		rb=0; wait $b || rb=$?
		cat "$BATS_TEST_TMPDIR"/r[ab]
		[ $((ra + rb)) -eq 73 ]
		[ "$(s3-put --show-state "$url")" = '{"at":7}' ]
		rm "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
	done
}

@test "a command's output is an object only if the command succeeds" {
	run -0 s3-put "file://$BATS_TEST_TMPDIR/ok" -- echo hello
	[ "$(cat "$BATS_TEST_TMPDIR/ok")" = hello ]
	run -76 s3-put "file://$BATS_TEST_TMPDIR/no" -- sh -c 'echo half; exit 3'
	[[ "$output" == *"sh exited 3"* ]]
	run -76 s3-put "file://$BATS_TEST_TMPDIR/no" -- sh -c 'echo half; kill -9 $$'
	[[ "$output" == *"signal 9"* ]]
	run -76 s3-put "file://$BATS_TEST_TMPDIR/no" -- /no/such/command
	[ "$(ls "$BATS_TEST_TMPDIR")" = ok ]
}

@test "0 bytes, 1 byte and 64 MiB arrive on S3 as they were" {
	fresh_bucket bytes
	for n in 0 1 67108864; do
		head -c $n /dev/urandom >"$BATS_TEST_TMPDIR/in"
		s3-put "$bucket/o$n" <"$BATS_TEST_TMPDIR/in"
		aws_s3 cp --quiet "$bucket/o$n" - | cmp - "$BATS_TEST_TMPDIR/in"
	done
}

# bats test_tags=size
@test "1 GiB from a pipe takes less than 64 MiB of memory" {
	fresh_bucket large
	need /usr/bin/time
	run bash -c "head -c 1073741824 /dev/zero | /usr/bin/time -f %M s3-put $bucket/gib 2>&1 >/dev/null"
	[ "$status" -eq 0 ]
	echo "$output KiB"
	bounded "$output"
	[ "$(aws_s3 ls "$bucket/gib" | awk '{print $3}')" = 1073741824 ]
}

@test "keys of every kind arrive exactly" {
	fresh_bucket keys
	for key in 'a b' 'a+b=c' '%41&~*' "it's (here)" 'dir//file' 'ünï/日本' 'q?x#y' 'tab	key' '..//.'; do
		printf %s "$key" | s3-put "$bucket/$key"
		[ "$(aws_s3api get-object --bucket keys --key "$key" "$BATS_TEST_TMPDIR/got" >/dev/null && cat "$BATS_TEST_TMPDIR/got")" = "$key" ]
	done
}

@test "what goes wrong has its exit code and a clear line" {
	fresh_bucket errors
	AWS_SECRET_ACCESS_KEY=wrong run -77 bash -c "echo x | s3-put $bucket/k"
	[[ "$output" == *"SignatureDoesNotMatch"*"hint: Check AWS_ACCESS_KEY_ID"* ]]
	[[ "$output" != *wrong* ]]
	AWS_ENDPOINT_URL=http://127.0.0.1:1 run -75 bash -c "echo x | s3-put $bucket/k"
	[[ "$output" == *"http://127.0.0.1:1"* ]]
	run -1 bash -c "echo x | s3-put s3://no-such-bucket-here/k"
	[[ "$output" == *"NoSuchBucket"*"aws s3 mb s3://no-such-bucket-here"* ]]
	run -77 env -u AWS_ACCESS_KEY_ID HOME=/nonexistent s3-put "$bucket/k" </dev/null
	[[ "$output" == *"no AWS credentials"* ]]
	run -2 s3-put ftp://x/y </dev/null
	run -2 s3-put "$bucket/" -- true
}

@test "SIGTERM aborts the upload: no part is left on the server, and the tool dies of it" {
	fresh_bucket term
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	s3-put "$bucket/k" <"$BATS_TEST_TMPDIR/pipe" & pid=$!
	exec 8>"$BATS_TEST_TMPDIR/pipe"
	head -c 30000000 /dev/zero >&8
	sleep 1
	aws_s3api list-multipart-uploads --bucket term | grep -q UploadId
	kill -TERM $pid
	status=0; wait $pid || status=$?
	exec 8>&-
	[ "$status" -eq 143 ]
	run aws_s3api list-multipart-uploads --bucket term
	[[ "$output" != *UploadId* ]]
}

# interleaved TABLES ROUNDS ROWS - a stream whose tables take turns, ROWS rows of 1 KiB each time
interleaved() {
	python3 - "$@" <<-'END'
	import sys, random
	tables, rounds, rows = map(int, sys.argv[1:])
	names = ["t%d" % i for i in range(tables)]
	text = "".join(random.Random(1).choices("0123456789abcdef", k=100000))
	for n in names: print('{"@table":"%s","columns":[{"name":"i","type":"int4"},{"name":"x","type":"text"}],"mode":"full"}' % n)
	for k in range(rounds):
	    for n in names:
	        print('{"@table":"%s"}' % n)
	        for i in range(k * rows, (k + 1) * rows): print('{"i":%d,"x":"%s"}' % (i, text[i * 97 % 98000:][:1000]))
	print('{"@end":{"rows":{%s}}}' % ",".join('"%s":%d' % (n, rounds * rows) for n in names))
	END
}

# bats test_tags=size
@test "two hundred tables in turns stay within bounds with every codec" {
	fresh_bucket wide
	need /usr/bin/time
	interleaved 200 100 5 >"$BATS_TEST_TMPDIR/stream"
	for codec in "" "--compress gzip" "--compress zstd"; do
		rm -rf "$BATS_TEST_TMPDIR/lake"
		lake=$BATS_TEST_TMPDIR/lake/${codec##* }
		for url in "file://$lake/" "$bucket/lake${codec##* }/"; do
			run bash -c "/usr/bin/time -f %M s3-put $codec $url 2>&1 >/dev/null <$BATS_TEST_TMPDIR/stream"
			[ "$status" -eq 0 ]
			echo "$url ${codec:-plain}: $output KiB"
			bounded "$output"
		done
		for t in t0 t77 t199; do
			jq -r --arg t $t '.objects[] | select(.table == $t) | .path' "$lake"/_commits/*.json |
				while read -r p; do cat "$lake/$p"; done |
				case $codec in *gzip) gzip -dc ;; *zstd) zstd -dc ;; *) cat ;; esac >"$BATS_TEST_TMPDIR/rows"
			[ "$(jq .i "$BATS_TEST_TMPDIR/rows" | md5sum)" = "$(seq 0 499 | md5sum)" ]
		done
	done
}

@test "many tables at once stay within bounds, and all their rows arrive" {
	lake=$BATS_TEST_TMPDIR/lake
	fresh_bucket many
	need /usr/bin/time
	python3 - >"$BATS_TEST_TMPDIR/stream" <<-'END'
	names = ["t%d" % i for i in range(12)]
	for n in names: print('{"@table":"%s","columns":[{"name":"x","type":"text"}],"mode":"full"}' % n)
	for k in range(700):
	    for n in names:
	        print('{"@table":"%s"}' % n)
	        for i in range(10): print('{"x":"%s"}' % ("%06d" % (k * 10 + i) * 170))
	print('{"@end":{"rows":{%s}}}' % ",".join('"%s":7000' % n for n in names))
	END
	for url in "file://$lake/" "$bucket/lake/"; do
		run bash -c "/usr/bin/time -f %M s3-put $url 2>&1 >/dev/null <$BATS_TEST_TMPDIR/stream"
		[ "$status" -eq 0 ]
		bounded "$output"
	done
	aws_s3 sync --quiet "$bucket/lake/" "$BATS_TEST_TMPDIR/copy"
	for l in "$lake" "$BATS_TEST_TMPDIR/copy"; do
		for t in t0 t7 t11; do
			jq -r --arg t $t '.objects[] | select(.table == $t) | .path' "$l"/_commits/*.json |
				while read -r p; do cat "$l/$p"; done >"$BATS_TEST_TMPDIR/rows"
			[ "$(wc -l <"$BATS_TEST_TMPDIR/rows")" -eq 7000 ]
			[ "$(sort -u "$BATS_TEST_TMPDIR/rows" | wc -l)" -eq 7000 ]
		done
	done
}

@test "a table's objects lie in a folder of its own, whatever its name is" {
	lake=$BATS_TEST_TMPDIR/lake
	fresh_bucket folders
	python3 - >"$BATS_TEST_TMPDIR/stream" <<-'END'
	import json
	names = ["..", ".", "...", "_commits", "_x", "a/b", "a%2Fb", "a.b", "../../up", "a\tb\x7f", "%", "", "ünï"]
	for n in names:
	    print(json.dumps({"@table": n, "columns": [{"name": "x", "type": "text"}], "mode": "full"}))
	    print(json.dumps({"x": n}))
	print(json.dumps({"@end": {"rows": {n: 1 for n in names}}}))
	END
	s3-put "$bucket/lake/" <"$BATS_TEST_TMPDIR/stream"
	s3-put "file://$lake/" <"$BATS_TEST_TMPDIR/stream"
	[ "$(find "$BATS_TEST_TMPDIR" -name '*.jsonl' | wc -l)" -eq 13 ]
	[ "$(find "$lake" -name '*.jsonl' -path "$lake/*/20??/??/??/*.jsonl" | wc -l)" -eq 13 ]
	[ "$(ls -A "$lake" | wc -l)" -eq 14 ]
	[ "$(ls "$lake/_commits")" = 00000000000000000001.json ]
	[ -d "$lake/%2E." ] && [ -d "$lake/%5Fcommits" ] && [ -d "$lake/a%2Fb" ] && [ -d "$lake/a%252Fb" ] && [ -d "$lake/a.b" ]
	jq -c '.objects[]' "$lake"/_commits/*.json | while read -r o; do
		[ "$(jq -r .x "$lake/$(jq -r .path <<<"$o")")" = "$(jq -r .table <<<"$o")" ]
	done
	aws_s3 cp --quiet "$bucket/lake/_commits/00000000000000000001.json" "$BATS_TEST_TMPDIR/record"
	jq -c '.objects[]' "$BATS_TEST_TMPDIR/record" | head -3 | while read -r o; do
		[ "$(aws_s3 cp "$bucket/lake/$(jq -r .path <<<"$o")" - | jq -r .x)" = "$(jq -r .table <<<"$o")" ]
	done
}

@test "a content type arrives, with needless blanks too; one with a control byte is refused" {
	fresh_bucket types
	for type in 'text/plain; charset=utf-8' '  text/plain;   charset=utf-8	' 'text/x;a="b   c"' 'text/ünï'; do
		echo x | s3-put --content-type "$type" "$bucket/k"
		run -0 aws_s3api head-object --bucket types --key k --query ContentType --output text
		echo "$type: $output"
		[[ "$output" == text/* ]]
	done
	run -2 bash -c "echo x | s3-put --content-type $'a\nx-amz-acl: public-read' $bucket/k"
	run -2 bash -c "echo x | s3-put --content-type '' $bucket/k"
}

@test "SIGTERM ends the command too, and all that it started, however it waits" {
	fresh_bucket stop
	need pgrep
	cat >"$BATS_TEST_TMPDIR/slow" <<-'END'
	#!/bin/bash
	case $1 in
	read) head -c 20000000 /dev/zero; sleep 987 | cat ;;
	frame) echo '{"@table":"t","columns":[{"name":"x","type":"int4"}]}'; sleep 987 ;;
	closed) echo x; exec >&-; sleep 987 ;;
	deaf) trap '' TERM; echo x; while :; do sleep 0.1; done ;;
	esac
	END
	chmod +x "$BATS_TEST_TMPDIR/slow"
	for how in read frame closed deaf; do
		s3-put "$bucket/k" -- "$BATS_TEST_TMPDIR/slow" $how </dev/null & pid=$!
		sleep 1
		children=$(pgrep -P $pid)
		[ -n "$children" ]
		kill -TERM $pid
		status=0; wait $pid || status=$?
		echo "$how: $status"
		[ "$status" -eq 143 ]
		! kill -0 $children
		sleep 0.1
		[ -z "$(pgrep -r R,S,D -g "$children")" ]
	done
	[[ "$(aws_s3api list-multipart-uploads --bucket stop)" != *UploadId* ]]
	[ -z "$(aws_s3 ls "$bucket/")" ]
}

@test "a command whose object cannot be put is not left running" {
	start=$SECONDS
	printf '#!/bin/bash\nhead -c 30000000 /dev/zero; sleep 987\n' >"$BATS_TEST_TMPDIR/slow"
	chmod +x "$BATS_TEST_TMPDIR/slow"
	AWS_ENDPOINT_URL=http://127.0.0.1:1 run -75 s3-put s3://nowhere/k -- "$BATS_TEST_TMPDIR/slow" </dev/null
	[ $((SECONDS - start)) -lt 60 ]
	[ -z "$(pgrep -r R,S,D -f "$BATS_TEST_TMPDIR/slow")" ]
}

# stream STATE X... - a step of table t with these rows
stream() {
	local state=$1
	shift
	echo '{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"changes"}'
	[ $# = 0 ] || printf '{"x":%s}\n' "$@"
	echo '{"@state":'"$state"'}'
	echo '{"@end":{"rows":{"t":'$#'}}}'
}
snapshot() { echo '{"source":"postgresql","system":"7","database":"d","timeline":1,"snapshot":"'"$1"'"}'; }

@test "state only moves forward: an older one is exit 73 and nothing is committed" {
	lake=$BATS_TEST_TMPDIR/lake
	stream "$(snapshot 20:20:)" 1 | s3-put "file://$lake/"
	for rows in "" "1 2"; do
		run -73 bash -c "$(declare -f stream snapshot); stream '$(snapshot 10:15:)' $rows | s3-put file://$lake/"
		[[ "$output" == *"file://$lake/ has a later state than this run read"* ]]
	done
	[ "$(ls "$lake/_commits")" = 00000000000000000001.json ]
	[ "$(s3-put --show-state "file://$lake/")" = "$(snapshot 20:20:)" ]
	stream "$(snapshot 20:20:)" 1 | s3-put "file://$lake/"
	stream '{"at":1}' 1 | s3-put "file://$lake/"
	[ "$(ls "$lake/_commits" | wc -l)" -eq 3 ]
}

@test "an empty step has a record only if its state is new; --empty skip makes it exit 99" {
	lake=$BATS_TEST_TMPDIR/lake
	stream '{"at":1}' | s3-put "file://$lake/"
	[ "$(ls "$lake/_commits" | wc -l)" -eq 1 ] # the tables of a new lake are worth a record
	for what in "" "--empty ok" "--empty skip"; do
		run --separate-stderr bash -c "$(declare -f stream); stream '{\"at\":1}' | s3-put $what file://$lake/"
		[ "$status" -eq $([ "$what" = "--empty skip" ] && echo 99 || echo 0) ]
		[ -z "$stderr" ]
		[ "$(jq -c '[.steps, .rows.t, .objects, .state.at]' <<<"$output")" = '[0,0,0,1]' ]
	done
	[ "$(ls "$lake/_commits" | wc -l)" -eq 1 ]
	run -99 --separate-stderr bash -c "$(declare -f stream); stream '{\"at\":2}' | s3-put --empty skip file://$lake/"
	[ "$(jq -c '[.steps, .objects, .state.at]' <<<"$output")" = '[1,0,2]' ]
	[ "$(s3-put --show-state "file://$lake/")" = '{"at":2}' ]
	[ "$(jq -c '[.step, .objects]' "$lake"/_commits/*2.json)" = '[2,[]]' ]
	[ ! -e "$lake/t" ]
	run -0 bash -c "$(declare -f stream); stream '{\"at\":3}' 1 | s3-put --empty skip file://$lake/"
	printf '%s\n' '{"@table":"t","columns":[{"name":"x","type":"int4"}],"mode":"changes"}' '{"@delete":"t","key":{"x":1}}' \
		'{"@state":{"at":4}}' '{"@end":{"rows":{"t":0}}}' | s3-put --empty skip "file://$lake/"
	run -2 s3-put --empty maybe "file://$lake/"
	run -2 s3-put --empty skip "file://$lake"
}
