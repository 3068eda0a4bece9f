# Running every five minutes: what changed arrives exactly once, though nothing in a row tells that it changed.
load ../lib/helpers

totesys=$STARPIPE_TOP/transform/totesys.sql

setup() { cd "$BATS_TEST_TMPDIR"; }

make_shop() { # NAME ORDERS
	totesys_db "$1" "$2"
	psql -qX -v ON_ERROR_STOP=1 -d "$db" -f "$STARPIPE_TOP/tests/e2e/incremental.sql"
}

# run_pipe STAR - one run; the warehouse is schema dw of the source's own database
run_pipe() {
	bash -o pipefail -c 'pg-extract -d "$1" --state <(pg-load -d "$1" --schema dw --show-state) |
		star-transform "$2" --store refs.jsonl | pg-load -d "$1" --schema dw' - "$db" "$1"
}

# Take note of what PostgreSQL makes of the star file now; how many versions of facts are new in $new_facts
note_star() {
	star_by_postgres gold
	new_facts=$(q "SELECT expected.note_star('gold')")
}

# nothing SQL - a query that must have no result
nothing() {
	local rows
	rows=$(q "$1 LIMIT 20") || return 1
	[ -z "$rows" ] || { echo "$rows"; return 1; }
}

@test "updates that leave last_updated alone: each is one version more of its fact, or the dimension's new row" {
	make_shop shop 1000
	for round in 0 1 2 3 4 5 6 7 8; do
		[ $round = 0 ] || q "CALL shop.change($round)"
		run_pipe "$totesys" >receipt
		note_star
		[ "$new_facts" -ge 15 ]
		nothing "SELECT * FROM expected.warehouse_differs('dw')"
		[ "$(jq '.inserted' receipt)" -ge "$new_facts" ]
	done
	run_pipe "$totesys" >receipt
	jq -e '.inserted == 0 and .updated == 0' receipt
	note_star
	[ "$new_facts" = 0 ]
	nothing "SELECT * FROM expected.warehouse_differs('dw')"
}

# The four kinds of writers, 10 at once until they are stopped: short transactions; long ones with savepoints,
# that roll back a part or all; prepared ones; ones of many parts
start_writers() {
	cat >short <<-'X'
	\set ms random(1, 60)
	BEGIN;
	CALL writers.touch(3);
	INSERT INTO item (grp_id) VALUES (1 + random() * 7);
	COMMIT;
	\sleep :ms ms
	X
	cat >long <<-'X'
	\set ms random(100, 3000)
	\set fate random(1, 4)
	BEGIN;
	CALL writers.touch(5);
	SAVEPOINT a;
	CALL writers.touch(5);
	CALL writers.touch_grp();
	\sleep :ms ms
	ROLLBACK TO a;
	CALL writers.touch(3);
	SAVEPOINT b;
	INSERT INTO item (grp_id) VALUES (1 + random() * 7);
	CALL writers.touch_grp();
	RELEASE b;
	\sleep :ms ms
	\if :fate = 1
	ROLLBACK;
	\else
	COMMIT;
	\endif
	X
	cat >prepared <<-'X'
	\set ms random(100, 2000)
	\set id random(1, 1000000000)
	\set fate random(1, 4)
	BEGIN;
	CALL writers.touch(5);
	SAVEPOINT a;
	CALL writers.touch_grp();
	PREPARE TRANSACTION 'w:id';
	\sleep :ms ms
	\if :fate = 1
	ROLLBACK PREPARED 'w:id';
	\else
	COMMIT PREPARED 'w:id';
	\endif
	\sleep 20 ms
	X
	cat >parts <<-'X'
	\set ms random(100, 1000)
	BEGIN;
	CALL writers.touch_in_parts(90);
	\sleep :ms ms
	COMMIT;
	\sleep :ms ms
	X
	PGDATABASE=busy pgbench -n -c 10 -j 2 -T 3600 -f short@20 -f long@3 -f prepared@2 -f parts@1 >bench 2>&1 &
	writers=$!
}

