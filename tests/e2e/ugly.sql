-- ugly.sql - a table for every type PostgreSQL has, filled with the values that break things
--
-- Table value lists them; a table "t <type>" is made of each type: v one value, a an array of all
-- values of the type (with NULL, nested, with bounds of its own, empty). Needs an empty database.

SET client_min_messages = warning;
CREATE TABLE value (n serial, type text, value text);
CREATE FUNCTION add(type text, VARIADIC texts text[]) RETURNS void LANGUAGE sql
	AS 'INSERT INTO value (type, value) SELECT $1, v FROM unnest($2) AS v';

SELECT add('bool', 't', 'f');
SELECT add('int2', '-32768', '32767', '0');
SELECT add('int4', '-2147483648', '2147483647', '0');
SELECT add('int8', '-9223372036854775808', '9223372036854775807', '9007199254740993');
SELECT add('numeric', '0', '-0.0', '1.10', '1.100', 'NaN', 'Infinity', '-Infinity', '1e100000', '-1e-16383',
	'12345678901234567890123456789.123456789012345678901234567890', '0.' || repeat('1234567890', 1638));
SELECT add('numeric(10,2)', '99999999.99', '-0.01', 'NaN');
SELECT add('numeric(3,-2)', '12300');
SELECT add('numeric(2,5)', '0.00012');
SELECT add('float4', '-0', '1.17549435e-38', '1e-45', '3.4028235e38', 'NaN', 'Infinity', '-Infinity', '0.1', '16777217');
SELECT add('float8', '-0', '5e-324', '2.2250738585072014e-308', '1.7976931348623157e308', 'NaN', 'Infinity', '-Infinity',
	'0.1', '0.30000000000000004', '1e23', '9007199254740993', '123456789012345680', '1e15', '1e16', '1e-5');
SELECT add('money', '-92233720368547758.08', '92233720368547758.07', '0.01');

SELECT add('text', '', ' ', '\N', '\.', '\', '\\', '"', '''', 'NULL', 'null', '{}', '{"@json":"1"}', '@', '/',
	E'\t', E'\n', E'\r\n', E' a\n b ', E'\b\f\v', 'a,b;c|d', '\u0041', '\x41', '%s %n', '$1', '<a href="x">&amp;</a>',
	(SELECT string_agg(chr(i), '') FROM generate_series(1, 255) i),
	(SELECT string_agg(chr(i), '') FROM generate_series(8184, 8303) i), -- separators, marks of direction
	chr(65533) || chr(65534) || chr(65535) || chr(65536) || chr(1114111) || chr(65279),
	U&'\D7FF\E000', E'\U0001F600\U0001F468\u200D\U0001F469\u200D\U0001F467', E'e\u0301', E'\u05d0\u202e\u0627',
	repeat('x', 100000), repeat(E'\\"\n', 30000));
