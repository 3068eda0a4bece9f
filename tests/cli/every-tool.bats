# What all tools share: help, version, usage errors, pages that say the same, disks that are full.
load ../lib/helpers

tools() { (cd "$STARPIPE_TOP" && ls extract/*.c transform/*.c load/*.c) | sed 's|.*/||; s|\.c$||'; }

# the options of --help, and those of the page, as sorted long names
help_options() { "$1" --help | grep -oP '^  (-\w, |    )\K--[a-z-]+' | sort; }
page_options() {
	grep -oP '^\.It .*' "$STARPIPE_TOP/man/$1.1" | grep -oP 'Fl -\K[a-z-]+' | sed 's/^/--/' | sort
}

@test "--help prints the synopsis on standard output and exits 0" {
	for t in $(tools); do
		run -0 --separate-stderr "$t" --help
		[[ "${lines[0]}" == "usage: $t"* ]]
		[ -z "$stderr" ]
	done
}

@test "--version prints the tool's name and a version" {
	for t in $(tools); do
		run -0 --separate-stderr "$t" --version
		[[ "$output" == "$t (starpipe) "?* ]]
	done
}

@test "an unknown option is exit 2, with a hint on standard error and nothing on standard output" {
	for t in $(tools); do
		run -2 --separate-stderr "$t" --no-such-option
		[ -z "$output" ]
		[[ "$stderr" == *"$t: error: unrecognized option --no-such-option"* ]]
		[[ "$stderr" == *"Try '$t --help'."* ]]
	done
}

@test "every tool has a page, and its options are exactly those of --help" {
	for t in $(tools); do
		[ -f "$STARPIPE_TOP/man/$t.1" ] || { echo "$t has no page"; false; }
		diff <(help_options "$t") <(page_options "$t") || { echo "$t: --help and page differ"; false; }
	done
}

@test "every option of a tool's own is in its usage and in its page's SYNOPSIS" {
	for t in $(tools); do
		usage=$("$t" --help | sed '/^$/,$d')
		synopsis=$(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' "$STARPIPE_TOP/man/$t.1")
		"$t" --help | grep -oP '^  (-\w, )?\s*--[a-z-]+' | grep -vE -- '--(log|progress|verbose|help|version)$' |
			while read -r o; do
				short=${o%%, *} long=${o##*--}
				grep -qE -- "(^|[^a-z-])(--$long|$short)([^a-z-]|$)" <<<"$usage" || { echo "$t: usage lacks $o"; exit 1; }
				grep -qE "Fl (-$long|${short#-}|.*[|] -$long)( |$)" <<<"$synopsis" ||
					{ echo "$t: SYNOPSIS lacks $o"; exit 1; }
			done
	done
}

@test "short options are in the page too" {
	for t in $(tools); do
		for o in $("$t" --help | grep -oP '^  -\K\w(?=, )'); do
			grep -qE "^\.It Fl $o( |$)" "$STARPIPE_TOP/man/$t.1" || { echo "$t: -$o"; false; }
		done
	done
}

@test "every page is clean mdoc and has EXAMPLES and EXIT STATUS" {
	for page in "$STARPIPE_TOP"/man/*.[157]; do
		run mandoc -T lint -W warning "$page"
		[ -z "$output" ] || { echo "$output"; false; }
	done
	for t in $(tools); do
		grep -q '^\.Sh EXAMPLES' "$STARPIPE_TOP/man/$t.1"
		grep -q '^\.Sh EXIT STATUS' "$STARPIPE_TOP/man/$t.1"
	done
}

@test "starpipe-star(5) lists every function there is" {
	functions=$(sed -n '/^static const struct func table/,/^};/s/^\t{ "\([a-z_]*\)", .*/\1/p' \
		"$STARPIPE_TOP/lib/func.c" | sort -u)
	[ "$(wc -l <<<"$functions")" -gt 25 ]
	for f in $functions mod extract date_part abs; do
		grep -qE "(^|[ (])$f[,.) ]" "$STARPIPE_TOP/man/starpipe-star.5" || { echo "$f"; false; }
	done
}

@test "help that cannot be written is an error" {
	for t in $(tools); do
		run bash -c "$t --help >/dev/full"
		[ "$status" -eq 1 ]
		[[ "$output" == *"could not write standard output: No space left on device"* ]]
	done
}

@test "rows that cannot be written are an error" {
	row='{"@table":"a","columns":[{"name":"x","type":"int4"}],"key":["x"]}\n{"x":1}\n{"@end":{"rows":{"a":1}}}\n'
	echo 'CREATE TABLE s (x int PRIMARY KEY); INSERT INTO s SELECT x FROM a;' >"$BATS_TEST_TMPDIR/star.sql"
	fresh_db full
	q "CREATE TABLE t AS SELECT 1 AS x"
	for work in "pg-extract -d '$db' t" "star-transform $BATS_TEST_TMPDIR/star.sql" jsonl2csv \
		"pg-load -d '$db' --schema other" "s3-put file://$BATS_TEST_TMPDIR/lake/" \
		"s3-put file://$BATS_TEST_TMPDIR/object"; do
		run bash -c "printf '$row' | $work >/dev/full"
		[ "$status" -eq 1 ] || { echo "$work: $status $output"; false; }
		[[ "$output" == *"No space left on device"* ]]
	done
	run bash -c "printf 'a\n1\n' | csv2jsonl >/dev/full"
	[ "$status" -eq 1 ]
}

@test "--log json makes every message a JSON object, logfmt a line of fields" {
	for t in $(tools); do
		run bash -c "$t --log json --no-such-option 2>&1 >/dev/null | cat"
		[[ "$output" == *"error"* ]]
	done
	run bash -c "star-transform --log json /no/such/file 2>&1"
	[ "$(jq -r '.tool + " " + .level + " " + .code' <<<"$output")" = "star-transform error 1" ]
	run bash -c "star-transform --log logfmt /no/such/file 2>&1"
	[[ "$output" == *'tool="star-transform" level="error" message="could not open /no/such/file: '* ]]
}

@test "a reader that goes away ends a producer quietly" {
	fresh_db many
	q "CREATE TABLE t AS SELECT generate_series(1, 200000) AS x"
	run bash -c "pg-extract -d '$db' --rows t | head -1"
	[ "$output" = '{"x":1}' ]
}

@test "every tool is built hardened" {
	build=$(cd "$STARPIPE_TOP" && realpath -m "${B:-build}")
	for t in $(tools); do
		readelf -hW "$build/$t" | grep -q 'Type: *DYN' || { echo "$t: no PIE"; false; }
		readelf -dW "$build/$t" >"$BATS_TEST_TMPDIR/dynamic"
		grep -qE 'FLAGS_1.* NOW.* PIE' "$BATS_TEST_TMPDIR/dynamic" || { echo "$t: no BIND_NOW"; false; }
		run -1 grep -E 'TEXTREL|RPATH|RUNPATH' "$BATS_TEST_TMPDIR/dynamic"
		readelf -lW "$build/$t" >"$BATS_TEST_TMPDIR/segments"
		grep -q GNU_RELRO "$BATS_TEST_TMPDIR/segments" || { echo "$t: no RELRO"; false; }
		grep -qE 'GNU_STACK.* RW ' "$BATS_TEST_TMPDIR/segments" || { echo "$t: an executable stack"; false; }
		nm -D "$build/$t" >"$BATS_TEST_TMPDIR/names"
		grep -qw __stack_chk_fail "$BATS_TEST_TMPDIR/names" || { echo "$t: no stack protector"; false; }
		grep -qw __asan_init "$BATS_TEST_TMPDIR/names" && continue # it checks these calls itself
		grep -qE ' U __[a-z]+_chk(@|$)' "$BATS_TEST_TMPDIR/names" || { echo "$t: no fortified call"; false; }
	done
}
