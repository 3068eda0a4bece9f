#!/bin/bash
# demo.sh [stop] - the whole pipe on this machine: a shop's database, a lake, a warehouse
#
# Installs what is missing (apt, as root or by sudo), builds, starts a PostgreSQL of its own in a
# temporary folder, fills it with a generated shop, and runs the pipe. No other server is touched, and
# nothing lies outside that folder but its name, in ~/.cache. Run again, it starts over; "stop" ends the
# server and removes the folder. DEMO_ORDERS (20000) is the number of sales orders, DEMO_DIR another
# folder, which must not exist yet.
#
# Other users of the machine can neither guess the folder's name nor reach its server.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
note=${XDG_CACHE_HOME:-$HOME/.cache}/starpipe-demo
dir=${DEMO_DIR:-$(cat "$note" 2>/dev/null || true)}
orders=${DEMO_ORDERS:-20000}
build=$(cd "$top" && realpath -m "${B:-build}")

bold='' plain=''
[ ! -t 1 ] || [ -n "${NO_COLOR:-}" ] || bold=$'\e[1m' plain=$'\e[0m'
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
die() { echo "demo: error: $*" >&2; exit 1; }

# Is it a folder that an earlier demo made, of ours and no link?
is_ours() { [ -O "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir/this-is-starpipe-demo" ]; }

stop() {
	[ -n "$dir" ] && is_ours || return 0
	[ ! -d "$dir/pg" ] || "$top/tests/lib/pg.sh" down "$dir/pg"
	rm -rf "$dir"
}

prepare() {
	step "1/4  What is missing is installed, then all is built"
	"$top/tests/lib/deps.sh" demo
	make -C "$top" -s -j "$(nproc)" B="$build"
	echo "built in $build"

	umask 077
	if [ -z "${DEMO_DIR:-}" ]; then
		dir=$(mktemp -d "${TMPDIR:-/tmp}/starpipe-demo.XXXXXX")
		mkdir -p "${note%/*}"
		echo "$dir" >"$note"
	else
		mkdir "$dir" 2>/dev/null || die "cannot make the folder \"$dir\""
	fi
	step "2/4  A PostgreSQL server in $dir"
	touch "$dir/this-is-starpipe-demo"
	chmod 711 "$dir" # root's server is another user's, whose data lie below
	PG_OPTIONS="-c listen_addresses= -c unix_socket_permissions=0700" "$top/tests/lib/pg.sh" up "$dir/pg" >"$dir/env"
	. "$dir/env"
	source="host=$PGHOST port=$PGPORT user=$PGUSER dbname=totesys"
	warehouse="host=$PGHOST port=$PGPORT user=$PGUSER dbname=warehouse"
	lake=$dir/lake
	psql -qX -d postgres -c "CREATE DATABASE totesys" -c "CREATE DATABASE warehouse"
	psql -qX -d "$source" -f "$top/tests/totesys/source.sql"
	psql -qX -d "$source" -v orders="$orders" -f "$top/tests/totesys/generate.sql"
	psql -qXAt -d "$source" <<-END
	SELECT format('filled with a shop''s %s sales orders, %s purchase orders, %s payments',
	              (SELECT count(*) FROM sales_order), (SELECT count(*) FROM purchase_order),
	              (SELECT count(*) FROM payment));
	END
}

run_pipe() {
	local started=$SECONDS

	step "3/4  The pipe, in three stages: examples/three-zones.sh"
	sed -n '/^state=/,$s/^/    /p' "$top/examples/three-zones.sh"
	mkdir "$lake"
	"$top/examples/three-zones.sh" "$source" "file://$lake" "$warehouse" >"$dir/receipts" || die "the pipe failed"
	echo
	echo "done in $((SECONDS - started)) s; the three loaders' receipts are in $dir/receipts"

	psql -qX -d "$source" -c "UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id <= 3" \
		-c "UPDATE department SET location = 'Leeds' WHERE department_name = 'Production'"
	"$top/examples/three-zones.sh" "$source" "file://$lake" "$warehouse" >>"$dir/receipts" || die "the second run failed"
	echo "Three orders and a department changed; the next run has loaded:"
	tail -1 "$dir/receipts" | sed 's/.*"rows":{\([^}]*\)}.*/\1/; s/"[a-z_]*":0,\{0,1\}//g; s/,$//; s/^/    /'
}

result() {
	step "4/4  The result"
	psql -qX -P footer=off -d "$warehouse" <<-'END'
	SELECT relname AS "table of the warehouse",
	       (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]::text::bigint AS rows
	  FROM pg_class
	 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname ~ '^(dim|fact)_'
	 ORDER BY relname;

	\echo The best quarters, and who sold:
	SELECT year, quarter, department_name AS department, currency_name AS currency, count(*) AS orders,
	       to_char(sum(units_sold * unit_price), 'FM999,999,999,999.00') AS sales
	  FROM fact_sales_order f
	  JOIN dim_date d ON d.date_id = f.created_date
	  JOIN dim_staff s ON s.staff_id = f.sales_staff_id
	  JOIN dim_currency USING (currency_id)
	 GROUP BY 1, 2, 3, 4
	 ORDER BY sum(units_sold * unit_price) DESC LIMIT 5;
	END
	echo "The lake, $(du -sh "$lake" | cut -f1) in $lake; of its files:"
	(cd "$lake" && find . -type f -printf '    %P\n' | sort | sed -n '1p; 3p; /processed.*fact/p' | head -4)
	cat <<-END

	Look around in the warehouse:  psql "$warehouse"
	and in the shop's database:    psql "$source"
	Stop the server, remove all:   examples/demo.sh stop
	END
}

if [ "${1:-}" = stop ]; then
	stop
	exit
fi
[ $# = 0 ] || { echo "usage: demo.sh [stop]" >&2; exit 2; }
[ ! -e "$dir" ] || is_ours || die "\"$dir\" is in the way"
stop
trap '[ $? = 0 ] || echo "demo: stopped early; examples/demo.sh stop cleans up" >&2' EXIT
prepare
PATH=$build:$PATH
run_pipe
result