# Who is prepared when the writers stop commits later, or never
stop_writers() {
	kill $writers
	wait $writers || true
	until [ "$(q "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'")" = 0 ]; do sleep 0.05; done
	q "SELECT CASE WHEN random() < 0.5 THEN 'COMMIT' ELSE 'ROLLBACK' END || ' PREPARED ' || quote_literal(gid) || ';'
		FROM pg_prepared_xacts" | psql -qX -v ON_ERROR_STOP=1 -d "$db"
}

teardown() {
	[ -z "${writers:-}" ] || kill $writers 2>/dev/null || true
}

@test "of writers that hold, undo and prepare transactions while 30 runs go by, each version that a run saw arrives once" {
	fresh_db busy
	psql -qX -v ON_ERROR_STOP=1 -d "$db" -f "$STARPIPE_TOP/tests/e2e/writers.sql"
	cat >star.sql <<-'X'
	CREATE TABLE dim_grp (grp_id int PRIMARY KEY, version int NOT NULL);
	CREATE TABLE fact_item (item_record_id serial PRIMARY KEY, item_id int NOT NULL, version int NOT NULL);
	CREATE TABLE fact_joined (joined_record_id serial PRIMARY KEY, item_id int NOT NULL, version int NOT NULL,
		grp_id int NOT NULL, grp_version int NOT NULL);
	INSERT INTO dim_grp SELECT grp_id, version FROM grp;
	INSERT INTO fact_item (item_id, version) SELECT item_id, version FROM item;
	INSERT INTO fact_joined (item_id, version, grp_id, grp_version)
	SELECT i.item_id, i.version, g.grp_id, g.version FROM item i JOIN grp g USING (grp_id);
	X
	start_writers
	for run in $(seq 30); do
		run_pipe star.sql >receipt
		snapshots+="('$(jq -r .state.snapshot receipt)'), "
		sleep 0.3
	done
	stop_writers
	run_pipe star.sql >receipt
	q "INSERT INTO writers.run (snapshot) VALUES $snapshots ('$(jq -r .state.snapshot receipt)')"

	nothing "SELECT * FROM (SELECT item_id, row_number() OVER (PARTITION BY item_id ORDER BY item_record_id), version
		FROM dw.fact_item EXCEPT ALL TABLE writers.fact_item) AS too_much"
	nothing "SELECT * FROM (TABLE writers.fact_item EXCEPT ALL SELECT item_id, row_number()
		OVER (PARTITION BY item_id ORDER BY item_record_id), version FROM dw.fact_item) AS lost"
	nothing "SELECT * FROM (SELECT item_id, row_number() OVER (PARTITION BY item_id ORDER BY joined_record_id),
		version, grp_id, grp_version FROM dw.fact_joined EXCEPT ALL TABLE writers.fact_joined) AS too_much"
	nothing "SELECT * FROM (TABLE writers.fact_joined EXCEPT ALL SELECT item_id, row_number()
		OVER (PARTITION BY item_id ORDER BY joined_record_id), version, grp_id, grp_version FROM dw.fact_joined) AS lost"
	nothing "SELECT * FROM ((TABLE grp EXCEPT TABLE dw.dim_grp) UNION ALL (TABLE dw.dim_grp EXCEPT TABLE grp)) AS d"
	nothing "SELECT * FROM ((SELECT item_id, version FROM item EXCEPT SELECT item_id, version FROM dw.current_fact_item)
		UNION ALL (SELECT item_id, version FROM dw.current_fact_item EXCEPT SELECT item_id, version FROM item)) AS d"

	# the writers were there, and transactions of theirs were open from one run to the next
	[ "$(q "SELECT count(*) FROM (SELECT pg_snapshot_xmin(snapshot) < lag(pg_snapshot_xmax(snapshot)) OVER (ORDER BY n)
		AS across FROM writers.run) AS r WHERE across")" -ge 10 ]
	[ "$(q "SELECT count(*) FROM dw.fact_item")" -ge 300 ] # a busy machine writes less
}

