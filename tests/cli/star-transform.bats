# star-transform: star files, streams, rejects.
load ../lib/helpers

star() { cat >"$BATS_TEST_TMPDIR/star.sql"; }
transform() { bash -c "printf '%b' '$1' | star-transform $2 $BATS_TEST_TMPDIR/star.sql 2>&1"; }
rows() { grep -v '^{"@'; }

staff='{"@table":"staff","columns":[{"name":"id","type":"int4"},{"name":"name","type":"text"},{"name":"dep","type":"int4"}],"key":["id"]}\n'
dep='{"@table":"dep","columns":[{"name":"dep","type":"int4"},{"name":"title","type":"text"}],"key":["dep"]}\n'
end() { printf '{"@end":{"rows":{"staff":%d,"dep":%d}}}\\n' "$1" "$2"; }

@test "a mistake in a star file is exit 2 with place, caret and hint" {
	star <<-END
	CREATE TABLE t (a int PRIMARY KEY);
	INSERT INTO t
	SELECT median(x) FROM y;
	END
	run transform '' --check
	[ "$status" -eq 2 ]
	[[ "$output" == *"star.sql:3:8: function median() is not supported"* ]]
	[[ "$output" == *"SELECT median(x) FROM y;"$'\n'"         ^"* ]]
	[[ "$output" == *"hint: "* ]]
}

@test "what a star cannot do is refused before any row, each by name" {
	while IFS='|' read -r sql what; do
		star <<<"CREATE TABLE t (a int PRIMARY KEY); $sql;"
		run transform '' --check
		[ "$status" -eq 2 ] || { echo "$sql: $output"; false; }
		[[ "$output" == *"$what"* ]] || { echo "$sql: $output"; false; }
	done <<-END
	INSERT INTO t SELECT a FROM x GROUP BY a|GROUP BY
	INSERT INTO t SELECT a FROM x ORDER BY a|ORDER BY
	INSERT INTO t SELECT count(*) FROM x|aggregates
	INSERT INTO t SELECT now()|now() may give another result at every run
	INSERT INTO t SELECT current_date|CURRENT_DATE may give another result at every run
	INSERT INTO t SELECT localtime(3)|LOCALTIME may give another result at every run
	INSERT INTO t SELECT 1 FROM x WHERE session_user = 'a'|SESSION_USER may give another result
	INSERT INTO t SELECT a FROM x, y|comma in FROM
	INSERT INTO t SELECT a FROM x RIGHT JOIN y USING (a)|kind of join
	INSERT INTO t SELECT a, b FROM x|2 columns where 1
	INSERT INTO u SELECT a FROM x|does not exist
	CREATE TABLE u (b int REFERENCES v)|does not exist
	CREATE TABLE u (b int CHECK (b > 0))|no such constraint
	INSERT INTO t SELECT 1.5::money|cast to money
	DELETE FROM t|no such statement
	INSERT INTO t SELEC 1|syntax error
	END
}

