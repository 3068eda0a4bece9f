#!/bin/bash
# run.sh [FILE...] - run tests: bats files, and cmocka programs; without FILE all there are
#
# Starts the servers they need in a temporary folder and always stops them. The tests' TAP goes to
# stdout, then one line: "N passed, N failed". Fails if a test failed; with STRICT=1 also if one was
# skipped. Environment: B (folder of the built tools, "build"), STRICT, BATS_FILTER (only tests whose
# name matches), VALGRIND=1 (everything under valgrind), KEEP=1 (leave the folder).
# tests/README.md says what the tests find in their environment.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$top" && realpath -m "${B:-build}")
dir= tools=

die() { echo "run.sh: error: $*" >&2; exit 1; }

servers_down() {
	[ -n "$dir" ] || return
	cat "$dir"/valgrind.* 2>/dev/null
	[ ! -e "$dir/s3" ] || "$top/tests/lib/s3.sh" down "$dir/s3"
	[ ! -e "$dir/pg" ] || "$top/tests/lib/pg.sh" down "$dir/pg"
	if [ -n "${KEEP:-}" ]; then echo "# kept $dir"; else rm -rf "$dir"; fi
}
trap servers_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ $# -gt 0 ] || set -- "$build"/{unit/*_test,fuzz/*_fuzz} "$top"/tests/cli/*.bats "$top"/tests/e2e/*.bats
bats=() units=()
for f; do
	[ -e "$f" ] || case "$f" in *'*'*) continue ;; *) die "no file \"$f\"" ;; esac
	case "$f" in *.bats) bats+=("$f") ;; *) units+=("$f") ;; esac
done

# Tools of the same names that run the real ones under valgrind: an error becomes exit status 99.
valgrind=(valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite)
wrap_tools() {
	local t

	tools=$dir/bin
	mkdir "$tools"
	for t in "$build"/*; do
		[ -f "$t" ] && [ -x "$t" ] || continue
		printf '#!/bin/sh\nexec %s --log-file=%s "%s" "$@"\n' "${valgrind[*]}" "$dir/valgrind.%p" "$t" >"$tools/${t##*/}"
		chmod +x "$tools/${t##*/}"
	done
}

# The tools first in PATH, and the pages where man looks for them.
set_environment() {
	local page

	for page in "$top"/man/*.[0-9]; do
		mkdir -p "$dir/man/man${page##*.}" && ln -sf "$page" "$dir/man/man${page##*.}/"
	done
	[ -z "${VALGRIND:-}" ] || wrap_tools
	export STARPIPE_TOP=$top PATH=${tools:-$build}:$PATH MANPATH=$dir/man LC_ALL=C.UTF-8 TZ=UTC
	export HOME=$dir/home TMPDIR=$dir/tmp XDG_CACHE_HOME=$dir/home/.cache
	mkdir -p "$HOME" "$TMPDIR"
	unset PGDATABASE PGSERVICE PGPASSWORD CDPATH
	export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
}

servers_up() {
	local s3_job= options=${PG_OPTIONS:-}

	# the S3 server takes its time, so it comes only for those who ask
	if grep -qE 'fresh_bucket|AWS_|s3:' "${bats[@]}"; then
		"$top/tests/lib/s3.sh" up "$dir/s3" >"$dir/s3.env" & s3_job=$!
	fi
	# and so does a log that slots can read
	! grep -q 'wal_level=logical' "${bats[@]}" || options+=" -c wal_level=logical -c max_wal_senders=10"
	PG_OPTIONS=$options "$top/tests/lib/pg.sh" up "$dir/pg" >"$dir/pg.env" || die "no PostgreSQL"
	[ -z "$s3_job" ] || wait $s3_job || die "no S3 server"
	. "$dir/pg.env"
	[ -z "$s3_job" ] || . "$dir/s3.env"
}

# A program that dies without saying which test failed counts as one failure more.
run_unit() {
	local rc=0
	echo "# ${1##*/}"
	CMOCKA_MESSAGE_OUTPUT=TAP ${VALGRIND:+"${valgrind[@]}"} "$1" 2>&1 | tee "$dir/out"
	rc=${PIPESTATUS[0]}
	[ "$rc" = 0 ] || grep -q '^not ok' "$dir/out" || echo "not ok - ${1##*/} ended with status $rc" | tee -a "$dir/out"
	cat "$dir/out" >>"$dir/tap"
}

# So does a bats run that ends early.
run_bats() {
	local rc=0 planned reported tags=()
	# how much memory a sanitizer takes says nothing
	! grep -q __asan_init "$build/pg-extract" || tags=(--filter-tags '!size')
	command bats --timing --formatter tap --print-output-on-failure ${BATS_FILTER:+--filter "$BATS_FILTER"} "${tags[@]}" \
		"${bats[@]}" 2>&1 | tee "$dir/out"
	rc=${PIPESTATUS[0]}
	planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$dir/out" | head -1)
	reported=$(grep -cE '^(not )?ok [0-9]' "$dir/out")
	[ "${planned:-none}" = "$reported" ] ||
		echo "not ok - bats ran $reported of ${planned:-an unknown number of} tests" | tee -a "$dir/out"
	[ "$rc" = 0 ] || grep -q '^not ok' "$dir/out" || echo "not ok - bats ended with status $rc" | tee -a "$dir/out"
	cat "$dir/out" >>"$dir/tap"
}

count() { # print the last line, fail if something did
	awk -v strict="${STRICT:-0}" '
		/^(not )?ok .*# *[Ss][Kk][Ii][Pp]/ { skipped++; next }
		/^ok / { passed++ }
		/^not ok / { failed++ }
		END {
			if (strict == 1) { failed += skipped; if (skipped) print "# STRICT: " skipped " skipped tests count as failed"; skipped = 0 }
			printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
			exit failed > 0 || passed == 0
		}' "$dir/tap"
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/starpipe.XXXXXX") || die "no temporary folder"
chmod 711 "$dir" # the server's own user must get to its data below
: >"$dir/tap"
set_environment
for u in "${units[@]}"; do run_unit "$u"; done
if [ ${#bats[@]} -gt 0 ]; then
	command -v bats >/dev/null || die "no bats; make deps-test installs it"
	servers_up
	run_bats
fi
count
