# Size changes no tool's memory.
load ../lib/helpers

@test "every process of the pipe stays below 64 MiB, whatever the size of the database" {
	need /usr/bin/time
	totesys_db large "${ORDERS:-100000}"
	fresh_db large_dw
	cd "$BATS_TEST_TMPDIR"
	t='/usr/bin/time -f %M -o'
	run bash -o pipefail -c "$t rss1 pg-extract -d dbname=large | $t rss2 star-transform $STARPIPE_TOP/transform/totesys.sql |
		tee >($t rss3 s3-put --compress zstd file://$BATS_TEST_TMPDIR/lake/ >receipt) | $t rss4 pg-load -d dbname=large_dw"
	echo "$output"
	[ "$status" -eq 0 ]
	until [ -s rss3 ]; do sleep 0.1; done
	tail rss?
	for r in rss?; do bounded "$(cat $r)"; done
	[ "$(psql_at dbname=large_dw "SELECT count(*) FROM fact_sales_order")" = "${ORDERS:-100000}" ]
}
