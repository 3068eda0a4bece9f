# parquet2jsonl: what its page promises. Other writers' files are in oracles/parquet.bats.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	printf '%s\n' '{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"v","type":"text"}],"key":["id"],"mode":"full"}' \
		'{"id":1,"v":"a"}' '{"id":2,"v":null}' '{"@end":{"rows":{"t":2}}}' >in
	jsonl2parquet <in >t.parquet
}

# poke FILE OFFSET BYTES - overwrite bytes of a file
poke() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

@test "a file, a pipe and - give the same; --rows leaves the frame out, --table names the table" {
	diff in <(parquet2jsonl t.parquet)
	diff in <(cat t.parquet | parquet2jsonl)
	diff in <(cat t.parquet | parquet2jsonl -)
	diff <(sed -n 2,3p in) <(parquet2jsonl --rows t.parquet)
	diff <(sed 's/"t"/"u"/' in) <(parquet2jsonl --table u t.parquet)
	ls -A "$TMPDIR" | grep parquet2jsonl && false || true
}

@test "what is no Parquet file, or not a whole one, is exit 65 by its name" {
	head -c -1 t.parquet >cut.parquet
	: >empty.parquet
	echo 'not a parquet file at all' >text.parquet
	for f in cut empty text; do
		run parquet2jsonl $f.parquet
		[ "$status" -eq 65 ]
		[[ "$output" == "parquet2jsonl: error: $f.parquet: it is no Parquet file"* ]]
	done
	run parquet2jsonl none.parquet
	[ "$status" -eq 1 ]
	cp t.parquet secret.parquet
	poke secret.parquet $(($(wc -c <t.parquet) - 1)) E
	run parquet2jsonl secret.parquet
	[ "$status" -eq 65 ]
	[[ "$output" == *'encrypted'* ]]
}

@test "a file cut off anywhere is exit 65, and no @end comes" {
	size=$(wc -c <t.parquet)
	for ((n = 0; n < size; n += 7)); do
		head -c $n t.parquet >cut.parquet
		run parquet2jsonl cut.parquet
		[ "$status" -eq 65 ] || { echo "$n: $status $output"; false; }
		[[ "$output" != *'@end'* ]]
	done
}

@test "a damaged page is exit 65, with --no-verify it is read if it can be" {
	jsonl2parquet --compress none <in >plain.parquet
	at=$(grep -aob 'a' plain.parquet | head -1 | cut -d: -f1)
	poke plain.parquet "$at" b
	run parquet2jsonl plain.parquet
	[ "$status" -eq 65 ]
	[[ "$output" == *'plain.parquet: row 1: column "v": a page is damaged: its checksum is another'* ]]
	[[ "$output" != *'@end'* ]]
	[ "$(parquet2jsonl --no-verify --rows plain.parquet | head -1)" = '{"id":1,"v":"b"}' ]
}

@test "output that cannot be written is exit 1" {
	run bash -c 'parquet2jsonl t.parquet >/dev/full'
	[ "$status" -eq 1 ]
	[[ "$output" == *'No space left on device'* ]]
}

@test "a database's tables go through Parquet and are the same" {
	totesys_db shop 500
	fresh_db copy
	db=dbname=copy
	for t in address staff payment; do # a payment's amount is numeric without a precision
		pg-extract -d dbname=shop $t | jsonl2parquet --numeric-as string >$t.parquet
		parquet2jsonl $t.parquet | pg-load -d "$db" >/dev/null
		diff <(psql_at dbname=shop "SELECT x::text FROM $t x ORDER BY 1") <(psql_at "$db" "SELECT x::text FROM $t x ORDER BY 1")
	done
}
