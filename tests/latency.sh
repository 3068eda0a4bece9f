#!/bin/bash
# latency.sh [RUNS [SECONDS]] - how long it takes from a commit in the source to the row in the warehouse
#
# A shop of 100,000 sales orders gets ten more a second, each in a transaction of its own, while the
# pipe runs RUNS times (10), every SECONDS seconds (60), as cron would. The server notes when each
# transaction committed; the warehouse, when each step did.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
PATH=$(cd "$top" && realpath -m "${B:-build}"):$PATH
runs=${1:-10} every=${2:-60}
dir=$(mktemp -d "${TMPDIR:-/tmp}/starpipe-latency.XXXXXX")
chmod 711 "$dir"
writer=
finish() {
	[ -z "$writer" ] || kill "$writer" 2>/dev/null || true
	"$top/tests/lib/pg.sh" down "$dir/pg"
	rm -rf "$dir"
}
trap finish EXIT

pipe() {
	pg-extract -d dbname=totesys --state <(pg-load -d dbname=warehouse --show-state) 2>/dev/null |
		star-transform --store "$dir/refs" "$top/transform/totesys.sql" | pg-load -d dbname=warehouse >"$dir/receipt"
	jq -r .seconds "$dir/receipt" >>"$dir/seconds"
	# what this step brought: its time less each row's own
	psql -qXAt -d warehouse -c "SELECT sales_order_id || ' ' || extract(epoch FROM committed_at)
		FROM fact_sales_order, starpipe_state WHERE sales_order_id > $seen" >"$dir/new"
	seen=$(psql -qXAt -d warehouse -c "SELECT max(sales_order_id) FROM fact_sales_order")
	cat "$dir/new" >>"$dir/visible"
}

eval "$(PG_OPTIONS='-c track_commit_timestamp=on' "$top/tests/lib/pg.sh" up "$dir/pg")"
psql -qX -c 'CREATE DATABASE totesys' -c 'CREATE DATABASE warehouse'
psql -qX -d totesys -f "$top/tests/totesys/source.sql"
psql -qX -d totesys -v orders=100000 -f "$top/tests/totesys/generate.sql"
seen=1000000000
pipe
rm "$dir/visible" "$dir/seconds"
cat >"$dir/order.sql" <<'END'
INSERT INTO sales_order SELECT nextval(pg_get_serial_sequence('sales_order', 'sales_order_id')), now(), now(), design_id, staff_id,
	counterparty_id, units_sold, unit_price, currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id
	FROM sales_order WHERE sales_order_id = 1 + (random() * 90000)::int;
END
pgbench -n -f "$dir/order.sql" -R 10 -c 1 -T $((runs * every + 60)) totesys >"$dir/pgbench" 2>&1 & writer=$!
next=$SECONDS
for _ in $(seq "$runs"); do
	next=$((next + every))
	sleep $((next > SECONDS ? next - SECONDS : 0))
	pipe
done
psql -qXAt -d totesys -c "SELECT sales_order_id || ' ' || extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM sales_order
	WHERE pg_xact_commit_timestamp(xmin) IS NOT NULL" | sort >"$dir/committed"
sort "$dir/visible" | join "$dir/committed" - | awk '{ print $3 - $2 }' | sort -n >"$dir/late"
awk -v runs="$runs" -v every="$every" '{ a[NR] = $1 } END {
	printf "%d orders, a run every %d s: median %.1f s, 95 %% within %.1f s, all within %.1f s\n",
		NR, every, a[int((NR + 1) / 2)], a[int(NR * 0.95)], a[NR] }' "$dir/late"
sort -n "$dir/seconds" | awk '{ a[NR] = $1 } END { printf "a run takes %.2f s (median), %.2f s at most\n", a[int((NR + 1) / 2)], a[NR] }'
