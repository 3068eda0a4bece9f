# csv2jsonl: what CSV says, and what it cannot be.
load ../lib/helpers

@test "what CSV cannot be is one clear line" {
	run bash -c "printf 'a,b\n1\n' | csv2jsonl"
	[ "$status" -eq 65 ]
	[[ "$output" == *"standard input: row 2: it has 1 fields where there are 2 columns"* ]]
	run bash -c "printf 'a\n\"x' | csv2jsonl"
	[ "$status" -eq 65 ]
	[[ "$output" == *"row 2: it is cut off inside quotes"* ]]
	run bash -c "printf 'a\n\xff\n' | csv2jsonl"
	[ "$status" -eq 65 ]
	[[ "$output" == *"row 2: column 1 is not UTF-8"* ]]
	run bash -c "printf 'a\nx\n' | csv2jsonl --types 'a int4' --table t"
	[ "$status" -eq 65 ]
	[[ "$output" == *'row 2: column "a": invalid input syntax for type integer: "x"'* ]]
	[[ "$output" != *'@end'* ]]
}

@test "blanks, CR LF and a byte order mark are read as RFC 4180 has them" {
	run bash -o pipefail -c "printf '\xef\xbb\xbfa,b\r\n x ,y\r\n' | csv2jsonl"
	[ "$output" = '{"a":" x ","b":"y"}' ]
}

@test "a byte order mark that comes byte by byte is skipped all the same" {
	run bash -c "{ printf '\xef'; sleep 0.2; printf '\xbb'; sleep 0.2; printf '\xbfa\n1\n'; } | csv2jsonl"
	[ "$output" = '{"a":"1"}' ]
	run bash -c "printf 'a\n' | csv2jsonl --types 'a int4'"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "a row longer than --max-row is exit 65 before it is in memory: without an end, or of nothing but fields" {
	need /usr/bin/time
	while read -r option fill what; do
		run bash -c "{ printf 'a\n'; [ $fill = , ] || printf '\"'; head -c 100000000 /dev/zero | tr '\0' $fill; } |
			/usr/bin/time -f %M -o '$BATS_TEST_TMPDIR/kib' csv2jsonl $option"
		[ "$status" -eq 65 ]
		[[ "$output" == *"row 2 is longer than $what"* ]]
		bounded "$(tail -1 "$BATS_TEST_TMPDIR/kib")"
	done <<-'END'
	--max-row=1M x 1048576 bytes
	--max-row=100K , 102400 bytes
	--max-row=256M , 1048576 fields
	END
	# exactly as long is not too long, and the next row is another
	row=$(head -c 998 /dev/zero | tr '\0' x)
	[ "$(printf 'a,b\n%s,y\n1,2\n' "$row" | csv2jsonl --max-row 1000 | tail -1)" = '{"a":"1","b":"2"}' ]
	run bash -c "printf 'a,b\n%s,yy\n' $row | csv2jsonl --max-row 1000"
	[ "$status" -eq 65 ]
}

@test "an array's cell is a string of the row, whatever is in it: it forges no column and no line" {
	printf 'a,b\n"{1,2}",x\n"{1},""b"":""forged""",x\n"{1}}\n{""@delete"":""other""}",x\n' >"$BATS_TEST_TMPDIR/in.csv"
	run -0 csv2jsonl --types 'a int4[]' "$BATS_TEST_TMPDIR/in.csv"
	[ "$output" = '{"a":"{1,2}","b":"x"}
{"a":"{1},\"b\":\"forged\"","b":"x"}
{"a":"{1}}\n{\"@delete\":\"other\"}","b":"x"}' ]
}
