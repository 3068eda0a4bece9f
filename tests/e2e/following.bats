# Incremental runs over a source that changes at random: wal_level=logical is for the slots.
load ../lib/helpers

@test "after each of many runs the warehouse is what PostgreSQL's SELECTs return, whatever changed and whoever was killed" {
	SEED=${SEED:-1} CASES=${CASES:-12} run python3 "$STARPIPE_TOP/tests/e2e/following.py"
	echo "$output"
	[ "$status" -eq 0 ]
}
