#!/usr/bin/env bats
# crash - any process of the pipe killed at any moment: the warehouse and the lake are as before or complete
#
# SEED=number repeats the moments of a run that failed; it is printed with the failure.

load ../lib/helpers

setup_file() {
	totesys_db shop 5000
	fresh_db before
	pipe before
	change_the_shop
	psql -qX -d postgres -c "DROP DATABASE after" -c "CREATE DATABASE after TEMPLATE before"
	pipe after
	export BEFORE=$(digest before) AFTER=$(digest after)
	[ "$BEFORE" != "$AFTER" ]
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	RANDOM=${SEED:=$((RANDOM + 1))}
	echo "SEED=$SEED"
}

pipe() { pg-extract -d dbname=shop | star-transform "$STARPIPE_TOP/transform/totesys.sql" | pg-load -d "dbname=$1" >/dev/null; }

# New versions for facts, a changed parent for a dimension, new rows for both
change_the_shop() {
	psql -qX -v ON_ERROR_STOP=1 -d shop <<-'X'
		UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id % 3 = 0;
		UPDATE payment SET paid = NOT paid WHERE payment_id % 5 = 0;
		UPDATE department SET location = location || '!' WHERE department_id < 4;
		INSERT INTO design (design_name, file_location, file_name) VALUES ('new', '/new', 'new.json');
	X
}

# The contents of a warehouse, the numbers that it gives to facts apart
digest() {
	grep -oP '(?<=^CREATE TABLE )\w+' "$STARPIPE_TOP/transform/totesys.sql" | while read -r t; do
		echo "SELECT '$t', count(*), sum(hashtextextended((to_jsonb(t) -
			'{sales_record_id,purchase_record_id,payment_record_id}'::text[])::text, 0)) FROM $t AS t;"
	done | psql -qXAt -v ON_ERROR_STOP=1 -d "$1"
}

fresh_warehouse() {
	psql -qX -d postgres -c "DROP DATABASE IF EXISTS wh WITH (FORCE)" -c "CREATE DATABASE wh TEMPLATE before"
}

# The whole pipe as a shell runs it, every stage's process id in pid.STAGE, how each ended in status
start_pipe() { # lake URL, bash options
	rm -f pid.* status put.status
	bash $2 -c '
		stage() { local name=$1; shift; echo $BASHPID >pid.$name.new; mv pid.$name.new pid.$name; exec "$@"; }
		stage extract pg-extract -d dbname=shop |
			stage transform star-transform "$STARPIPE_TOP/transform/totesys.sql" |
			stage tee tee >(stage put s3-put '"$1"' >put.out 2>put.err) |
			stage load pg-load -d dbname=wh >load.out
		echo "${PIPESTATUS[*]}" >status' 2>err &
	shell=$!
}

wait_pipe() {
	wait $shell || true
	read -r extract transform tee load <status
	# bash does not wait for >(...); a container's init may leave a zombie for long
	while grep -q '^State:.[^Z]' "/proc/$(cat pid.put)/status" 2>/dev/null; do sleep 0.02; done
	# what a killed client had sent may still be at work in the server
	until [ "$(psql_at dbname=postgres "SELECT count(*) FROM pg_stat_activity WHERE datname = 'wh'")" = 0 ]; do sleep 0.05; done
}

kill_stage() { # signal, stage
	until [ -e "pid.$2" ]; do sleep 0.005; done
	kill "-$1" "$(cat "pid.$2")" 2>/dev/null || true
}

records() { find lake/_commits -name '[0-9]*.json' ! -name '00000000000000000000.json' 2>/dev/null | wc -l; }

# Every record's objects are there, whole: what is not in a record does not count. Record 0 is no step.
check_lake() {
	local record object
	for record in $(find lake/_commits -name '[0-9]*.json' ! -name '00000000000000000000.json' 2>/dev/null); do
		jq -e '.state.source == "postgresql"' "$record" >/dev/null
		[ "$(jq '[.tables[].rows] | add' "$record")" = "$(jq '[.objects[].rows] | add' "$record")" ]
		jq -r '.objects[] | "\(.sha256)  lake/\(.path)"' "$record" | sha256sum --quiet -c
		while read -r rows object; do
			[ "$(wc -l <"lake/$object")" = "$rows" ]
		done < <(jq -r '.objects[] | "\(.rows) \(.path)"' "$record")
	done
}

