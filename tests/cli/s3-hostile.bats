# An S3 endpoint that means harm: no tool crashes, hangs, grows or says what it is told to say. What its
# behaviours are, tests/lib/hostile_s3.py tells. Every test has a bound on its time.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	need python3
	direct=$AWS_ENDPOINT_URL
	servers=()
}

teardown() { [ ${#servers[@]} = 0 ] || kill "${servers[@]}"; }

# hostile BEHAVIOUR [TIMES] - from now on S3 is reached there; its requests go to the file requests
hostile() {
	rm -f port requests
	python3 "$STARPIPE_TOP/tests/lib/hostile_s3.py" port.new "$1" "${2:-0}" "${direct#http://}" >requests 3>&- &
	servers+=($!)
	until [ -s port.new ]; do sleep 0.05; done
	mv port.new port
	AWS_ENDPOINT_URL=http://127.0.0.1:$(cat port)
}

# show STATUS - ask a lake there for its state, within 20 s and little memory; messages in $output
show() {
	run "-$1" timeout -k 1 20 time -f %M -o kib s3-put --show-state s3://b/lake/
	bounded "$(tail -1 kib)"
}

@test "a date that cannot be is no reason to sign for it, one that is a day off is refused, an hour is made good" {
	hostile date_overflow
	show 77
	[[ "$output" == *RequestTimeTooSkewed* ]]
	[ "$(wc -l <requests)" = 1 ]
	hostile date_far
	show 77
	[[ "$output" == *"this machine's clock and the server's are 1000 days apart: could not get s3://b/lake/"* ]]
	[ "$(wc -l <requests)" = 1 ]
	hostile date_near
	show 77
	[ "$(wc -l <requests)" = 2 ]
	at=$(tail -1 requests | sed 's/.* \(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z$/\1-\2-\3 \4:\5:\6/')
	[ $(($(date -u -d "$at" +%s) - $(date +%s))) -gt 3500 ]
}

@test "headers, bodies and error documents without an end are given up, in little memory" {
	for behaviour in flood_headers flood_continue flood_body flood_error; do
		echo "$behaviour"
		hostile $behaviour
		show 1
		[[ "$output" == "s3-put: error: http://127.0.0.1:"*": the answer is too long" ]]
		[ "$(wc -l <requests)" = 1 ]
	done
}

@test "a record, a state, a log or a store without an end is bad data, not all memory" {
	hostile endless_object
	run -65 timeout -k 1 60 time -f %M -o kib s3-put --show-state s3://b/lake/
	[[ "$output" == *"_commits/00000000000000000001.json is larger than 67108864 bytes"* ]]
	[ "$(tail -1 kib)" -lt 300000 ] || ! bounded 0
	ln -s /dev/zero state
	run -65 timeout 60 s3-get --new --state state "file://$PWD/lake/"
	[[ "$output" == *"state is larger than 67108864 bytes"* ]]
	mkdir -p lake/_commits
	truncate -s 65M lake/_commits/00000000000000000001.json
	run -65 timeout 60 s3-get "file://$PWD/lake/"
	[[ "$output" == *"more than 67108864 bytes"* ]]
}

@test "an answer that drips is given up after a minute, and the request repeated" {
	fresh_bucket hostile
	echo '{"x":1}' | s3-put --table t "$bucket/lake/"
	start=$SECONDS
	for behaviour in drip_header drip_body drip_chunks drip_continue; do
		hostile $behaviour 1
		timeout 110 s3-get "$bucket/lake/" >$behaviour.out 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait $pid; done
	[ $((SECONDS - start)) -ge 55 ]
	for behaviour in drip_header drip_body drip_chunks drip_continue; do
		[ "$(tail -1 $behaviour.out)" = '{"@end":{"rows":{"t":1}}}' ]
	done
}

@test "every wait for the endpoint ends by SIGTERM, at once" {
	for behaviour in hold drip_header drip_body drip_continue late_error; do
		hostile $behaviour
		s3-put --show-state s3://b/lake/ 3>&- & pid=$!
		until [ -s requests ]; do sleep 0.1; done
		sleep 0.5
		start=$SECONDS
		kill -TERM $pid
		status=0; wait $pid || status=$?
		echo "$behaviour: $status after $((SECONDS - start)) s"
		[ "$status" = 143 ]
		[ $((SECONDS - start)) -le 4 ]
	done
}

@test "undoing an upload has 15 seconds after a signal, whatever the endpoint does" {
	fresh_bucket undo
	python3 "$STARPIPE_TOP/tests/lib/proxy.py" port.new "${direct#http://}" 'stall:up:0:0:DELETE' >happened 3>&- &
	servers+=($!)
	until [ -s port.new ]; do sleep 0.05; done
	AWS_ENDPOINT_URL=http://127.0.0.1:$(cat port.new)
	mkfifo pipe
	s3-put "$bucket/o" <pipe 3>&- & pid=$!
	exec 8>pipe
	head -c 20000000 /dev/zero >&8
	sleep 1
	start=$SECONDS
	kill -TERM $pid
	timeout 60 tail --pid=$pid -f /dev/null || kill -KILL $pid
	status=0; wait $pid || status=$?
	exec 8>&-
	[ -s happened ]
	[ "$status" = 143 ]
	[ $((SECONDS - start)) -ge 13 ] && [ $((SECONDS - start)) -le 25 ]
}

@test "lengths that lie and redirects are no answer, and nothing of the machine is read for them" {
	fresh_bucket lies
	for behaviour in short_body two_lengths; do
		hostile $behaviour 1
		run -0 timeout 20 s3-put --show-state "$bucket/lake/"
		[ "$output" = '{}' ]
	done
	hostile redirect
	show 1
	[[ "$output" == *"HTTP 302"* && "$output" != *root* ]]
	[ "$(wc -l <requests)" = 1 ]
}

@test "a redirect for a while, a conflict and what is no HTTP are repeated, and exit 75 if they stay" {
	fresh_bucket passing
	for behaviour in elsewhere conflict no_http; do
		echo "$behaviour"
		hostile $behaviour 2
		run -0 timeout 20 s3-put "$bucket/o" <<<x
		[ "$(wc -l <requests)" = 3 ]
		hostile $behaviour
		run -75 timeout 60 s3-get "$bucket/o"
		[ "$(wc -l <requests)" = 6 ]
	done
	[[ "$output" == *"the answer is not HTTP"* ]]
}

@test "an ETag or an upload's id that is XML is not sent back" {
	hostile token_xml
	head -c 20000000 /dev/zero >in
	run -1 timeout 60 s3-put s3://b/o <in
	[[ "$output" == *"gave no UploadId"* ]]
	! grep -q PUT requests
}

@test "what the endpoint says is one short line, without signs that steer a terminal" {
	for log in text json logfmt; do
		hostile forged_line
		run -1 timeout 20 s3-put --log $log --show-state s3://b/lake/
		[ "${#lines[@]}" = 1 ]
		[[ "$output" == *'Bad Thing: x  s3-get: error: forged\'* ]]
		[ -z "$(LC_ALL=C tr -d ' -~\n' <<<"$output")" ]
		hostile long_message
		run -1 timeout 20 s3-put --log $log --show-state s3://b/lake/
		[ "${#output}" -lt 1000 ]
		[[ "$output" == *"BBB...: mmm"*"mmm... (HTTP 400)"* ]]
		hostile userinfo
		run -1 timeout 20 s3-put --log $log --show-state s3://b/lake/
		[[ "$output" == *"see http://host/x and postgresql://db/shop"* ]]
	done
}

@test "arguments in a message are one line, too" {
	for args in $'--x\e[31m\ny' $'--log=\e]0;t\a' $'http://user:secret@host/\xc2\x9b' $'s3://user:secret@b/\u202e'; do
		for log in text json; do
			run -2 s3-put --log $log "$args"
			[ "${#lines[@]}" -le 2 ]
			[ -z "$(LC_ALL=C tr -d ' -~\n' <<<"$output")" ]
			[[ "$output" != *secret* ]]
		done
	done
	run -76 s3-put "file://$PWD/o" -- $'./no\e[31m\ncommand'
	[[ "${lines[0]}" == 's3-put: error: could not run ./no\x1b[31m command: '* ]]
}

@test "an endpoint is http or https without a user's name, and a password in it is never shown" {
	for url in http://user:secret@127.0.0.1:1 https://secret@host user:secret@host:80; do
		for log in text json logfmt; do
			AWS_ENDPOINT_URL=$url run -2 timeout 20 s3-put -v --log $log --progress --show-state s3://b/lake/
			[[ "$output" == *"the URL of the S3 endpoint holds a user name"* && "$output" != *secret* ]]
		done
	done
	for url in file:///etc ftp://127.0.0.1 gopher://127.0.0.1:1 127.0.0.1:1 'http://a?b' http:// $'http://a\nb'; do
		AWS_ENDPOINT_URL=$url run -2 timeout 20 s3-put --show-state s3://b/lake/
		[[ "$output" == *"is no URL of a server"* ]]
	done
}

@test "plain http to another machine is a warning, once" {
	AWS_ENDPOINT_URL=http://starpipe.invalid:9 run -75 timeout 60 s3-put --show-state s3://b/lake/
	[ "$(grep -c 'warning: .* to http://starpipe.invalid:9 by plain http' <<<"$output")" = 1 ]
	AWS_ENDPOINT_URL=http://127.0.0.1.invalid:9 run -75 timeout 60 s3-put --show-state s3://b/lake/
	[[ "$output" == *"plain http"* ]]
	for host in 127.0.0.1 127.1.2.3 localhost '[::1]'; do
		AWS_ENDPOINT_URL=http://$host:1 run -75 timeout 60 s3-put --show-state s3://b/lake/
		[[ "$output" != *"plain http"* ]]
	done
}
