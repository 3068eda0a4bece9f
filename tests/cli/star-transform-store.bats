# star-transform --store: streams of changes, joined with what earlier runs brought; deleted rows.
load ../lib/helpers

setup() {
	cd "$BATS_TEST_TMPDIR"
	cat >star.sql <<-'END'
	CREATE TABLE dim_staff (staff_id int PRIMARY KEY, name text NOT NULL, dept text NOT NULL);
	CREATE TABLE dim_addr (id int PRIMARY KEY, line text);
	CREATE TABLE fact_o (rec serial PRIMARY KEY, o_id int NOT NULL, qty int);
	INSERT INTO dim_staff SELECT s.id, s.name, d.name FROM staff s JOIN dept d ON d.id = s.dept_id WHERE s.active;
	INSERT INTO dim_addr SELECT id, line FROM addr WHERE line <> 'x';
	INSERT INTO fact_o (o_id, qty) SELECT id, qty FROM o;
	END
	run=1
	frame full <<-'END' >full
	staff {"id":1,"name":"A","dept_id":1,"active":true}
	staff {"id":2,"name":"B","dept_id":1,"active":true}
	staff {"id":3,"name":"C","dept_id":2,"active":false}
	dept {"id":1,"name":"D1"}
	dept {"id":2,"name":"D2"}
	addr {"id":1,"line":"x"}
	addr {"id":2,"line":"y"}
	o {"id":1,"qty":5}
	END
}

# frame MODE - lines of "table row", "-table key" for a deleted row or "-table", as a frame of mode MODE
frame() {
	local table line last= n
	declare -A rows=([staff]=0 [dept]=0 [addr]=0 [o]=0)
	printf '{"@table":"%s","columns":[%s],"key":["id"],"mode":"%s"}\n' \
		staff '{"name":"id","type":"int4"},{"name":"name","type":"text"},{"name":"dept_id","type":"int4"},{"name":"active","type":"bool"}' "$1" \
		dept '{"name":"id","type":"int4"},{"name":"name","type":"text"}' "$1" \
		addr '{"name":"id","type":"int4"},{"name":"line","type":"text"}' "$1" \
		o '{"name":"id","type":"int4"},{"name":"qty","type":"int4"}' "$1"
	while read -r table line; do
		case $table in
		-*) echo "{\"@delete\":\"${table#-}\"${line:+,\"key\":$line}}" ;;
		*) echo "{\"@table\":\"$table\"}"; echo "$line"; rows[$table]=$((rows[$table] + 1)) ;;
		esac
	done
	n="\"staff\":${rows[staff]},\"dept\":${rows[dept]},\"addr\":${rows[addr]},\"o\":${rows[o]}"
	echo "{\"@state\":{\"source\":\"postgresql\",\"system\":\"1\",\"timeline\":1,\"database\":\"d\",\"snapshot\":\"$run:$run:\"}}"
	echo "{\"@end\":{\"rows\":{$n}}}"
	run=$((run + 1))
}

# transform <FRAME - a run with the store; the rows and deletes that come out, sorted
transform() {
	star-transform --store "${store:-refs}" star.sql >out || return
	jq -rc 'if has("@table") then "@" + ."@table" elif has("@delete") then "-" + ."@delete" + " " + (.key | tostring)
		elif has("@state") or has("@end") then empty else [.[] | tostring] | join(",") end' out |
		awk '/^@/ { t = substr($0, 2); next } /^-/ { print; next } { print t " " $0 }' | sort | paste -sd'|' -
}

@test "a changed parent takes its children along, once each, and a new child finds its unchanged parent" {
	[ "$(transform <full)" = "dim_addr 2,y|dim_staff 1,A,D1|dim_staff 2,B,D1|fact_o 1,5" ]
	[ "$(frame changes <<<'dept {"id":1,"name":"D1b"}' | transform)" = "dim_staff 1,A,D1b|dim_staff 2,B,D1b" ]
	[ "$(frame changes <<<'staff {"id":4,"name":"E","dept_id":2,"active":true}' | transform)" = "dim_staff 4,E,D2" ]
	[ "$(frame changes <<-'END' | transform
	staff {"id":1,"name":"A2","dept_id":3,"active":true}
	dept {"id":3,"name":"D3"}
	dept {"id":2,"name":"D2b"}
	END
	)" = "dim_staff 1,A2,D3|dim_staff 4,E,D2b" ]
	[ "$(frame changes </dev/null | transform)" = "" ]
	[ "$(jq -r 'select(has("@table")).mode' out | sort | uniq -c | xargs)" = "3 changes" ]
}

