# S3 servers that lack what the tools count on, or are none. What their flaws are, tests/lib/weak_s3.py tells.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	need python3
	servers=()
}

teardown() { [ ${#servers[@]} = 0 ] || kill "${servers[@]}"; }

# weak [FLAW ...] - from now on S3 is a new, empty server with these flaws; its requests go to the file requests
weak() {
	rm -f port
	python3 "$STARPIPE_TOP/tests/lib/weak_s3.py" port.new "$@" >requests 3>&- &
	servers+=($!)
	until [ -s port.new ]; do sleep 0.05; done
	mv port.new port
	AWS_ENDPOINT_URL=http://127.0.0.1:$(cat port)
}

put_row() { echo '{"x":1}' | timeout 30 s3-put --table t s3://b/lake/; }

@test "a web server's 404 is no empty lake and no missing object" {
	weak web
	run -1 timeout 20 s3-put --show-state s3://b/lake/
	[[ "$output" == *"could not get s3://b/lake/_commits/00000000000000000001.json: no reason given (HTTP 404)"* ]]
	[[ "$output" == *"does not answer as S3 does"*"AWS_ENDPOINT_URL"* ]]
	run -1 timeout 20 s3-get s3://b/lake/
	[[ "$output" != *"@end"* ]]
	run -1 put_row
	! grep -v '^GET' requests
}

@test "an access key that is not known is exit 77, also where 404 says so" {
	weak no-user
	run -77 put_row
	[[ "$output" == *XAdminUserNotFound*AWS_ACCESS_KEY_ID* ]]
	run -77 timeout 20 s3-get s3://b/k
	run -77 timeout 20 s3-put s3://b/k </dev/null
}

@test "where every conditional PUT is refused, one without the condition follows only a second refusal and a true NoSuchKey" {
	weak refuses
	run -0 --separate-stderr put_row
	[[ "$stderr" == *"no conditional writes"* ]]
	grep '_commits/0*1.json' requests | head -6 | tail -5 >seen
	diff seen - <<-END
	PUT /b/lake/_commits/00000000000000000001.json * 412
	GET /b/lake/_commits/00000000000000000001.json - 404
	PUT /b/lake/_commits/00000000000000000001.json * 412
	GET /b/lake/_commits/00000000000000000001.json - 404
	PUT /b/lake/_commits/00000000000000000001.json - 200
	END
	run -0 put_row
	[ "$(grep -c 'PUT .*_commits.* - 200' requests)" = 2 ]
}

@test "after a refusal and a proxy's page nothing is put without the condition" {
	weak refuses page-later
	run -1 put_row
	[[ "$output" == *"HTTP 404"* ]]
	! grep 'PUT .*_commits.* - ' requests
	grep -q 'PUT .*_commits.* 412' requests
}

@test "a store that ignores If-None-Match is refused before the first commit of a run, with its last record kept" {
	weak ignores
	run -1 put_row
	[[ "$output" == *"ignores If-None-Match"*"--single-writer"* ]]
	! grep 'PUT .*_commits/0*[1-9]' requests
	run -0 timeout 20 s3-put --single-writer --table t s3://b/lake/ <<<'{"x":1}'
	[[ "$output" == *"warning: this S3 server ignores If-None-Match"* ]]
	curl -s "$AWS_ENDPOINT_URL/b/lake/_commits/00000000000000000001.json" >before
	run -1 put_row
	[[ "$output" == *"ignores If-None-Match"* ]]
	curl -s "$AWS_ENDPOINT_URL/b/lake/_commits/00000000000000000001.json" | cmp - before
	run -0 timeout 20 s3-put --single-writer --table t s3://b/lake/ <<<'{"x":1}'
	run -2 s3-put --single-writer s3://b/object </dev/null
}

@test "a store that ignores it is refused for Delta tables alone, too, and with --single-writer a look tells the loser" {
	weak ignores
	insist=(--single-writer --table t s3://b/lake/)
	timeout 20 s3-put --format parquet "${insist[@]}" <<<'{"x":"a"}'
	run -1 timeout 20 s3-put --delta s3://b/lake/ <<<'{"@end":{}}'
	! grep 'PUT .*_delta_log' requests
	mkfifo in
	timeout 20 s3-put "${insist[@]}" <in >out 2>err 3>&- &
	pid=$!
	exec 5>in
	echo '{"x":"b"}' >&5
	until [ "$(grep -c 'GET.*_commits.* 404' requests)" -ge 4 ]; do sleep 0.05; done
	timeout 20 s3-put "${insist[@]}" <<<'{"x":"c"}'
	exec 5>&-
	status=0
	wait $pid || status=$?
	[ $status = 73 ]
	grep 'another run was first' err
}

@test "a record that is another run's when it is read back is exit 73" {
	weak late
	run -73 put_row
	[[ "$output" == *"was replaced by another run at the same time"*If-None-Match* ]]
	[ "$(grep -c 'PUT .*_commits/0*1.json ' requests)" = 1 ]
}

@test "a store that keeps to If-None-Match is asked once a run, and has one record more than steps" {
	weak
	put_row
	put_row
	grep 'PUT .*_commits' requests | sed 's/.*_commits.0*//' >puts
	diff puts - <<-END
	.json * 200
	.json * 412
	1.json * 200
	1.json * 412
	2.json * 200
	END
	[ "$(timeout 20 s3-get s3://b/lake/ | grep -c '"x"')" -ge 2 ]
}

@test "an object that is replaced while it is read is exit 75, also where If-Match is not heeded" {
	weak no-if-match
	for size in 24000000 48000000 12582912 1000; do
		rm -f pipe; mkfifo pipe
		head -c 24000000 /dev/zero | s3-put s3://b/o
		timeout 60 s3-get s3://b/o >pipe 2>stderr 3>&- & pid=$!
		exec 8<pipe
		head -c 100000 <&8 >part
		head -c $size /dev/zero | tr '\0' x | curl -s -T - -H 'Transfer-Encoding:' -H "Content-Length: $size" \
			"$AWS_ENDPOINT_URL/b/o"
		cat <&8 >>part
		status=0; wait $pid || status=$?
		exec 8<&-
		[ "$status" = 75 ]
		[[ "$(cat stderr)" == *"was replaced while it was read"* ]]
		! grep -q x part
	done
}

@test "an answer that is shorter than what was asked for is exit 75, not the end of an object" {
	for flaw in short-206 cut-206 cut-200; do
		weak $flaw
		head -c 3000000 /dev/zero | s3-put s3://b/o
		run -75 --separate-stderr timeout 60 s3-get s3://b/o
		[ -z "$output" ]
		echo "$stderr"
		[[ "$stderr" == *"lost within an answer"* || "$stderr" == *"another range"* || "$stderr" == *"tell its length"* ]]
	done
}

@test "objects of 0 bytes, 1 byte, whole pieces and one more are whole" {
	weak
	for size in 0 1 4194303 4194304 4194305 8388608; do
		head -c $size /dev/urandom >o
		s3-put s3://b/o <o
		timeout 20 s3-get s3://b/o | cmp - o
	done
}

@test "an upload whose last answer was lost is done if its object is there, whatever the server says then" {
	head -c 20000000 /dev/urandom >o
	for again in "" again-403 "again-500 md5-tag"; do
		weak lost-answer $again
		run -0 timeout 60 s3-put s3://b/o <o
		curl -s "$AWS_ENDPOINT_URL/b/o" | cmp - o
		[ "$(grep -c 'POST.*uploadId' requests)" -ge 1 ]
	done
}

@test "an upload that was lost is not taken for the object that was there before" {
	weak lost-upload
	head -c 20000000 /dev/zero >before
	tr '\0' x <before >o
	curl -s -T before "$AWS_ENDPOINT_URL/b/o"
	run -1 timeout 60 s3-put s3://b/o <o
	[[ "$output" == *NoSuchUpload* ]]
}
