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