@test "rows that are deleted, or meet the conditions no more, are deleted in the star" {
	transform <full
	[ "$(frame changes <<-'END' | transform
	-o {"id":1}
	-addr {"id":7}
	addr {"id":2,"line":"x"}
	staff {"id":2,"name":"B","dept_id":1,"active":false}
	END
	)" = '-dim_addr {"id":2}|-dim_addr {"id":7}|-dim_staff {"staff_id":2}|-fact_o {"o_id":1}' ]
	# a parent that is gone takes its children out of an inner join
	[ "$(frame changes <<<'-dept {"id":1}' | transform)" = '-dim_staff {"staff_id":1}' ]
	[ "$(frame changes <<<'-o' | transform)" = '-fact_o null' ]
	frame changes <<-'END' | transform | grep -q 'dim_staff 9,N,D1$'
	dept {"id":1,"name":"D1"}
	-staff {"id":1}
	-staff {"id":2}
	staff {"id":9,"name":"N","dept_id":1,"active":true}
	END
	! jq -r 'select(has("@table") | not) | .staff_id' out | grep -qx '[12]'
}

@test "a store ahead of the warehouse does no harm: the same changes go out again" {
	transform <full
	frame changes <<-'END' >changes
	dept {"id":1,"name":"D1b"}
	-staff {"id":2}
	addr {"id":3,"line":"z"}
	END
	first=$(transform <changes)
	[ "$first" = '-dim_staff {"staff_id":2}|dim_addr 3,z|dim_staff 1,A,D1b' ]
	[ "$(transform <changes)" = "$first" ]
}

@test "a run that is cut off leaves the store as it was" {
	transform <full
	cp refs before
	frame changes <<<'dept {"id":1,"name":"D1b"}' | head -n -2 >cut
	run -76 transform <cut
	cmp refs before
	echo '{"@table":"dept"}{"' >>cut
	run -65 transform <cut
	cmp refs before
	[ ! -e refs.*.tmp ]
}

@test "changes without a store, or with one that lacks the rows, are refused" {
	frame changes <<<'dept {"id":1,"name":"D1b"}' >changes
	run -2 --separate-stderr star-transform star.sql <changes
	[[ "$stderr" == *'table "dept" comes as changes'*"--store"* ]]
	run -2 --separate-stderr star-transform --store new star.sql <changes
	[[ "$stderr" == *'new does not have its rows'*"'pg-extract --full staff --full dept'"*"star-transform --store new star.sql >/dev/null"* ]]
	[ ! -e new ]
	transform <full
	sed 's/"name":"dept_id","type":"int4"/"name":"dept_id","type":"int8"/' changes >other
	run -2 --separate-stderr star-transform --store refs star.sql <other
	[[ "$stderr" == *'has it with other columns'* ]]
	sed -i 's/d.id = s.dept_id/d.name = s.name/' star.sql
	run -2 --separate-stderr star-transform --store refs star.sql <changes
	[[ "$stderr" == *'joined by their key'* ]]
	star-transform --store refs star.sql <full 2>&1 | grep -q 'no match in table' # a full stream is joined as ever
	echo '{"@table":"x"' >refs
	run -65 --separate-stderr star-transform --store refs star.sql <changes
	[[ "$stderr" == *"remove it and extract all rows"* ]]
}