INSERT INTO value (type, value) SELECT t, value FROM value, unnest('{varchar,bpchar}'::text[]) t WHERE type = 'text';
SELECT add('varchar(5)', '', '12345', E'\u00e9\u20ac\U0001F600"\\', '     ');
SELECT add('bpchar(5)', '', 'ab', E'\u00e9', E'\\n', '     ');
SELECT add('char', '', 'a', '\', '"', E'\n', E'\t', '\200', '\377', '{', ',');
SELECT add('name', '', 'Mixed "Case"', repeat('n', 63));
SELECT add('bytea', '', '\x00', (SELECT '\x' || string_agg(lpad(to_hex(i), 2, '0'), '') FROM generate_series(0, 255) i), repeat('\\000\\', 1000));
SELECT add('bit', '0', '1');
SELECT add('bit(9)', '101010101', '000000000');
SELECT add('varbit', '', '1', repeat('10', 500));
SELECT add('varbit(7)', '', '1010101');

SELECT add('date', '4713-01-01 BC', '0001-01-01', '0044-03-15 BC', '2024-02-29', '9999-12-31', '10000-01-01', '5874897-12-31', 'infinity', '-infinity');
SELECT add('time', '00:00:00', '23:59:59.999999', '24:00:00', '12:00:00.1');
SELECT add('time(2)', '12:34:56.78');
SELECT add('timetz', '00:00:00+15:59:59', '24:00:00-15:59', '12:00:00.123456+05:30');
SELECT add('timetz(1)', '12:34:56.7+01');
SELECT add('timestamp', '4713-11-24 00:00:00 BC', '0044-03-15 12:00:00.5 BC', '0001-01-01 00:00:00', '2023-02-16 09:26:10',
	'2024-02-29 23:59:59.999999', '9999-12-31 23:59:59', '10000-01-01 00:00:00', '294276-12-31 23:59:59.999999', 'infinity', '-infinity');
SELECT add('timestamp(3)', '2024-01-01 00:00:00.123', 'infinity');
INSERT INTO value (type, value) SELECT 'timestamptz', replace(value, ' BC', '+00 BC') FROM value WHERE type = 'timestamp';
SELECT add('timestamptz', '2024-03-31 02:30:00 Europe/Berlin', '1890-01-01 00:00:00 Europe/Amsterdam');
SELECT add('timestamptz(0)', '2024-01-01 00:00:01+14');
SELECT add('interval', '0', '-178000000 years', '178000000 years', '1 mon', '30 days', '720:00:00', '-1 mon +1 day -00:00:00.000001',
	'1 year 2 mons -3 days 04:05:06.789', '-2562047788:00:54.775807');
SELECT add('interval(3)', '00:00:00.123');
SELECT add('interval year to month', '13 mons');
SELECT add('interval day to second(2)', '1 day 00:00:00.12');

SELECT add('json', 'null', 'true', '1', '1.0', '-0.0e+10', '1E400', '"s"', '""', '"\u0000\ud83d\ude00\/\""', '[]', '{}', ' [ ] ',
	E'{"a" :\n\t[1,\r\n2 ]}', '{"a":1,"a":2}', '{"@json":"x"}', '{"@json":1}', '{"@table":"t"}', '{ "@jso":"y"}', '[1,[2,null]]',
	(SELECT repeat('[', 500) || repeat(']', 500)), '"\ud800"', '[null]', (SELECT to_json(string_agg(chr(i), ''))::text FROM generate_series(1, 255) i));
SELECT add('jsonb', 'null', 'true', '1', '1.0', '1e400', '12345678901234567890.123456789', '"s"', '"null"', '""', '[]', '{}', '"\\\"\n\u0001"',
	'{"b":{"c":[1,{"d":null}]},"a":"\ud83d\ude00"}', '{"@json":"x"}', '[[1]]', '{"":""}', '{"@jsonx":[]}');
SELECT add('jsonpath', '$', '$."a b"[*] ? (@ > 1.50)', 'strict $.a');
SELECT add('xml', '', '<a/>', E'<a b="\u00e9">&lt;"\\\n</a>', 'text <b/> text', '<?xml version="1.0" standalone="yes"?><x/>');
SELECT add('uuid', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff');

SELECT add('point', '(0,0)', '(-0,1e-300)', '(NaN,Infinity)', '(0.1,0.30000000000000004)');
SELECT add('line', '{1,-1,0}', '{0.1,0.2,0.3}');
SELECT add('lseg', '[(0,0),(1,1)]', '[(0.1,-Infinity),(1e300,1)]');
SELECT add('box', '(2,2),(1,1)', '(0.1,0.2),(-0,-0)');
SELECT add('path', '((0,0),(1,1))', '[(0,0),(1,1),(2,0.1)]');
SELECT add('polygon', '((0,0),(1,0),(0,1))', '((0.1,0.1))');
SELECT add('circle', '<(0,0),0>', '<(0.1,-1),1e300>');

SELECT add('inet', '0.0.0.0/0', '192.168.1.7/24', '::1', '2001:db8::ff/64', '::ffff:1.2.3.4');
SELECT add('cidr', '10.0.0.0/8', '::/0', '2001:db8::/32');
SELECT add('macaddr', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff');
SELECT add('macaddr8', '08:00:2b:01:02:03:04:05');

SELECT add('tsvector', '', '''a'':1A,2B ''b c'':3 ''''''''', E'''\\\\'':5 ''x''');
SELECT add('tsquery', '', '''a'' & !(''b'' | ''c'':*AB) <-> ''d''', E'''it''''s''');

SELECT add('int4range', 'empty', '(,)', '[1,5)', '[-2147483648,)');
SELECT add('int8range', 'empty', '[9223372036854775806,9223372036854775807)');
SELECT add('numrange', 'empty', '(1.0,1.00000]', '[NaN,NaN]', '(-Infinity,)');
SELECT add('tsrange', 'empty', '["0044-03-15 12:00:00 BC","infinity"]', '(,"10000-01-01 00:00:00.000001")');
SELECT add('tstzrange', '["2024-01-01 00:00:00+00",)', '(-infinity,infinity)');
SELECT add('daterange', 'empty', '[2024-02-29,2024-03-01)', '[4713-01-01 BC,infinity)');
SELECT add('int4multirange', '{}', '{[1,2),[5,7)}', '{(,)}');
SELECT add('int8multirange', '{}', '{[1,9223372036854775807)}');
SELECT add('nummultirange', '{}', '{[1.0,1.50],(2,)}');
SELECT add('tsmultirange', '{}', '{["2024-01-01 00:00:00","2024-01-02 00:00:00"),["2025-01-01 00:00:00",infinity]}');
SELECT add('tstzmultirange', '{["2024-01-01 00:00:00+00",)}');
SELECT add('datemultirange', '{}', '{[2024-01-01,2024-02-01),[2025-01-01,)}');

SELECT add('oid', '0', '4294967295');
SELECT add('xid', '0', '4294967295');
SELECT add('xid8', '0', '18446744073709551615');
SELECT add('cid', '0', '4294967295');
SELECT add('tid', '(0,0)', '(4294967295,65535)');
SELECT add('pg_lsn', '0/0', 'FFFFFFFF/FFFFFFFF');
SELECT add('txid_snapshot', '10:20:10,14,15');
SELECT add('pg_snapshot', '10:20:10,14,15', '1:1:');
SELECT add('int2vector', '', '1 -2 3');
SELECT add('oidvector', '', '1 4294967295');
SELECT add('refcursor', '', 'a "cursor"');
SELECT add('aclitem', 'postgres=arwdDxt/postgres', '=r/postgres');
SELECT add('regclass', '-', 'pg_catalog.pg_class', '1234567890');
SELECT add('regcollation', '-', '"C"');
SELECT add('regconfig', '-', 'english');
SELECT add('regdictionary', '-', 'simple');
SELECT add('regnamespace', '-', 'pg_catalog', 'public');
SELECT add('regoper', '0', 'pg_catalog.||/');
SELECT add('regoperator', '0', '+(integer,integer)', '!!(NONE,tsquery)');
SELECT add('regproc', '-', 'now', '4294967295');
SELECT add('regprocedure', '-', 'lower(text)', 'pg_catalog.array_in(cstring,oid,integer)');
SELECT add('regrole', '-', 'postgres');
SELECT add('regtype', '-', 'integer', 'timestamp with time zone', '"char"', 'integer[]');

-- SQL knows "char" and the spellings with words; format() would quote them
CREATE FUNCTION spelled(type text) RETURNS text LANGUAGE sql
	AS $$SELECT CASE type WHEN 'char' THEN '"char"' WHEN 'bit' THEN 'bit(1)' ELSE type END$$;

DO $$
DECLARE
	t text;
	literals text;
	rows text;
BEGIN
	FOR t, literals, rows IN
		SELECT type, string_agg(format('%L', value), ', ' ORDER BY n),
		       string_agg(format('(%L::%s)', value, spelled(type)), ', ' ORDER BY n)
		  FROM value GROUP BY type
	LOOP
		EXECUTE format('CREATE TABLE %I (id serial PRIMARY KEY, v %s, a %2$s[])', 't ' || t, spelled(t));
		EXECUTE format('INSERT INTO %I (v, a) VALUES (NULL, NULL), (NULL, ''{}'')', 't ' || t);
		EXECUTE format('INSERT INTO %I (v) VALUES %s', 't ' || t, rows);
		IF t IN ('int2vector', 'oidvector') THEN -- half arrays themselves, ARRAY[] does not know them
			EXECUTE format('INSERT INTO %I (a) VALUES (''{"1 2 3",NULL,""}''), (''[2:3]={1,2}'')', 't ' || t);
			CONTINUE;
		END IF;
		-- all values in one array, NULLs between them; the same in two and three dimensions, and with odd bounds
		EXECUTE format($sql$
			WITH every AS (SELECT array_agg(x) AS a FROM unnest(ARRAY[%2$s]::%3$s[]) AS v, LATERAL (VALUES (v), (NULL)) AS y(x))
			INSERT INTO %1$I (a) SELECT a FROM every UNION ALL SELECT ARRAY[a, a] FROM every
			UNION ALL SELECT ARRAY[[a], [a]] FROM every
			UNION ALL SELECT (format('[-1:%%s]=', cardinality(a) - 2) || a::text)::%3$s[] FROM every
			UNION ALL SELECT (format('[2:3][0:%%s]=', cardinality(a) - 1) || ARRAY[a, a]::text)::%3$s[] FROM every
		$sql$, 't ' || t, literals, spelled(t));
	END LOOP;
END $$;

-- names
CREATE TABLE "@table" ("@delete" int, "@json" text, PRIMARY KEY ("@json", "@delete"));
INSERT INTO "@table" VALUES (1, 'x'), (2, '{"@table":"y"}');
CREATE TABLE "quote "" back\slash é.😀" ("a ""b""" int, "tab	" int, "\" text, "select" text, "é" text, "A" int, "a" int);
INSERT INTO "quote "" back\slash é.😀" VALUES (1, 2, '\', NULL, 'é', 3, 4), (1, 2, '\', NULL, 'é', 3, 4);
CREATE TABLE "select" (id int);
CREATE TABLE empty (id int PRIMARY KEY);

-- shapes: domains and enums travel as what they stand on
CREATE DOMAIN code AS varchar(3) CHECK (value <> 'bad');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'hap"py\');
CREATE TABLE shapes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, c code, cs code[], m mood, ms mood[],
	twice int GENERATED ALWAYS AS (id * 2) STORED, dropped int);
ALTER TABLE shapes DROP COLUMN dropped;
INSERT INTO shapes (c, cs, m, ms) VALUES ('abc', '{x,NULL}', 'hap"py\', '{sad,"hap\"py\\"}'), (NULL, NULL, NULL, NULL);
CREATE TABLE parted (id int, part int, v text, PRIMARY KEY (part, id)) PARTITION BY LIST (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted VALUES (1, 1, 'a'), (1, 2, 'b');
CREATE TABLE child (id int PRIMARY KEY, part int, p int, parent int REFERENCES child, FOREIGN KEY (part, p) REFERENCES parted (part, id));
INSERT INTO child VALUES (1, 1, 1, 2), (2, 2, 1, NULL);
