#!/usr/bin/env bats
# What others may own - streams, lakes, files, tables of a source - never reaches what is not its own.
load ../lib/helpers

@test "hostile streams, lakes, files and tables gain nothing, crash nothing and forge nothing, in any reader" {
	SEED=${SEED:-1} CASES=${CASES:-2000} run timeout -k 10 1200 python3 "$STARPIPE_TOP/tests/e2e/hostile.py"
	echo "$output"
	[ "$status" -eq 0 ]
}