@test "a store of an earlier time or of another pipe is refused: what it lacks would be joined as it was then" {
	since() { sed "s/\"snapshot\":/\"since\":\"$1:$1:\",&/"; }
	transform <full
	cp refs earlier
	[ "$(frame changes <<<'dept {"id":1,"name":"D1b"}' | since 1 | transform)" = "dim_staff 1,A,D1b|dim_staff 2,B,D1b" ]
	run=3
	# a step without joined rows moves the store on, too
	[ "$(frame changes <<<'o {"id":1,"qty":6}' | since 2 | transform)" = "fact_o 1,6" ]
	run=4
	frame changes <<<'staff {"id":1,"name":"Z","dept_id":1,"active":true}' | since 3 >changes
	[ "$(transform <changes)" = "dim_staff 1,Z,D1b" ]
	[ "$(transform <changes)" = "dim_staff 1,Z,D1b" ]
	cp earlier refs
	run -65 --separate-stderr star-transform --store refs star.sql <changes
	[[ "$stderr" == *'refs does not reach to where these changes begin'*"'pg-extract --full staff --full dept'"* ]]
	[[ "$output" != *'"@end"'* ]]
	cmp earlier refs
	sed 's/"system":"1"/"system":"2"/' changes >foreign
	run -65 star-transform --store refs star.sql <foreign
	# with all joined tables whole it does not matter what the store is
	run=4
	frame full <<<'dept {"id":2,"name":"D2"}' | since 3 | transform
	tail -2 refs | grep -q '"snapshot":"4:4:"'
}

@test "runs that share a store do not overlap, and an older one leaves it as it is" {
	transform <full
	mkfifo p
	star-transform --store refs star.sql <p >/dev/null 2>&1 & pid=$!
	exec 7>p
	for _ in $(seq 50); do ls -l /proc/$pid/fd | grep -q 'refs.lock$' && break; sleep 0.1; done
	sleep 0.2
	run -73 star-transform --store refs star.sql <full
	exec 7>&-
	wait $pid || true
	frame changes <<<'dept {"id":1,"name":"old"}' >older
	frame changes <<<'dept {"id":1,"name":"new"}' | transform
	cp refs before
	[ "$(transform <older)" = "dim_staff 1,A,old|dim_staff 2,B,old" ] # a loader takes it or leaves it
	cmp refs before
	[ "$(jq -c 'select(has("@state"))' out)" = "$(jq -c 'select(has("@state"))' older)" ]
}

@test "several steps of one stream are kept one by one, and a full step after changes starts anew" {
	head -n -1 full >steps
	frame changes <<<'dept {"id":1,"name":"D1b"}' | head -n -1 >>steps
	frame full <<-'END' | head -n -1 >>steps
	dept {"id":1,"name":"D1c"}
	staff {"id":1,"name":"A","dept_id":1,"active":true}
	END
	echo '{"@end":{"rows":{"staff":4,"dept":4,"addr":2,"o":1}}}' >>steps
	[ "$(transform <steps)" = "dim_addr 2,y|dim_staff 1,A,D1|dim_staff 1,A,D1b|dim_staff 1,A,D1c|dim_staff 2,B,D1|dim_staff 2,B,D1b|fact_o 1,5" ]
	[ "$(jq -r 'select(has("columns") and ."@table" == "dim_staff").mode' out | xargs)" = "full changes full" ]
	[ "$(grep -c '"dept_id"' refs)" -eq 2 ] # the announcement and one row
}

@test "a store may be on S3" {
	fresh_bucket stores
	store=$bucket/refs
	[ "$(transform <full)" = "dim_addr 2,y|dim_staff 1,A,D1|dim_staff 2,B,D1|fact_o 1,5" ]
	[ "$(frame changes <<<'dept {"id":1,"name":"D1b"}' | transform)" = "dim_staff 1,A,D1b|dim_staff 2,B,D1b" ]
	aws_s3 cp --quiet "$bucket/refs" - | tail -1 | jq -e '."@end".rows == {"staff":3,"dept":2}'
}

@test "a store on S3 may be larger than one answer of the server's is let be" {
	fresh_bucket stores
	store=$bucket/large
	{ cat <<-'END'; seq 3 72 | sed 's/.*/dept {"id":&,"name":"LARGE"}/'; } | frame full |
	staff {"id":1,"name":"A","dept_id":1,"active":true}
	staff {"id":2,"name":"B","dept_id":1,"active":true}
	dept {"id":1,"name":"D1"}
	END
		awk 'BEGIN { text = "x"; while (length(text) < 1000000) text = text text } { sub(/LARGE/, text); print }' | transform
	[ "$(frame changes <<<'dept {"id":1,"name":"D1b"}' | transform)" = "dim_staff 1,A,D1b|dim_staff 2,B,D1b" ]
}

