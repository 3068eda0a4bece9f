# Other users of the machine: what they can read of our files, and what they can lay in their way. No S3 here.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	frame='{"@table":"t","columns":[{"name":"x","type":"int4"}],"key":["x"],"mode":"full"}
{"x":1}
{"@state":{"at":1}}
{"@end":{"rows":{"t":1}}}'
	cat >star.sql <<-'END'
	CREATE TABLE d (x int PRIMARY KEY, y smallint);
	INSERT INTO d SELECT t.x, t.x FROM t;
	END
}

@test "files with rows and states are not for others, whatever the umask; the group's and one's own rights are as it says" {
	for mask in 000:660:770 022:640:750 077:600:700; do
		IFS=: read -r mask file folder <<<"$mask"
		rm -rf lake o state refs.jsonl* rejects
		(
			umask $mask
			s3-put --state-out state "file://$PWD/lake/" <<<"$frame"
			s3-put "file://$PWD/o" <<<"$frame"
			s3-put --delta "file://$PWD/lake/delta/" <<<"$frame"
			star-transform --store refs.jsonl --rejects rejects star.sql <<<"$frame"
		) >out
		[ "$(find lake o state refs.jsonl* rejects -type f -printf '%m\n' | sort -u)" = $file ]
		[ "$(find lake -type d -printf '%m\n' | sort -u)" = $folder ]
		[ -e refs.jsonl.lock ] && [ -e rejects ]
	done
}

@test "a file of ours that is replaced keeps its mode" {
	for mode in 600 640 664 644; do
		rm -rf lake
		echo old >o; echo old >state
		chmod $mode o state
		s3-put --state-out state "file://$PWD/lake/" <<<"$frame"
		s3-put "file://$PWD/o" <<<"$frame"
		[ "$(stat -c %a o state | sort -u)" = $mode ]
		! grep old o state
	done
}

@test "a link that others lay where a temporary file could be is not written through" {
	echo mine >victim
	for put in 's3-put --state-out state' s3-put; do
		url=file://$PWD/lake/
		[ "$put" != s3-put ] || url=file://$PWD/state
		rm -rf lake state*
		bash -c 'ln -s victim state.$$.tmp; ln -s victim state.$$.0.tmp; exec '"$put $url" <<<"$frame"
		[ "$(cat victim)" = mine ]
		[ -s state ] && [ ! -L state ]
	done
	ln -s "$PWD/victim" refs.jsonl.lock
	run -1 star-transform --store refs.jsonl star.sql <<<"$frame"
	[[ "$output" == *"could not create"*"refs.jsonl.lock"* ]]
	rm refs.jsonl.lock
}

@test "the examples have no file where others could have made it first" {
	! grep -nE '(^|[ =>])/(var/)?tmp/' "$STARPIPE_TOP"/examples/*
	need setpriv
	# a folder that looks like a demo's, with a link to what is not theirs to remove
	mkdir -p cache other/pg
	ln -s "$PWD" other/this-is-starpipe-demo
	[ "$(id -u)" != 0 ] || chown -h nobody other
	echo "$PWD/other" >cache/starpipe-demo
	XDG_CACHE_HOME=$PWD/cache timeout 20 "$STARPIPE_TOP/examples/demo.sh" stop
	[ "$(id -u)" != 0 ] || [ -d other/pg ]
	ln -s other link
	run -1 env DEMO_DIR="$PWD/link" B="$PWD/none" timeout 20 "$STARPIPE_TOP/examples/demo.sh"
	[[ "$output" == *"is in the way"* ]]
}
