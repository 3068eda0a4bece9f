#!/bin/bash
# deps.sh [build|demo|test|oracles|list] - install through apt what is missing, and nothing else
#
#   build  what `make` needs
#   demo   the same, and what `make demo` needs (the default)
#   test   the same, and what `make test`, `make lint` and `make check-man` need
#   oracles  the same, and what `make test-oracles` needs
#   list   print the packages of test, one a line
#
# Works on bare Debian 12 and 13 and Ubuntu 24.04, as root or through sudo. When everything is there
# it needs no network and no root. PostgreSQL's packages would create and start a server "main" on
# port 5432; this keeps them from it, and touches no server that is there already.
set -eu

say() { echo "deps: $*" >&2; }

have() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

build_packages() {
	echo build-essential pkg-config
	echo libpq-dev libcurl4-openssl-dev libyajl-dev libcsv-dev libpg-query-dev
	echo libssl-dev zlib1g-dev libzstd-dev libsnappy-dev liblz4-dev libbrotli-dev libgmp-dev
}

demo_packages() {
	build_packages
	echo git jq
	# any server will do that is there, whatever package it came from
	compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ||
		echo postgresql
}

test_packages() {
	demo_packages
	echo bats libcmocka-dev valgrind clang mandoc curl ca-certificates procps python3 python3-venv time zstd pgbouncer
	echo ceph-mon ceph-osd ceph-common radosgw
	[ "$codename" = noble ] || echo awscli # Ubuntu 24.04 has no package of it
	# the sanitizer and fuzzer runtimes of the clang that this release calls clang
	case "$codename" in
	bookworm) echo libclang-rt-14-dev ;;
	trixie) echo libclang-rt-19-dev ;;
	noble) echo libclang-rt-18-dev ;;
	esac
}

oracles_packages() {
	test_packages
	echo default-jre-headless # for Spark
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "error: installing needs root or sudo"
		exit 1
	fi
}

install_packages() {
	local dropin=/etc/postgresql-common/createcluster.d/starpipe.conf rc=0
	local apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)

	# A third-party source that does not answer is no reason to stop: apt-get install will tell.
	as_root "${apt[@]}" -q update >&2 || say "warning: apt-get update failed, trying all the same"
	as_root mkdir -p "${dropin%/*}"
	as_root sh -c "echo 'create_main_cluster = false' >$dropin"
	as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" -q install -y \
		--no-install-recommends --no-upgrade "$@" >&2 || rc=$?
	as_root rm -f "$dropin"
	return $rc
}

codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}") || codename=
case "${1:-demo}" in
build) wanted=$(build_packages) ;;
demo) wanted=$(demo_packages) ;;
test) wanted=$(test_packages) ;;
oracles) wanted=$(oracles_packages) ;;
list) test_packages | tr ' ' '\n'; exit ;;
*) echo "usage: deps.sh [build|demo|test|oracles|list]" >&2; exit 2 ;;
esac

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || {
	say "error: this is not a Debian or Ubuntu machine; install what these packages hold:" $wanted
	exit 1
}

missing=()
for p in $wanted; do
	have "$p" || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	say "installing ${missing[*]}"
	install_packages "${missing[@]}" || {
		say "error: apt-get could not install them"
		exit 1
	}
fi

# Before PostgreSQL 15 the parser wrote its trees in other words.
major=$(sed -n 's/^#define PG_MAJORVERSION "\([0-9]*\)".*/\1/p' /usr/include/pg_query.h)
[ "${major:-0}" -ge 15 ] || {
	say "error: libpg_query ${major:-of unknown version} is too old, 15 or later is needed (Debian 12, Ubuntu 24.04)"
	exit 1
}