@test "what a star does not read of a statement is refused, with its place" {
	while IFS='|' read -r sql what; do
		star <<<"CREATE TABLE t (a int PRIMARY KEY, b int[]); CREATE FOREIGN TABLE r (k int) SERVER s OPTIONS (filename 'r.csv'); $sql;"
		run transform '' --check
		[ "$status" -eq 2 ] || { echo "$sql: $status $output"; false; }
		[[ "$output" == *"star.sql:1:"*"$what"* ]] || { echo "$sql: $output"; false; }
	done <<-END
	CREATE TABLE u OF v|columns of its own
	CREATE TABLE u OF v (a WITH OPTIONS PRIMARY KEY)|columns of its own
	CREATE TABLE u (a int REFERENCES r)|table "r" does not exist
	CREATE TABLE u (a int REFERENCES s.t)|have no schema
	CREATE FOREIGN TABLE f (k int REFERENCES t) SERVER s OPTIONS (filename 'f.csv')|has no keys
	CREATE FOREIGN TABLE f (k int PRIMARY KEY) SERVER s OPTIONS (filename 'f.csv')|has no keys
	CREATE FOREIGN TABLE f (k serial) SERVER s OPTIONS (filename 'f.csv')|nothing that is generated
	CREATE FOREIGN TABLE t (k int) SERVER s OPTIONS (filename 'f.csv')|created twice
	CREATE TABLE u (LIKE t)|columns and constraints only
	CREATE TABLE u (a int) INHERITS (t)|neither inherits
	CREATE TABLE u PARTITION OF t DEFAULT|neither inherits
	CREATE TEMP TABLE u (a int)|not temporary
	CREATE TABLE u (a SETOF int)|own types
	CREATE TABLE u (CHECK (1 > 0))|no such constraint
	CREATE TABLE u (a int, PRIMARY KEY USING INDEX i)|no such constraint
	CREATE TABLE u (); INSERT INTO u SELECT FROM x|no column to fill
	INSERT INTO t (b[1]) SELECT 1 FROM x|part of a column
	INSERT INTO t (a) OVERRIDING SYSTEM VALUE SELECT 1|nothing else
	INSERT INTO t (a) VALUES (1), (2) ORDER BY 1 LIMIT 1|ORDER BY
	INSERT INTO t (a) VALUES (1), (2) LIMIT 1|LIMIT
	INSERT INTO t (a) SELECT DISTINCT ON (a) a FROM x|DISTINCT ON
	INSERT INTO t (a) SELECT g FROM generate_series(1, 3) WITH ORDINALITY g|other than generate_series
	INSERT INTO t (a) SELECT g FROM ROWS FROM (generate_series(1, 3), generate_series(1, 9)) g|other than generate_series
	INSERT INTO t (a) SELECT s.abs(a) FROM x|own functions
	INSERT INTO t (a) SELECT 1 OPERATOR(s.+) a FROM x|own operators
	INSERT INTO t (a) SELECT length(concat(VARIADIC b)) FROM x|VARIADIC
	END
}

