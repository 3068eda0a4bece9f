# What star-transform makes of a star is what PostgreSQL makes of it.
load ../lib/helpers

@test "400 random SELECTs give the rows that PostgreSQL gives" {
	run python3 "$STARPIPE_TOP/tests/e2e/differential.py" 400 2
	echo "$output"
	[ "$status" -eq 0 ]
	equal=$(grep -oE '^[0-9]+ equal' <<<"$output")
	[ "${equal% equal}" -ge 300 ]
}

@test "values at the ends of their types are computed or refused as PostgreSQL does" {
	run python3 "$STARPIPE_TOP/tests/e2e/ugly.py"
	echo "$output"
	[ "$status" -eq 0 ]
	equal=$(grep -oE '^[0-9]+ equal' <<<"$output")
	[ "${equal% equal}" -ge 15000 ]
}