# Everything that a warehouse holds, its state too, as one number
digest() {
	q "SELECT string_agg(format('SELECT %L, sum(hashtextextended(t::text, 0)) FROM dw.%I AS t', relname, relname),
		' UNION ALL ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'dw'::regnamespace AND relkind = 'r'" |
		psql -qXAt -v ON_ERROR_STOP=1 -d "$db" | sort | md5sum
}

extract_to() { pg-extract -d "$db" --state <(pg-load -d "$db" --schema dw --show-state) >"$1"; }

# status_in FILE COMMAND... - how a command ends
status_in() {
	local rc=0
	"${@:2}" || rc=$?
	echo $rc >"$1"
}

# Start a run of the stream in file stream.N; its last line comes only when file go is there
start_run() {
	{
		head -n -1 "stream.$1"
		timeout 20 sh -c 'until [ -e go ]; do sleep 0.02; done'
		tail -n 1 "stream.$1"
	} | status_in "transform.$1" star-transform "$totesys" --store refs.jsonl 2>"err.$1" |
		status_in "load.$1" pg-load -d "$db" --schema dw >"receipt.$1" 2>>"err.$1" &
}

@test "of two runs at once exactly one commits, the other exits 73 and has changed nothing" {
	make_shop shop 300
	run_pipe "$totesys" >receipt
	note_star
	for round in 1 2 3 4 5; do
		rm -f go load.* transform.*
		q "CALL shop.change($((2 * round)))"
		extract_to stream.1
		star_by_postgres gold_1
		q "CALL shop.change($((2 * round + 1)))"
		extract_to stream.2
		before=$(digest)
		start_run $((1 + round % 2))
		start_run $((2 - round % 2))
		until [ -s load.1 ] || [ -s load.2 ]; do sleep 0.05; done
		[ "$(digest)" = "$before" ]
		touch go
		wait
		echo "round $round: transform $(cat transform.1 transform.2) load $(cat load.1 load.2)"
		cat err.1 err.2
		[ "$(cat load.1 load.2 | grep -cx 0)" = 1 ]
		[ "$(cat transform.1 transform.2 load.1 load.2 | grep -cx 73)" -ge 1 ]
		[ "$(digest)" != "$before" ]
		[ "$(cat load.1)" != 0 ] || q "SELECT expected.note_star('gold_1')"
		# and what the loser did not do is done by the next
		run_pipe "$totesys" >receipt
		note_star
		nothing "SELECT * FROM expected.warehouse_differs('dw')"
	done
}

@test "a run that began earlier and ends later exits 73 and has changed nothing" {
	make_shop shop 300
	run_pipe "$totesys" >receipt
	q "CALL shop.change(1)"
	extract_to stream
	q "CALL shop.change(2)"
	run_pipe "$totesys" >receipt
	before=$(digest)
	cp refs.jsonl refs.before
	run bash -c "star-transform '$totesys' --store refs.jsonl <stream | pg-load -d '$db' --schema dw; echo \${PIPESTATUS[*]}"
	echo "$output"
	[[ "${lines[-1]}" == *73* ]]
	[ "$(digest)" = "$before" ]
	cmp refs.jsonl refs.before
	q "CALL shop.change(3)"
	run_pipe "$totesys" >receipt
	star_by_postgres gold
	nothing "SELECT * FROM (SELECT to_jsonb(t)::text FROM gold.dim_staff AS t EXCEPT
		SELECT to_jsonb(t)::text FROM dw.dim_staff AS t) AS missing"
}

# --- crashes ---

