# What star-transform makes of a star is what PostgreSQL makes of it: more queries than make test asks.
# SEED=$RANDOM make test-oracles  asks others.
load ../lib/helpers

@test "4000 random SELECTs give the rows that PostgreSQL gives" {
	run python3 "$STARPIPE_TOP/tests/e2e/differential.py" 4000 "${SEED:-1}"
	echo "$output"
	[ "$status" -eq 0 ]
}
