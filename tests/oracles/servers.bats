# S3 servers of others, eight properties each: tests/oracles/servers.py says which, install-servers.sh which versions.
# What a server is known to do otherwise stands here; "holds" is the rest. The table is a comment at the end,
# and build/oracles/servers.md.
load servers.bash

@test "radosgw" {
	against radosgw
}

@test "versitygw: its objects are files, so a//b is a/b" {
	against versitygw odd-keys="server: has others for 'a//b' 'a/./b' 'a/../b', refuses '.' 'yyyyyyyyy...'"
}

@test "gofakes3: knows no keys" {
	against gofakes3 wrong-key="server: takes any secret and any key"
}

@test "s3s-fs: lists no uploads, answers 500 to names that are no file's" {
	against s3s-fs sigterm="holds, does not list uploads" \
		odd-keys="server: has others for 'a//b' 'a/./b' 'a/../b', refuses '.' 'xxxxxxxxx...' 'deep/deep...' 'yyyyyyyyy...'"
}

@test "s3proxy: answers 500 to names that are no file's" {
	against s3proxy odd-keys="server: has others for 'a//b' 'a/./b' 'a/../b', refuses '.' 'yyyyyyyyy...'"
}

@test "s3mock: knows no keys, refuses backslashes" {
	against s3mock wrong-key="server: takes any secret and any key" odd-keys="holds, refuses 'back\\\\slash'"
}

@test "moto: knows no keys" {
	against moto wrong-key="server: takes any secret and any key"
}

@test "s3rver ignores If-None-Match: lakes are refused" {
	against s3rver races="refused: ignores If-None-Match" delta="refused: ignores If-None-Match" \
		sigterm="holds, does not list uploads" wrong-key="server: takes any secret" \
		lost-answer="holds, for single objects" odd-keys="server: ends itself at 'yyyyyyyyyyyyyyyyyyyy'"
}
