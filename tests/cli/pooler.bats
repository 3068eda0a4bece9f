# pgbouncer between the tools and their servers.
load ../lib/helpers

setup() {
	need pgbouncer
	fresh_db pooled
	cd "$BATS_TEST_TMPDIR"
	q "ALTER DATABASE pooled SET extra_float_digits = 0; ALTER DATABASE pooled SET DateStyle = 'German'"
	q "CREATE TABLE a (id int PRIMARY KEY, f float8); INSERT INTO a VALUES (1, 0.1::float8 + 0.2::float8)"
}

teardown() {
	[ ! -s "$bouncer/pid" ] || kill -QUIT "$(cat "$bouncer/pid")"
	rm -rf "$bouncer"
}

# pooler MODE ROUND_ROBIN - start one, with two idle servers; what is behind it is dbname=$p
pooler() {
	local run=() port=$((10000 + RANDOM % 20000))

	[ "$(id -u)" != 0 ] || run=(setpriv --reuid nobody --regid nogroup --clear-groups)
	bouncer=$(mktemp -d /tmp/starpipe-pooler.XXXXXX)
	chmod 777 "$bouncer"
	cat >"$bouncer/ini" <<-END
	[databases]
	pooled = host=$PGHOST port=$PGPORT user=$PGUSER
	[pgbouncer]
	listen_addr = 127.0.0.1
	listen_port = $port
	unix_socket_dir =
	auth_type = any
	pool_mode = $1
	server_round_robin = $2
	ignore_startup_parameters = extra_float_digits
	pidfile = $bouncer/pid
	logfile = $bouncer/log
	END
	"${run[@]}" pgbouncer -q -d "$bouncer/ini" 3>&-
	p="host=127.0.0.1 port=$port dbname=pooled"
	until psql_at "$p" 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
	psql_at "$p" 'SELECT pg_sleep(0.5)' >/dev/null &
	psql_at "$p" 'SELECT pg_sleep(0.5)' >/dev/null
	wait $!
}

@test "pg-extract is exact behind a pooler of transactions, and leaves no settings to others" {
	pooler transaction 1
	for _ in 1 2 3 4; do
		run -0 timeout 30 pg-extract -d "$p" --rows a
		[ "$output" = '{"id":1,"f":0.30000000000000004}' ]
		psql_at "$p" 'SHOW extra_float_digits'
		psql_at "$p" 'SHOW bytea_output'
	done >shown
	[ "$(sort shown | uniq -c | xargs)" = '4 0 4 hex' ]
	[ "$(psql_at "$p" 'SHOW search_path')" = '"$user", public' ]
}

@test "pg-load and slots do not take a pooler of transactions for a session" {
	for round_robin in 0 1; do
		pooler transaction $round_robin
		for _ in 1 2 3; do
			run -1 timeout 30 pg-load -d "$p" --table t <<<'{"id":1}'
			[[ "$output" == *'a pooler that gives every transaction another session'*'hint: '*'pool_mode = session'* ]]
		done
		run -1 timeout 30 pg-extract -d "$p" --slot s --state none.json
		[[ "$output" == *'a pooler that gives every transaction another session'* ]]
		[ "$(q "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" = 0 ]
		[ "$(psql_at "$p" 'SHOW extra_float_digits')" = 0 ]
		kill -QUIT "$(cat "$bouncer/pid")"
		rm -r "$bouncer"
	done
}

@test "a pooler of sessions is as good as the server" {
	pooler session 0
	for _ in 1 2; do
		run -0 timeout 30 bash -o pipefail -c "pg-extract -d '$p' | pg-load -d '$p' --schema copy"
	done
	run -0 psql_at "$p" 'SET extra_float_digits = 1; SELECT f FROM copy.a'
	[ "$output" = 0.30000000000000004 ]
	[ "$(psql_at "$p" 'SHOW search_path')" = '"$user", public' ]
}
