#!/bin/bash
# pg.sh up|env|down DIR - a throwaway PostgreSQL server in DIR
# pg.sh standby DIR CONNINFO - the same, a standby of the server that CONNINFO reaches
# pg.sh set-xid DIR XID - restart the server with XID as its next transaction; all must be frozen
#
#   up    make a cluster in DIR, start it, print the environment that reaches it
#   env   print that environment again:  eval "$(tests/lib/pg.sh env DIR)"
#   down  stop the server, even one that hangs, and remove what up made
#
# It listens on a socket inside DIR and on a free port of 127.0.0.1, and lets everybody in there as
# superuser, who can run commands as the server's user: for tests and the demo only, which has no port
# and a socket of its own. DIR must be nobody else's. As root it runs as postgres or nobody. Locale C and UTF-8.
# fsync is off: a crash of the machine may lose it. PG_OPTIONS holds more settings: "-c a=b -c c=d".
# The newest server of /usr/lib/postgresql is taken; PG_BINDIR names another one's bin folder.
set -eu

die() { echo "pg.sh: error: $*" >&2; exit 1; }

[ $# -ge 2 ] || { echo "usage: pg.sh up|env|down DIR" >&2; exit 2; }
verb=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
[ ${#dir} -le 80 ] || die "\"$dir\" is too long for the name of a socket"

bindir() {
	local found
	if [ -n "${PG_BINDIR:-}" ]; then
		echo "$PG_BINDIR"
	elif found=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -1) && [ -x "$found" ]; then
		dirname "$found"
	elif found=$(command -v postgres); then
		dirname "$(readlink -f "$found")"
	else
		die "no PostgreSQL server found; tests/lib/deps.sh installs one"
	fi
}

# The server refuses to run as root.
unprivileged=()
if [ "$(id -u)" = 0 ]; then
	user=$(id -un postgres 2>/dev/null || echo nobody)
	unprivileged=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- env "HOME=$dir")
fi

free_port() { # a TCP port nobody listens on, below the range that outgoing connections take
	local port
	for _ in $(seq 100); do
		port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
	done
	die "no free port"
}

print_env() {
	echo "export PGHOST=$dir PGPORT=$(cat "$dir/port") PGUSER=postgres PGDATABASE=postgres"
	echo "unset PGPASSWORD PGSERVICE PGSSLMODE PGOPTIONS"
}

server_pid() { head -1 "$dir/data/postmaster.pid" 2>/dev/null; }

# A pid may have been given to another process since: only a server of this cluster counts.
is_running() {
	local pid
	pid=$(server_pid) && [ -n "$pid" ] && [ "/proc/$pid/cwd" -ef "$dir/data" ]
}

is_ready() { "$bin/pg_isready" -q -h "$dir" -p "$port"; }

prepare() {
	[ -O "$dir" ] || [ "$(stat -c %U "$dir")" = "${user:-}" ] || die "\"$dir\" is another user's"
	[ -f "$dir/port" ] || [ -z "$(ls -A "$dir")" ] || die "\"$dir\" is not empty"
	rm -rf "$dir/data"
	bin=$(bindir)
	if [ ${#unprivileged[@]} -gt 0 ]; then
		chown "$user" "$dir"
		"${unprivileged[@]}" test -w "$dir" || die "user \"$user\" cannot reach \"$dir\""
	fi
}

# as_server COMMAND... - run it as the server's user, quiet unless it fails
as_server() {
	"${unprivileged[@]}" "$@" >"$dir/${1##*/}.log" 2>&1 || { cat "$dir/${1##*/}.log" >&2; die "${1##*/} failed"; }
}

launch() {
	# max_wal_size and friends: loading millions of rows should not wait for checkpoints
	"${unprivileged[@]}" setsid "$bin/postgres" -D "$dir/data" -k "$dir" -h 127.0.0.1 -p "$port" \
		-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_wal_size=4GB \
		-c shared_buffers=128MB -c max_connections=50 -c wal_level=minimal -c max_wal_senders=0 \
		-c max_prepared_transactions=20 -c autovacuum_naptime=10min ${PG_OPTIONS:-} >"$dir/log" 2>&1 </dev/null 3>&- &
	for _ in $(seq 150); do
		is_ready && return
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	tail -20 "$dir/log" >&2
	die "the server did not start"
}

start() {
	prepare
	as_server "$bin/initdb" -D "$dir/data" -U postgres -A trust --locale=C --encoding=UTF8 --no-sync
	port=$(free_port)
	echo "$port" >"$dir/port"
	launch
}

start_standby() {
	prepare
	as_server "$bin/pg_basebackup" -d "$1" -D "$dir/data" -R -c fast --no-sync
	port=$(free_port)
	echo "$port" >"$dir/port"
	PG_OPTIONS="-c wal_level=replica -c max_wal_senders=4 ${PG_OPTIONS:-}"
	launch
}

# 32768 transactions' states fill a page of pg_xact, 32 pages a file: the one of the new number must be there.
set_xid() {
	bin=$(bindir) port=$(cat "$dir/port")
	as_server "$bin/pg_ctl" -D "$dir/data" -m fast stop
	as_server dd if=/dev/zero of="$dir/data/pg_xact/$(printf %04X $(($1 / 32768 / 32)))" bs=8192 count=32
	as_server "$bin/pg_resetwal" -f -x "$1" -u "$(($1 - 1000))" "$dir/data"
	launch
}

stop() {
	local pid children
	if is_running; then
		pid=$(server_pid)
		kill -QUIT "$pid" 2>/dev/null || true # immediate shutdown: nothing here is worth saving
		for _ in $(seq 50); do
			is_running || break
			sleep 0.1
		done
		if is_running; then
			children=$(pgrep -P "$pid" || true)
			kill -KILL "$pid" $children 2>/dev/null || true
		fi
	fi
	rm -rf "$dir"/{data,log,*.log,port,.s.PGSQL.*}
	rmdir "$dir"
}

case "$verb" in
up)
	is_running || start
	print_env
	;;
standby) start_standby "$3"; print_env ;;
set-xid) set_xid "$3" ;;
env) is_running || die "no server runs in \"$dir\""; print_env ;;
down) stop ;;
*) echo "usage: pg.sh up|env|down DIR" >&2; exit 2 ;;
esac