@test "a deleted row of a table without a key is nobody's to delete" {
	sed -i 's/CREATE TABLE dim_addr (id int PRIMARY KEY/CREATE TABLE dim_addr (id int/' star.sql
	transform <full
	[ "$(frame changes <<<'-addr {"id":2}' | transform)" = "" ]
}

@test "steps that the store is ahead of, because a run was killed, go out again as one" {
	transform <full
	frame changes <<<'dept {"id":1,"name":"D1b"}' | head -n -1 >steps
	run=3
	frame changes <<<'dept {"id":1,"name":"D1c"}' | sed 's/"dept":1,"addr"/"dept":2,"addr"/' >>steps
	[ "$(transform <steps)" = "dim_staff 1,A,D1b|dim_staff 1,A,D1c|dim_staff 2,B,D1b|dim_staff 2,B,D1c" ]
	[ "$(transform <steps)" = "dim_staff 1,A,D1c|dim_staff 2,B,D1c" ]
	[ "$(grep -c '"@state"' out)" -eq 1 ]
}

@test "a row that goes from one INSERT of a table to another is not deleted" {
	cat >star.sql <<-'END'
	CREATE TABLE dim_addr (id int PRIMARY KEY, line text);
	INSERT INTO dim_addr SELECT id, line FROM addr WHERE line = 'x';
	INSERT INTO dim_addr SELECT id, line FROM addr WHERE line <> 'x';
	END
	transform <full
	[ "$(frame changes <<<'addr {"id":2,"line":"x"}' | transform)" = "dim_addr 2,x" ]
	frame changes <<<'addr {"id":1,"line":"z"}' | transform
	[ "$(grep '"id":1' out | tail -1)" = '{"id":1,"line":"z"}' ]
}

@test "a truncated table empties what it alone fills; of what others fill, too, only people can tell which rows" {
	echo 'CREATE TABLE x (id int PRIMARY KEY, v text); INSERT INTO x SELECT id, line FROM addr WHERE id < 2;' >star.sql
	echo 'INSERT INTO x SELECT id, line FROM addr WHERE id >= 2;' >>star.sql
	transform <full
	[[ "$(printf '%s\n' 'addr {"id":1,"line":"p"}' -addr 'addr {"id":5,"line":"q"}' | frame changes | transform)" = *'x 1,p|x 5,q' ]]
	[ "$(jq -c 'del(."@table") | select(has("id") or . == {"@delete":"x"})' out | uniq | paste -sd' ')" = \
		'{"id":1,"v":"p"} {"@delete":"x"} {"id":5,"v":"q"}' ]
	echo 'INSERT INTO x SELECT id + 100, name FROM dept;' >>star.sql
	run -65 bash -c 'star-transform --store refs star.sql <<<"$1"' - "$(frame changes <<<-addr)"
	[[ "$output" == *'table "addr" was truncated, and "x" has rows of other tables, too'*'--full addr.' ]]
}

@test "a changed row without a match leaves the star and is a reject; one that becomes what it was goes out" {
	transform <full
	frame changes <<<'staff {"id":1,"name":"A","dept_id":9,"active":true}' |
		star-transform --store refs --rejects rejects star.sql >out
	grep -qxF '{"@delete":"dim_staff","key":{"staff_id":1}}' out
	[ "$(jq -r .reason rejects)" = 'it has no match in table "dept" (id)' ]
	echo 'CREATE TABLE d (id int PRIMARY KEY, line text); INSERT INTO d SELECT DISTINCT id, line FROM addr;' >star.sql
	[ "$(printf 'addr {"id":1,"line":"%s"}\n' A B A | frame changes | star-transform star.sql | jq -r 'select(.line).line' | xargs)" = "A B A" ]
}
