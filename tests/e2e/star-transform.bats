# What star-transform makes of a star is what PostgreSQL makes of it.
load ../lib/helpers

@test "400 random SELECTs give the rows that PostgreSQL gives" {
	run python3 "$STARPIPE_TOP/tests/e2e/differential.py" 400 2
	echo "$output"
	[ "$status" -eq 0 ]
	equal=$(grep -oE '^[0-9]+ equal' <<<"$output")
	[ "${equal% equal}" -ge 300 ]
}