@test "a chain or a nesting of any length is an error with its place" {
	while IFS='|' read -r start more count end; do
		{
			printf 'CREATE TABLE t (a int);\nINSERT INTO t SELECT %s' "$start"
			yes "$more" | head -"$count" | tr -d '\n'
			printf '%s;\n' "$end"
		} >"$BATS_TEST_TMPDIR/star.sql"
		run -2 timeout 30 star-transform --check "$BATS_TEST_TMPDIR/star.sql"
		[[ "$output" == *"star.sql:2:"*": "@(this is nested too deeply|memory exhausted)* ]]
	done <<-END
	1|+1|100000|
	1|::int|100000|
	1| UNION ALL SELECT 1|30000|
	1| IS NULL|50000|
	|(|100000|1
	|CASE WHEN a = 1 THEN 1 ELSE |10000|1
	|abs(|3000|a$(printf '%3000s' | tr ' ' ')')
	END
	# 400 of them are no chain too long
	{
		printf 'CREATE TABLE t (a int);\nINSERT INTO t SELECT 1'
		yes '+1' | head -400 | tr -d '\n'
	} >"$BATS_TEST_TMPDIR/star.sql"
	star-transform --check "$BATS_TEST_TMPDIR/star.sql"
}

@test "a hostile row is a reject, whatever it asks for: no more memory, no other row, no broken line" {
	star <<-'END'
	CREATE TABLE d (id int PRIMARY KEY, t text);
	INSERT INTO d SELECT id, lpad(name, dep) FROM staff;
	INSERT INTO d SELECT id, replace(lpad(name, 20000, 'a'), 'a', lpad(name, 20000, 'a')) FROM staff WHERE dep = -1;
	INSERT INTO d SELECT id, (name::numeric * name::numeric)::text FROM staff WHERE dep = -2;
	INSERT INTO d SELECT id, (name::interval + name::interval)::text FROM staff WHERE dep = -3;
	INSERT INTO d SELECT id, name::float8::text FROM staff WHERE dep = -4;
	INSERT INTO d SELECT id, name::int4::text FROM staff WHERE dep = -5;
	END
	ugly=$(printf 'é%.0s' {1..400})
	(
		limit_memory 4000000
		printf '%b' "$staff" "$(printf '{"id":1,"name":"%s","dep":%s}\\n' x 2147483647 x -1 9e100000 -2 \
			'-2147483648 mons' -3 '9223372036854.775807 secs' -3 1e400 -4 "x$ugly" -5)"'\n' '{"@end":{"rows":{"staff":7}}}\n' |
			timeout 60 star-transform --rejects "$BATS_TEST_TMPDIR/rejects" "$BATS_TEST_TMPDIR/star.sql" >"$BATS_TEST_TMPDIR/out"
	)
	run -0 jq -r .reason "$BATS_TEST_TMPDIR/rejects"
	[ "${#lines[@]}" -eq 7 ]
	[[ "$output" == *"more than 256 MB"*"more than 256 MB"*"overflows numeric format"*"interval out of range"*"interval out of range"*"out of range for type"*"invalid input syntax"* ]]
	iconv -f utf-8 -t utf-8 "$BATS_TEST_TMPDIR/rejects" >/dev/null
}

@test "text in the escape of JSON that is none is a reject; an array stays an array" {
	star <<<"CREATE TABLE d (a int PRIMARY KEY, o json, r int[]); INSERT INTO d SELECT a, COALESCE(o, o), COALESCE(r, r) FROM x;"
	x='{"@table":"x","columns":[{"name":"a","type":"int4"},{"name":"o","type":"json"},{"name":"r","type":"int4[]"}],"key":["a"]}\n'
	run transform "$x"'{"a":1,"o":{"k":1},"r":[1,null]}\n{"@end":{"rows":{"x":1}}}\n' ""
	[ "$(rows <<<"$output")" = '{"a":1,"o":{"k":1},"r":[1,null]}' ]
	for o in '{"@json":"1,\\"a\\":7"}' '{"@json":"x"}' '{"@json":5.1}'; do
		run transform "$x"'{"a":1,"o":'"$o"',"r":null}\n{"@end":{"rows":{"x":1}}}\n' ""
		[ "$status" -eq 65 ] || { echo "$o: $output"; false; }
	done
	star <<<"CREATE TABLE d (a int PRIMARY KEY, t text); INSERT INTO d SELECT a, concat(r) FROM x;"
	run transform "$x"'{"@end":{"rows":{"x":0}}}\n' ""
	[ "$status" -eq 2 ]
}

@test "of ten VALUES columns the tenth is column10" {
	star <<<"CREATE TABLE d (a int PRIMARY KEY); INSERT INTO d SELECT column10 FROM (VALUES (1,2,3,4,5,6,7,8,9,10)) v;"
	run transform '{"@end":{"rows":{}}}\n' ""
	[ "$(rows <<<"$output")" = '{"a":10}' ]
}

@test "--ddl gives PostgreSQL the tables, --tables names what to extract" {
	fresh_db ddl
	run -0 star-transform --ddl "$STARPIPE_TOP/transform/totesys.sql"
	psql -qX -v ON_ERROR_STOP=1 -d "$db" <<<"$output"
	[ "$(q "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")" = 11 ]
	run -0 star-transform --tables "$STARPIPE_TOP/transform/totesys.sql"
	[ "${#lines[@]}" -eq 11 ]
	[[ "$output" == *$'department\tdepartment_id,department_name,location'* ]]
}

@test "--graph draws sources, star and foreign keys for Mermaid, whatever their names are" {
	star <<-'END'
	CREATE TABLE "d ""1"" #" (id int PRIMARY KEY, v text);
	CREATE TABLE f (rec serial PRIMARY KEY, id int NOT NULL, d int REFERENCES "d ""1"" #", e int REFERENCES "d ""1"" #");
	INSERT INTO "d ""1"" #" SELECT a.id, b.v FROM a JOIN b ON b.id = a.id;
	INSERT INTO "d ""1"" #" SELECT id + 100, v FROM a;
	INSERT INTO f (id, d, e) SELECT id, d, d FROM o;
	END
	run -0 star-transform --graph "$BATS_TEST_TMPDIR/star.sql"
	diff - <(echo "$output") <<-'END'
	flowchart LR
	    s0["a"]
	    s1["b"]
	    s2["o"]
	    t0["d #34;1#34; #35;"]
	    t1[["f"]]
	    s0 --> t0
	    s1 --> t0
	    s2 --> t1
	    t1 -.-> t0
	END
	run -0 star-transform --graph "$STARPIPE_TOP/transform/totesys.sql"
	[ "$(grep -c -- '-->' <<<"$output") $(grep -c -- '-\.->' <<<"$output")" = "15 16" ]
	run -2 star-transform --graph --ddl "$BATS_TEST_TMPDIR/star.sql"
}

@test "a join completes whichever side comes first" {
	star <<-END
	CREATE TABLE d (id int PRIMARY KEY, name text, title text);
	INSERT INTO d SELECT id, name, title FROM staff JOIN dep USING (dep);
	END
	a='{"@table":"staff"}\n{"id":1,"name":"A","dep":7}\n'
	b='{"@table":"dep"}\n{"dep":7,"title":"Sales"}\n'
	for order in "$staff$dep$a$b" "$staff$dep$b$a" "$staff$a$dep$b" "$dep$b$staff$a"; do
		run transform "$order$(end 1 1)" ""
		[ "$status" -eq 0 ] || { echo "$output"; false; }
		[ "$(rows <<<"$output")" = '{"id":1,"name":"A","title":"Sales"}' ]
	done
}

@test "a row that finds no match is a reject: exit 65 and no @end" {
	star <<-END
	CREATE TABLE d (id int PRIMARY KEY, title text);
	INSERT INTO d SELECT id, title FROM staff JOIN dep USING (dep);
	END
	in="$staff$dep"'{"@table":"staff"}\n{"id":1,"name":"A","dep":7}\n{"id":2,"name":"B","dep":8}\n{"@table":"dep"}\n{"dep":8,"title":"X"}\n'"$(end 2 1)"
	run transform "$in" ""
	[ "$status" -eq 65 ]
	[[ "$output" == *'{"id":1,"name":"A","dep":7}'*'no match in table "dep"'* ]]
	[[ "$output" != *'@end'* ]]
	run transform "$in" "--rejects $BATS_TEST_TMPDIR/rejects"
	[ "$status" -eq 0 ]
	[[ "$output" == *'{"id":2,"title":"X"}'* ]]
	[[ "$output" == *'{"@end":{"rows":{"d":1}}}'* ]]
	[ "$(jq -r '.target + .table + (.row.id | tostring)' "$BATS_TEST_TMPDIR/rejects")" = dstaff1 ]
}

@test "a LEFT JOIN keeps what finds no match, with NULLs" {
	star <<-END
	CREATE TABLE d (id int PRIMARY KEY, title text);
	INSERT INTO d SELECT id, coalesce(title, 'none') FROM staff s LEFT JOIN dep d ON d.dep = s.dep;
	END
	run transform "$staff$dep"'{"@table":"staff"}\n{"id":1,"name":"A","dep":7}\n{"id":2,"name":"B","dep":null}\n'"$(end 2 0)" ""
	[ "$status" -eq 0 ]
	[ "$(rows <<<"$output" | sort)" = $'{"id":1,"title":"none"}\n{"id":2,"title":"none"}' ]
}

@test "NULL where NOT NULL is said, a value that does not fit, a wrong type: rejects with their reason" {
	star <<-END
	CREATE TABLE d (id smallint PRIMARY KEY, name varchar(3) NOT NULL);
	INSERT INTO d SELECT id, name FROM staff;
	END
	while IFS='|' read -r row why; do
		run transform "$staff$row"'\n{"@end":{"rows":{"staff":1}}}\n' ""
		[ "$status" -eq 65 ] || { echo "$output"; false; }
		[[ "$output" == *"$why"* ]] || { echo "$output"; false; }
	done <<-END
	{"id":1,"name":null,"dep":1}|column "name" of "d" must not be NULL
	{"id":1,"name":"long","dep":1}|value too long for type character varying(3)
	{"id":70000,"name":"x","dep":1}|smallint out of range
	{"id":"x","name":"x","dep":1}|invalid input for type integer: "x"
	{"id":1.5,"name":"x","dep":1}|invalid input for type integer
	{"id":1,"name":"x","dep":1,"more":2}|column "more" was not announced
	{"id":1,"name":"x"|ends too early
	END
}

@test "a stream that is cut is exit 76, and its output has no @end" {
	star <<<"CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d SELECT id FROM staff;"
	run transform "$staff"'{"id":1,"name":"A","dep":7}\n' ""
	[ "$status" -eq 76 ]
	[[ "$output" != *'{"@end"'* ]]
	run transform '' ""
	[ "$status" -eq 76 ]
	run transform "$staff"'{"id":1,"name":"A","dep":7}\n{"@end":{"rows":{"staff":2}}}\n' ""
	[ "$status" -eq 76 ]
}

@test "a table that the star needs and the stream lacks is an error that names it" {
	star <<<"CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d SELECT id FROM staff JOIN dep USING (dep);"
	run transform "$staff"'{"id":1,"name":"A","dep":7}\n{"@end":{"rows":{"staff":1}}}\n' ""
	[ "$status" -eq 65 ]
	[[ "$output" == *'needs table "dep"'* ]]
	[[ "$output" == *'--tables'* ]]
}

@test "a mistyped table is an error with the nearest name, alone, in a second INSERT and for bare rows" {
	one=$staff'{"id":1,"name":"A","dep":7}\n{"@end":{"rows":{"staff":1}}}\n'
	star <<<"CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d SELECT id FROM staf;"
	for last in "" "INSERT INTO d SELECT id FROM staff;"; do
		echo "$last" >>"$BATS_TEST_TMPDIR/star.sql"
		run transform "$one" ""
		[ "$status" -eq 65 ]
		[[ "$output" != *'{"@end"'* ]]
		[[ "$output" == *'"d" needs table "staf", which the stream does not have'*'Is it "staff"? '*'came: staff.' ]]
	done
	star <<<"CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d SELECT id::int FROM staf;"
	run transform '{"id":1}\n' "--table staff"
	[ "$status" -eq 65 ]
	# one table of several is enough for bare rows, and none are an empty lake
	star <<<"CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d SELECT id::int FROM staff; INSERT INTO d SELECT id FROM dep;"
	run transform '{"id":1}\n' "--table staff"
	[ "$status" -eq 0 ]
	run transform '{"@state":{"source":"lake","lake":"","step":0}}\n{"@end":{"rows":{}}}\n' ""
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" = 2 ]
}

@test "a fact says by its source's key which row it is a version of" {
	star <<<"CREATE TABLE f (n serial PRIMARY KEY, id int, name text); INSERT INTO f (id, name) SELECT id, name FROM staff;"
	run transform "$staff"'{"id":1,"name":"A","dep":7}\n{"@state":{"a":1}}\n{"@end":{"rows":{"staff":1}}}\n' ""
	[ "$status" -eq 0 ]
	[ "$(head -1 <<<"$output" | jq -c '[.key, .load, .columns[0].generated]')" = '[["id"],"history","serial"]' ]
	[[ "$output" == *'{"@state":{"a":1}}'* ]]
	star <<<"CREATE TABLE f (n serial PRIMARY KEY, name text); INSERT INTO f (name) SELECT name FROM staff;"
	run transform "$staff"'{"@end":{"rows":{"staff":0}}}\n' ""
	[ "$status" -eq 2 ]
	[[ "$output" == *"primary key"* ]]
}

@test "tables without rows are announced and counted" {
	star <<<"CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d SELECT id FROM staff;"
	run transform "$staff"'{"@end":{"rows":{"staff":0}}}\n' ""
	[ "$status" -eq 0 ]
	[ "${lines[1]}" = '{"@end":{"rows":{"d":0}}}' ]
}

@test "bare rows are transformed where their table is named" {
	star <<<"CREATE TABLE d (id int PRIMARY KEY, name text); INSERT INTO d SELECT id::int, upper(name) FROM staff;"
	run transform '{"id":1,"name":"ann"}\n' "--table staff"
	[ "$status" -eq 0 ]
	[ "$(rows <<<"$output")" = '{"id":1,"name":"ANN"}' ]
	run transform '{"id":1,"name":"ann"}\n' ""
	[ "$status" -eq 65 ]
	[[ "$output" == *"--table"* ]]
}

@test "a joined table of changes is refused, for rows would be lost" {
	star <<<"CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d SELECT id FROM staff JOIN dep USING (dep);"
	run transform "${staff/\"key\"/\"mode\":\"changes\",\"key\"}$dep$(end 0 0)" ""
	[ "$status" -eq 2 ]
	[[ "$output" == *"comes as changes"* ]]
}

@test "neither TZ nor locale changes a value" {
	star <<<"CREATE TABLE d (id int PRIMARY KEY, t text); INSERT INTO d SELECT dep, to_char(name::timestamp, 'FMDay FMMonth HH24') || upper('ä') FROM staff;"
	for env in "TZ=Asia/Kolkata LC_ALL=de_DE.UTF-8" "TZ=America/New_York LANG=C" "TZ=UTC"; do
		run env $env bash -c "printf '%b' '$staff{\"id\":1,\"name\":\"2024-03-31 02:30\",\"dep\":1}\n{\"@end\":{\"rows\":{\"staff\":1}}}\n' | star-transform $BATS_TEST_TMPDIR/star.sql"
		[ "$(grep '^{"id' <<<"$output")" = '{"id":1,"t":"Sunday March 02Ä"}' ]
	done
}