# After a kill: the warehouse is as before or complete, and every exit code tells which
check_outcome() {
	local now
	echo "$1: extract $extract transform $transform tee $tee load $load"
	now=$(digest wh)
	[ "$now" = "$BEFORE" ] || [ "$now" = "$AFTER" ] || { echo "the warehouse is in between"; diff <(echo "$now") <(echo "$AFTER"); return 1; }
	case $load in
	0) [ "$now" = "$AFTER" ] ;;
	76) [ "$now" = "$BEFORE" ] && [ ! -s load.out ] ;;
	137) ;;
	*) cat err; return 1 ;;
	esac
	[[ $extract != 137 && $transform != 137 && $tee != 137 ]] || [ "$load" = 76 ]
	check_lake
}

@test "kill -9 of any stage at 20 random moments leaves the warehouse as before or complete" {
	mkdir lake
	fresh_warehouse
	started=$EPOCHREALTIME
	start_pipe "file://$PWD/lake/" ""
	wait_pipe
	ms=$((${EPOCHREALTIME/./} / 1000 - ${started/./} / 1000))
	[ "$extract $transform $tee $load" = "0 0 0 0" ]
	[ "$(digest wh)" = "$AFTER" ]
	[ "$(records)" = 1 ]
	check_lake
	fresh_warehouse
	for round in 1 2 3 4; do
		for stage in extract transform tee put load; do
			before=$(records)
			options=$( ((round % 2)) && echo "-o pipefail" || true)
			start_pipe "file://$PWD/lake/" "$options"
			delay=$((RANDOM % ms))
			sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
			kill_stage KILL $stage
			wait_pipe
			check_outcome "round $round: $stage killed after $delay of $ms ms"
			# s3-put's receipt tells of a new record; without it there is one only if the kill hit it in between
			if [ -s put.out ]; then
				[ "$(records)" = $((before + 1)) ]
			elif [ "$stage" != put ]; then
				[ "$(records)" = "$before" ]
			fi
			[ "$load" = 76 ] || fresh_warehouse
		done
	done
	# and the same line again: complete, and once more: nothing left to do
	start_pipe "file://$PWD/lake/" ""
	wait_pipe
	[ "$(digest wh)" = "$AFTER" ]
	start_pipe "file://$PWD/lake/" ""
	wait_pipe
	jq -e '.inserted == 0 and .updated == 0' load.out
	[ "$(digest wh)" = "$AFTER" ]
}

@test "a killed pg-load is in nobody's way: the same line at once goes through" {
	for moment in 0.2 0.6; do
		fresh_warehouse
		pg-extract -d dbname=shop | star-transform "$STARPIPE_TOP/transform/totesys.sql" >stream
		pg-load -d dbname=wh <stream >/dev/null &
		sleep $moment
		kill -KILL $! || true
		pg-load -d dbname=wh <stream
		[ "$(digest wh)" = "$AFTER" ]
	done
}

@test "SIGTERM to s3-put leaves no multipart upload open, and no object" {
	fresh_bucket crash
	mkfifo hold
	s3-put "$bucket/big" <hold 2>err &
	pid=$!
	exec 7>hold
	head -c 40000000 /dev/zero >&7
	until [[ $(aws_s3api list-multipart-uploads --bucket crash) == *big* ]]; do sleep 0.2; done
	kill -TERM $pid
	exec 7>&-
	rc=0; wait $pid || rc=$?
	[ $rc = 143 ]
	[[ $(aws_s3api list-multipart-uploads --bucket crash) != *big* ]]
	[ -z "$(aws_s3 ls --recursive "$bucket/")" ]
}

@test "a lake on S3: whatever stage gets SIGTERM or SIGKILL, only a record makes data of an object" {
	fresh_bucket crash
	for stage in extract transform put put load; do
		fresh_warehouse
		start_pipe "$bucket/lake/" ""
		until [ -e pid.put ]; do sleep 0.01; done
		sleep 0.$((RANDOM % 9 + 1))
		kill_stage "$([ "$stage" = put ] && echo TERM || echo KILL)" $stage
		wait_pipe
		echo "$stage: extract $extract transform $transform tee $tee load $load"
		rm -rf lake
		mkdir lake
		aws_s3 cp --quiet --recursive "$bucket/lake/" lake
		check_lake
		now=$(digest wh)
		[ "$now" = "$BEFORE" ] || [ "$now" = "$AFTER" ]
		[ "$stage" = put ] && [[ $(aws_s3api list-multipart-uploads --bucket crash) != *Key* ]] || [ "$stage" != put ]
	done
}