# The three zones of a lake, one after the other, each from where it left off; every process's id comes
# into the file pids/STAGE
run_zones() {
	LAKE=file://$PWD/lake bash -eo pipefail -c '
		stage() { echo $BASHPID >"pids/.$1"; mv "pids/.$1" "pids/$1"; shift; exec "$@"; }
		stage extract pg-extract -d "$1" --state <(stage state1 s3-put --show-state "$LAKE/ingested/") |
			stage put1 s3-put "$LAKE/ingested/" >receipt.1
		stage get1 s3-get "$LAKE/ingested/" --state <(stage state2 s3-put --show-state "$LAKE/processed/") |
			stage transform star-transform "$2" --store refs.jsonl |
			stage put2 s3-put "$LAKE/processed/" >receipt.2
		stage get2 s3-get "$LAKE/processed/" --state <(stage state3 pg-load -d "$1" --schema dw --show-state) |
			stage load pg-load -d "$1" --schema dw >receipt.3' - "$db" "$totesys"
}
stages=(extract state1 put1 get1 state2 transform put2 get2 state3 load)

# A moment that chance seldom hits: the store is written, the step that it is written for is not committed
hold_until_stored() { # pid of the loader
	local store i
	store=$(stat -c %i refs.jsonl)
	kill -STOP "$1" || return 0
	for i in {1..50}; do
		[ "$(stat -c %i refs.jsonl)" = "$store" ] || break
		sleep 0.02
	done
}

# Run the zones and kill one of their stages, up to 60 ms after it began; fails if it was over by then
run_zones_and_kill() {
	local stage=${stages[RANDOM % ${#stages[@]}]} rc=0
	rm -rf pids
	mkdir pids
	run_zones 2>err &
	until [ -e "pids/$stage" ] || ! kill -0 $! 2>/dev/null; do sleep 0.005; done # or a stage before failed
	if [ $stage = put2 ]; then
		hold_until_stored "$(cat pids/put2)"
	else
		sleep "0.0$(printf %02d $((RANDOM % 60)))"
	fi
	kill -KILL "$(cat "pids/$stage")" 2>/dev/null || rc=1
	wait $! || true
	return $rc
}

# What PostgreSQL makes of the source now, of its own tables and of the star's
note_zones() {
	note_star
	q "SELECT expected.note('public', relname, relname || '_id') FROM pg_class
	    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT LIKE '\_%'" >/dev/null
}

# All rows of a zone, in the order of its records, into expected.lake; records say what is true
read_lake() {
	jq -r --arg zone "lake/$1" '.objects[] | "\(.sha256)  \($zone)/\(.path)"' "lake/$1"/_commits/[0-9]*.json >sums
	sha256sum --quiet -c sums
	jq -r '.objects[] | "\(.table) \(.path)"' "lake/$1"/_commits/[0-9]*.json | while read -r rel path; do
		sed "s/\\\\/&&/g; s/^/$rel\t/" "lake/$1/$path"
	done | psql -qX -v ON_ERROR_STOP=1 -d "$db" -c "COPY expected.lake (rel, content) FROM STDIN"
}

@test "run after run, every other one killed somewhere and run again: warehouse, lake and state are as without" {
	RANDOM=${SEED:=$((RANDOM + 1))}
	echo "SEED=$SEED"
	make_shop shop 200
	mkdir lake pids
	run_zones
	note_zones
	killed=0
	for round in $(seq "${RUNS:-30}"); do
		q "CALL shop.change($round)"
		note_zones
		if ((RANDOM % 2)); then
			! run_zones_and_kill || killed=$((killed + 1))
		fi
		run_zones || { cat err; false; }
		((round % 20)) || nothing "SELECT * FROM expected.warehouse_differs('dw')"
	done
	echo "$killed killed"
	[ $killed -ge $((${RUNS:-30} / 5)) ]
	nothing "SELECT * FROM expected.warehouse_differs('dw')"
	read_lake ingested
	read_lake processed
	nothing "SELECT * FROM expected.lake_differs()"
	# the next run finds nothing to do
	before=$(digest)
	run_zones
	[ "$(jq -c '[.rows[]] | add // 0' receipt.1)" = 0 ]
	jq -e '.inserted == 0 and .updated == 0' receipt.3
	# and a pipe that starts now and that nobody kills comes to the same
	mv lake lake.killed
	rm refs.jsonl
	q "ALTER SCHEMA dw RENAME TO killed"
	mkdir lake
	run_zones
	nothing "SELECT * FROM expected.schemas_differ('dw', 'killed')"
}
