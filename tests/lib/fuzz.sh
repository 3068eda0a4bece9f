#!/bin/bash
# fuzz.sh - every fuzz target for a short fixed number of inputs (RUNS, 5000), always the same ones
#
# TAP goes to stdout, then one line: "N passed, N failed". What a target prints is shown if it fails.
set -u
cd "$(dirname "$0")/../.."
passed=0 failed=0 n=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for f in tests/fuzz/*_fuzz.c; do
	name=$(basename "$f" _fuzz.c) n=$((n + 1))
	if make -s fuzz T="$name" RUNS="${RUNS:-5000}" SECONDS=120 SEED=1 >"$log" 2>&1; then
		echo "ok $n - $name: $(grep -oE '^Done [0-9]+ runs' "$log")"
		passed=$((passed + 1))
	else
		sed 's/^/# /' "$log" | tail -40
		echo "not ok $n - $name"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
