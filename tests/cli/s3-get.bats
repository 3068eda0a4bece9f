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
			run -0 --separate-stderr s3-get "$lake"
			[ -z "$stderr" ]
			diff - <(echo "$output") <<-END
			{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"full"}
			{"x":1}
			{"x":2}
			{"@state":{"source":"lake","lake":"$id","step":1}}
			{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"changes"}
			{"x":2}
			{"x":3}
			{"x":4}
			{"@state":{"source":"lake","lake":"$id","step":2}}
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
