# As servers.bats, with the servers that are compiled for many minutes: make test-oracles SERVERS=all
load servers.bash

@test "minio: refuses names that are no file's" {
	against minio odd-keys="holds, refuses 'a//b' 'a/./b' 'a/../b' '.' 'yyyyyyyyy...'"
}

@test "rclone serve s3: refuses names that are no file's, or forgets them" {
	against rclone odd-keys="server: has others for 'yyyyyyyyy...', refuses 'a//b' 'a/./b' 'a/../b' '.'"
}

@test "seaweedfs: has a/b for a//b, and a slash for a backslash" {
	against seaweedfs odd-keys="server: has others for 'back\\\\slash' 'a//b', refuses 'a/./b' 'a/../b' '.' 'yyyyyyyyy...'"
}

@test "garage ignores If-None-Match: lakes are refused" {
	against garage races="refused: ignores If-None-Match" delta="refused: ignores If-None-Match" \
		lost-answer="holds, for single objects"
}
