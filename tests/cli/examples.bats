# The EXAMPLES of every page run, so that the manual cannot lie. An example is a ".Bd -literal" block below
# ".Sh EXAMPLES". It finds databases totesys (filled) and warehouse, a bucket named lake, a folder of its own.
# One makes a slot: the server has wal_level=logical.
load ../lib/helpers

# example PAGE N - the N-th example of a page
example() {
	awk -v want="$2" '/^\.Sh /{on = $2 == "EXAMPLES"} on && /^\.Bd -literal/{n++; inside = 1; next}
		/^\.Ed/{inside = 0} on && inside && n == want' "$1" | sed 's/\\e/\\/g; s/\\(dq/"/g; s/\\&//g'
}

@test "all examples of all pages exit 0" {
	totesys_db totesys 300
	totesys_db shop 100
	fresh_db copy
	fresh_db warehouse
	fresh_bucket lake
	count=0
	for page in "$STARPIPE_TOP"/man/*.[157]; do
		for ((n = 1; ; n++)); do
			text=$(example "$page" $n)
			[ -n "$text" ] || break
			mkdir "$BATS_TEST_TMPDIR/here"
			(cd "$BATS_TEST_TMPDIR/here" && bash -o pipefail -ec "${text//\/tmp\/lake/$BATS_TEST_TMPDIR\/lake}") \
				>"$BATS_TEST_TMPDIR/out" 2>&1 ||
				{ echo "$page, example $n:"; echo "$text"; cat "$BATS_TEST_TMPDIR/out"; false; }
			rm -r "$BATS_TEST_TMPDIR/here"
			count=$((count + 1))
		done
	done
	[ "$count" -ge 15 ]
}
