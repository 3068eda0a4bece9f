# A network that fails between tools and S3: what passes is repeated, what stays ends in exit 75, and there is
# never half an object or half a stream that looks whole.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	need python3
	direct=$AWS_ENDPOINT_URL
	proxy=
}

teardown() { [ -z "$proxy" ] || kill "$proxy"; }

# faulty FAULT... - from now on S3 is reached by a proxy with these faults (proxy.py says what they are)
faulty() {
	[ -z "$proxy" ] || kill "$proxy"
	rm -f port
	python3 "$STARPIPE_TOP/tests/lib/proxy.py" port.new "${direct#http://}" "$@" >happened 3>&- &
	proxy=$!
	until [ -s port.new ]; do sleep 0.05; done
	mv port.new port
	AWS_ENDPOINT_URL=http://127.0.0.1:$(cat port)
}

healthy() { AWS_ENDPOINT_URL=$direct; }

# 10 MB: two parts, three pieces
rows() { seq 160000 | sed 's/.*/{"x":&,"text":"this is row & of a table that has some"}/'; }

@test "a connection that is cut or reset in the middle, up or down, costs a repeated request only" {
	fresh_bucket net
	rows >in
	for fault in cut:up:3000000:2 cut:up:0:1 cut:down:0:1 cut:down:100:1 reset:up:3000000:1 reset:down:100:1; do
		lake=$bucket/lake-${fault//:/-}/
		faulty $fault
		run -0 s3-put "$bucket/object" <in
		[ -s happened ]
		faulty $fault
		run -0 s3-put --table t "$lake" <in
		faulty $fault
		[ "$(s3-get "$lake" | grep -v '^{"@' | md5sum)" = "$(md5sum <in)" ]
		healthy
		s3-get "$bucket/object" | cmp - in
		run -1 s3-get "${lake}_commits/00000000000000000002.json"
	done
	for fault in cut:down:3000000:2 cut:down:4194400:1 reset:down:3000000:1 reset:down:4194400:1; do
		faulty $fault
		s3-get "$bucket/object" | cmp - in
		[ -s happened ]
		faulty $fault
		[ "$(s3-get "$lake" | grep -v '^{"@' | md5sum)" = "$(md5sum <in)" ]
	done
	healthy
	[[ "$(s3_request GET "/net?uploads" 2>&1)" != *"<UploadId>"* ]]
}

@test "an answer that is lost is no failure and no second step" {
	fresh_bucket lost
	rows >in
	n=0
	for request in 'PUT [^ ]*_commits' 'POST [^ ]*uploads=' 'POST [^ ]*uploadId' 'PUT [^ ]*partNumber=2' 'PUT [^ ]*/t/'; do
		n=$((n + 1))
		faulty "cut:down:0:1:$request"
		for url in "$bucket/lake$n/" "$bucket/small$n/"; do
			rows=$([[ $url = *lake* ]] && echo 160000 || echo 10)
			echo "$request $url"
			head -n $rows in | s3-put --table t "$url"
			[[ $url = *small* ]] || [ -s happened ]
			[ "$(AWS_ENDPOINT_URL=$direct s3-get "$url" | tail -1)" = '{"@end":{"rows":{"t":'$rows'}}}' ]
			[ "$(AWS_ENDPOINT_URL=$direct s3-put --show-state "$url")" = '{}' ]
			faulty "cut:down:0:1:$request"
		done
	done
}

@test "a network that does not come back is exit 75, without an object, a step or an @end" {
	fresh_bucket gone
	rows >in
	s3-put --table t "$bucket/old/" <in
	faulty cut:up:3000000:0
	run -75 s3-put "$bucket/object" <in
	faulty reset:up:3000000:0
	run -75 s3-put --table t "$bucket/lake/" <in
	faulty cut:down:3000000:0
	run -75 --separate-stderr bash -c "s3-get $bucket/old/ >stream"
	[[ "$stderr" == *"http://127.0.0.1"* ]]
	! grep -q '^{"@\(state\|end\)' stream
	run -76 s3-put "file://$PWD/copy/" <stream
	healthy
	run s3-get "$bucket/object"
	[ "$status" -eq 1 ]
	[ "$(s3-get --new "$bucket/lake/" | tail -1)" = '{"@end":{"rows":{}}}' ]
}

@test "a step that meets another's write under way (409) is put again as it was, never without its condition" {
	fresh_bucket conflict
	faulty "409:up:0:2:PUT [^ ]*_commits/0*1[.]"
	run -0 --separate-stderr bash -c "echo '{\"x\":1}' | s3-put -v --table t $bucket/lake/"
	[ "$(wc -l <happened)" = 2 ]
	[ "$(grep -c '_commits/00000000000000000001.json: no reason given (HTTP 409); trying again' <<<"$stderr")" = 2 ]
	faulty "409:up:0:0:PUT [^ ]*_commits/0*1[.]"
	run -75 bash -c "echo '{\"x\":1}' | s3-put -v --table t $bucket/lake/"
	[ "$(grep -c 'trying again' <<<"$output")" = 5 ] # and then no more
	healthy
	[ "$(s3-get "$bucket/lake/" | tail -1)" = '{"@end":{"rows":{"t":1}}}' ]
}

@test "a connection that is still open and silent for a minute is given up, and the request repeated" {
	fresh_bucket stall
	rows >in
	s3-put --table t "$bucket/lake/" <in
	faulty stall:up:3000000:1 stall:down:3000000:1
	start=$SECONDS
	s3-put "$bucket/object" <in & put=$!
	s3-get "$bucket/lake/" >stream & get=$!
	wait $put
	wait $get
	[ $((SECONDS - start)) -ge 50 ] && [ $((SECONDS - start)) -lt 120 ]
	grep -v '^{"@' stream | cmp - in
	tail -1 stream | grep -q '^{"@end"'
	healthy
	s3-get "$bucket/object" | cmp - in
}
