# helpers.bash - what bats files share; they begin with  load ../lib/helpers
# The environment they run in is the one run.sh makes: see tests/README.md.

bats_require_minimum_version 1.5.0
[ -n "${STARPIPE_TOP:-}" ] || { echo "run this by tests/lib/run.sh FILE" >&2; exit 1; }

# fresh_db NAME - make an empty database, dropping an old one of that name; its connection string is
# in $db and, for several at once, in a variable of the database's name. Text sorts by bytes,
# upper() and lower() know all letters.
fresh_db() {
	psql -qX -v ON_ERROR_STOP=1 -d postgres <<-END
	SET client_min_messages = warning;
	DROP DATABASE IF EXISTS "$1" WITH (FORCE);
	CREATE DATABASE "$1" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';
	END
	db="dbname=$1"
	printf -v "${1//[^A-Za-z0-9_]/_}" '%s' "$db"
}

# q SQL - the result of a query in $db, fields by "|", NULL as "\N"
q() { psql_at "$db" "$@"; }

# psql_at CONNINFO SQL - the same in another database
psql_at() { psql -qXAt -v ON_ERROR_STOP=1 -P null='\N' -d "$1" -c "$2"; }

# fresh_bucket NAME - make an empty bucket, emptying an old one of that name; its URL is in $bucket
fresh_bucket() {
	if s3_request HEAD "/$1" -I >/dev/null 2>&1; then
		aws_s3 rm --quiet --recursive "s3://$1"
	else
		s3_request PUT "/$1" >/dev/null
	fi
	bucket="s3://$1"
}

# aws_s3 ARGS... - the aws command's own view of the server; its exit status is the test's
aws_s3() { aws --endpoint-url "$AWS_ENDPOINT_URL" s3 "$@"; }
aws_s3api() { aws --endpoint-url "$AWS_ENDPOINT_URL" s3api "$@"; }

# s3_request METHOD PATH?QUERY [CURL OPTIONS] - for what the aws command makes slow or hard
s3_request() {
	local method=$1 path=$2
	shift 2
	curl -sS --fail-with-body -X "$method" --aws-sigv4 "aws:amz:$AWS_REGION:s3" \
		-H x-amz-content-sha256:UNSIGNED-PAYLOAD \
		--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$@" "$AWS_ENDPOINT_URL$path"
}

# totesys_db NAME ORDERS - a fresh database with the generated shop of so many sales orders
totesys_db() {
	fresh_db "$1"
	psql -qX -v ON_ERROR_STOP=1 -d "$db" -f "$STARPIPE_TOP/tests/totesys/source.sql"
	psql -qX -v ON_ERROR_STOP=1 -d "$db" -v orders="$2" -f "$STARPIPE_TOP/tests/totesys/generate.sql"
}

# star_by_postgres SCHEMA - let PostgreSQL run transform/totesys.sql itself in $db, into a new schema
star_by_postgres() {
	local t=$STARPIPE_TOP/transform
	install -m 644 "$t/iso4217.csv" "$TMPDIR/iso4217.csv"
	{
		cat <<-END
		SET client_min_messages = warning;
		DROP SCHEMA IF EXISTS $1 CASCADE;
		CREATE SCHEMA $1;
		CREATE EXTENSION IF NOT EXISTS file_fdw;
		CREATE SERVER IF NOT EXISTS files FOREIGN DATA WRAPPER file_fdw;
		SET search_path = $1, public;
		END
		sed "s|'iso4217.csv'|'$TMPDIR/iso4217.csv'|" "$t/totesys.sql"
	} | psql -qX -v ON_ERROR_STOP=1 -d "$db"
}

# need COMMAND... - skip the test where a command is missing
need() {
	local c
	for c; do command -v "$c" >/dev/null || skip "no $c here"; done
}

# bounded KIB - is this much memory within the 64 MiB that every tool promises? Sanitizers and
# valgrind take what they take.
bounded() { [ "$1" -lt 65536 ] || own_memory; }

# limit_memory KIB - ulimit -v for what follows in this shell, but for those
limit_memory() { own_memory || ulimit -v "$1"; }
own_memory() { [ -n "${VALGRIND:-}" ] || grep -q __asan_init "$(command -v pg-extract)"; }
export -f limit_memory own_memory
