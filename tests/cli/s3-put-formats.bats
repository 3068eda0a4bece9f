# s3-put --format and --partition-by: what its page promises, and that s3-get gives back what was put.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	lake=$PWD/lake
}

# frame MODE COLUMNS LINE... - a step of table t, whose key is id
frame() {
	local mode=$1 columns=$2
	shift 2
	echo '{"@table":"t","columns":['"$columns"'],"key":["id"],"mode":"'"$mode"'"}'
	[ $# = 0 ] || printf '%s\n' "$@"
	echo '{"@state":{"at":1}}'
	echo '{"@end":{"rows":{"t":'"$(printf '%s\n' "$@" | grep -c '^{"[^@]')"'}}}'
}
id='{"name":"id","type":"int4"}'
v='{"name":"v","type":"text"}'

# read_lake [URL] - rows and deletes as s3-get gives them
read_lake() { s3-get "${1:-file://$lake/}" | grep -vE '^\{"@(state|end|table)'; }

# parted ROWS VALUES ORDER - rows of table t over so many partitions, one behind the other or at random
parted() {
	python3 - "$@" <<-'END'
	import random, sys
	rows, values, order = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
	r = random.Random(1)
	print('{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"p","type":"text"}],"key":["id"],"mode":"full"}')
	for i in range(rows):
	    print('{"id":%d,"p":"v%d"}' % (i, i * values // rows if order == "sorted" else r.randrange(values)))
	print('{"@end":{"rows":{"t":%d}}}' % rows)
	END
}

# remaining - what is left of a stream's table when all of its lines have been done in their order
remaining() {
	python3 -c 'import json, sys
t = {}
for line in sys.stdin:
    r = json.loads(line)
    if "id" in r: t[r["id"]] = r["n"]
    elif "@delete" in r and "key" in r: t.pop(r["key"]["id"], None)
    elif "@delete" in r: t = {}
print(sorted(t.items()))'
}

without_arrays() {
	python3 -c 'import json, sys
for line in sys.stdin:
    r = json.loads(line, parse_float=str, parse_int=str)
    print(json.dumps({k: v for k, v in r.items() if k not in ("a", "cs", "ms")}))'
}

@test "every type's ugliest values come back the same by each format" {
	fresh_db ugly
	psql -qX -v ON_ERROR_STOP=1 -d ugly -f "$STARPIPE_TOP/tests/e2e/ugly.sql" >/dev/null
	# what Parquet has no value for
	q "UPDATE \"t numeric(10,2)\" SET v = NULL WHERE v = 'NaN'"
	for t in timestamp timestamptz; do q "UPDATE \"t $t\" SET v = NULL WHERE v > '294247-01-10' AND v <> 'infinity'"; done
	pg-extract -d "$db" >whole
	n=$(grep -c '^{"@table".*columns' whole)
	[ "$n" -gt 80 ]
	for how in "jsonl" "jsonl --compress gzip" "csv" "csv --compress zstd" "parquet --numeric-as string"; do
		rm -rf lake
		s3-put --format $how "file://$lake/" <whole >/dev/null
		[ "$(find lake -type f -name "*.${how%% *}*" | wc -l)" -ge 80 ]
		# announced first, and then table by table as they were
		grep -av '^{"@' <whole >want
		s3-get "file://$lake/" >stream
		grep '^{"@table".*columns' whole | diff - <(grep '^{"@table".*columns' stream)
		# arrays come back from CSV as PostgreSQL's text
		same=cat
		[[ "$how" != csv* ]] || same=without_arrays
		grep -av '^{"@' stream | $same | sort | cmp - <($same <want | sort)
		grep '^{"@end"' whole | jq -S . | diff - <(grep '^{"@end"' stream | jq -S .)
	done
}

@test "NULL and the empty text are not the same in CSV" {
	frame full "$id,$v" '{"id":1,"v":null}' '{"id":2,"v":""}' '{"id":3,"v":"a\"\n,b"}' '{"id":null,"v":"\\N"}' >in
	s3-put --format csv "file://$lake/" <in
	diff <(printf 'id,v\n1,\n2,""\n3,"a""\n,b"\n,\\N\n') lake/t/*/*/*/*.csv
	diff <(grep -v '^{"@' in) <(read_lake)
}

@test "text is compressed around, Parquet inside, and the names and records say so" {
	frame full "$id,$v" '{"id":1,"v":"x"}' >in
	for how in "jsonl gzip .jsonl.gz" "jsonl zstd .jsonl.zst" "csv gzip .csv.gz" "csv zstd .csv.zst" \
		"parquet none .parquet" "parquet snappy .parquet" "parquet gzip .parquet" "parquet zstd .parquet"; do
		set -- $how
		lake=$PWD/$1-$2
		s3-put --format $1 --compress $2 "file://$lake/" <in
		[ "$(read_lake)" = '{"id":1,"v":"x"}' ]
		object=$(jq -r '.objects[0].path' "$lake/_commits/"*.json)
		[[ "$object" == *$3 ]]
		[ "$(jq -r '.objects[0].format' "$lake/_commits/"*.json)" = "$1" ]
		case $how in
		*parquet*) [ "$(head -c 4 "$lake/$object")" = PAR1 ]; parquet2jsonl "$lake/$object" >/dev/null ;;
		*gzip*) gzip -t "$lake/$object" ;;
		*zstd*) zstd -qt "$lake/$object" ;;
		esac
	done
	run -2 s3-put --format parquet --compress lz4 "file://$lake/" <in
	run -2 s3-put --format csv --compress snappy "file://$lake/" <in
	[[ "$output" == *'"snappy" is neither gzip nor zstd'* ]]
}

@test "steps of all formats in one lake are one stream" {
	for i in 1 2 3; do
		set -- jsonl csv parquet
		frame full "$id,$v" '{"id":'"$i"',"v":"x"}' | s3-put --format "${!i}" "file://$lake/"
	done
	[ "$(read_lake | jq -c .id | tr '\n' ' ')" = "1 2 3 " ]
}

@test "deletes come back in their order from JSON Lines and Parquet, a truncated table too; CSV refuses them" {
	frame changes "$id,$v" '{"id":1,"v":"a"}' '{"@delete":"t","key":{"id":1}}' '{"id":1,"v":"b"}' '{"@delete":"t"}' '{"id":2,"v":"c"}' '{"@delete":"t","key":{"id":2}}' >in
	for format in jsonl parquet; do
		lake=$PWD/$format
		s3-put --format $format "file://$lake/" <in
		diff <(grep -E '^\{"(id|@delete)' in) <(read_lake)
		[ "$(jq '[.objects[].deletes // 0] | add' "$lake"/_commits/*.json)" = 3 ]
	done
	run -65 s3-put --format csv "file://$PWD/csv/" <in
	[[ "$output" == *'line 3 (table "t"): CSV cannot say that a row was deleted'*'jsonl or parquet'* ]]
	[ ! -e csv/_commits ]
}

@test "a partition is a folder column=value, whatever the value is, and the column stays in the rows" {
	frame full "$id,$v" '{"id":1,"v":"plain"}' '{"id":2,"v":null}' '{"id":3,"v":""}' '{"id":4,"v":"a/b=c%d:e"}' '{"id":5,"v":".."}' \
		'{"id":6,"v":"../../up"}' '{"id":7,"v":"ünï é"}' '{"id":8,"v":"tab\tnl\n\"#"}' '{"id":9,"v":"__HIVE_DEFAULT_PARTITION__"}' >in
	fresh_bucket parts
	for format in jsonl csv parquet; do
		for url in "file://$PWD/$format/" "$bucket/$format/"; do
			s3-put --format $format --partition-by v "$url" <in
			diff <(grep '^{"id' in) <(read_lake "$url" | sort)
		done
		[ "$(find . -name "*.$format" | wc -l)" -eq 9 ]
		[ "$(find $format/t/v=* -name "*.$format" | wc -l)" -eq 9 ]
		[ -d $format/t/v=plain ] && [ -d $format/t/v=__HIVE_DEFAULT_PARTITION__ ] && [ -d "$format/t/v=a%2Fb%3Dc%25d%3Ae" ] &&
			[ -d "$format/t/v=.." ] && [ -d "$format/t/v=" ] && [ -d "$format/t/v=ünï é" ] && [ -d "$format/t/v=tab%09nl%0A%22%23" ]
		rm -r $format
	done
}

@test "a table without the column is not partitioned; if no table has it, that is exit 2 and no step" {
	printf '%s\n' '{"@table":"a","columns":[{"name":"x","type":"int4"},{"name":"p","type":"int4"}]}' '{"x":1,"p":7}' \
		'{"@table":"b","columns":[{"name":"x","type":"int4"}]}' '{"x":1}' '{"@end":{"rows":{"a":1,"b":1}}}' >in
	s3-put --partition-by p "file://$lake/" <in
	[ -d lake/a/p=7 ]
	ls -d lake/b/20*/*/*
	run -2 s3-put --partition-by q "file://$PWD/none/" <in
	[[ "$output" == *'no table has a column "q" to partition it by'* ]]
	[ -z "$(find none -type f)" ]
}

@test "of one key, what came later is read later, whatever its partitions, rows and deletes are" {
	python3 - >in <<-'END'
	import random
	r = random.Random(3)
	print('{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"p","type":"int4"},{"name":"n","type":"int4"}],"key":["id"],"mode":"changes"}')
	rows = 0
	for n in range(800):
	    if r.random() < .02: print('{"@delete":"t","key":{"id":%d}}' % r.randrange(300))
	    elif r.random() < .002: print('{"@delete":"t"}')
	    else:
	        print('{"id":%d,"p":%d,"n":%d}' % (r.randrange(300), r.randrange(5), n))
	        rows += 1
	print('{"@end":{"rows":{"t":%d}}}' % rows)
	END
	for format in jsonl parquet; do
		s3-put --format $format --partition-by p "file://$PWD/$format/" <in
		s3-get "file://$PWD/$format/" >out
		[ "$(grep -c '^{"id' out)" = "$(grep -c '^{"id' in)" ]
		[ "$(grep -c '^{"@delete' out)" = "$(grep -c '^{"@delete' in)" ]
		diff <(remaining <in) <(remaining <out)
	done
}

# bats test_tags=size
@test "five thousand partitions stay within memory and 256 open files, with every format" {
	need /usr/bin/time
	parted 10000 5000 sorted >sorted
	parted 10000 5000 random >random
	while read -r format order; do
			lake=$PWD/$format-$order
			(ulimit -n 256; exec /usr/bin/time -f %M -o kib s3-put --format $format --partition-by p "file://$lake/" <$order >receipt)
			echo "$format $order: $(tail -1 kib) KiB, $(jq -c .objects receipt) objects"
			bounded "$(tail -1 kib)"
			[ "$(ls "$lake/t" | wc -l)" = "$(jq -r '.p // empty' $order | sort -u | wc -l)" ]
			cmp <(grep '^{"id' $order | sort) <(read_lake | sort)
			rm -r "$lake"
	done <<-'END'
	jsonl random
	csv sorted
	parquet random
	END
}

# bats test_tags=size
@test "many tables in turns as Parquet stay within memory, in files and on S3" {
	need /usr/bin/time
	fresh_bucket turns
	python3 - >in <<-'END'
	import random
	names = ["t%d" % i for i in range(100)]
	text = "".join(random.Random(1).choices("0123456789abcdef", k=100000))
	for n in names: print('{"@table":"%s","columns":[{"name":"i","type":"int4"},{"name":"x","type":"text"}],"mode":"full"}' % n)
	for k in range(100):
	    for n in names:
	        print('{"@table":"%s"}' % n)
	        for i in range(k * 10, (k + 1) * 10): print('{"i":%d,"x":"%s"}' % (i, text[i * 97 % 98000:][:1000]))
	print('{"@end":{"rows":{%s}}}' % ",".join('"%s":1000' % n for n in names))
	END
	for url in "file://$lake/" "$bucket/lake/"; do
		/usr/bin/time -f %M -o kib s3-put --format parquet "$url" <in >receipt
		echo "$url: $(tail -1 kib) KiB, $(jq -c .objects receipt) objects"
		bounded "$(tail -1 kib)"
		for t in t0 t55 t99; do
			[ "$(s3-get --table $t "$url" | jq '.i // empty' | md5sum)" = "$(seq 0 999 | md5sum)" ]
		done
	done
}

@test "a long row that Parquet makes very short is read again" {
	{ printf '{"v":"'; head -c 100000000 /dev/zero | tr '\0' x; echo '"}'; } >row
	s3-put --table t --format parquet "file://$PWD/lake/" <row
	[ "$(stat -c %s lake/t/*/*/*/*)" -lt 100000 ]
	s3-get "file://$PWD/lake/" | sed -n 2p | cmp - row
}

@test "numeric without a precision is refused as Parquet, with a hint; --numeric-as string takes it" {
	frame full "$id,"'{"name":"n","type":"numeric"}' '{"id":1,"n":1.10}' >in
	run -65 s3-put --format parquet "file://$lake/" <in
	[[ "$output" == *'column "n"'*'--numeric-as string'* ]]
	[ ! -e lake/_commits ]
	[ -z "$(find . -name '*.tmp')" ]
	s3-put --format parquet --numeric-as string "file://$lake/" <in
	[ "$(read_lake)" = '{"id":1,"n":1.10}' ]
}

@test "options that do not go together are exit 2" {
	for options in "--format xml" "--format csv --delta" "--numeric-as string" "--format jsonl --row-group-size 1M" "--format parquet --numeric-as int"; do
		run -2 s3-put $options "file://$lake/" </dev/null
	done
	for options in "--format csv" "--partition-by x" "--delta" "--format parquet --numeric-as string"; do
		run -2 s3-put $options "file://$lake" </dev/null
		[[ "$output" == *'goes with a lake, a URL that ends in a slash'* ]]
	done
	[ ! -e lake ]
}

@test "SIGTERM leaves no object, no temporary file and no upload" {
	fresh_bucket term
	mkfifo pipe
	for url in "file://$lake/" "$bucket/lake/"; do
		s3-put --format parquet --compress none --partition-by p --row-group-size 1M "$url" <pipe & pid=$!
		exec 8>pipe
		python3 -c 'import random
print("""{"@table":"t","columns":[{"name":"id","type":"int4"},{"name":"p","type":"int4"},{"name":"x","type":"text"}]}""")
for i in range(20000): print("""{"id":%d,"p":%d,"x":"%s"}""" % (i, i % 2, "%0400x" % random.getrandbits(8000)))' >&8
		sleep 1
		[[ "$url" == s3* ]] || [ -n "$(find lake -name '*.tmp')" ]
		kill -TERM $pid
		status=0; wait $pid || status=$?
		exec 8>&-
		[ "$status" -eq 143 ]
	done
	[ -z "$(find lake -type f)" ]
	[ -z "$(aws_s3 ls --recursive "$bucket/")" ]
	run aws_s3api list-multipart-uploads --bucket term
	[[ "$output" != *UploadId* ]]
}
