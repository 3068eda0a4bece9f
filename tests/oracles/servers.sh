#!/bin/bash
# servers.sh up NAME DIR | down DIR - a throwaway S3 server of somebody else's on 127.0.0.1, as tests/lib/s3.sh is
#
#   up    start it in DIR, wait until it answers, print the environment that reaches it
#   down  stop it and remove DIR
#   has NAME  exits 0 if it is installed
#
# NAME is one of install-servers.sh, or radosgw, which is tests/lib/s3.sh. Each takes free ports, and
# the keys of s3.sh where it lets one choose. SERVERS_DIR says where the servers are installed.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
servers=${SERVERS_DIR:-$top/build/oracles/servers}

die() { echo "servers.sh: error: $*" >&2; exit 1; }
usage() { echo "usage: servers.sh up NAME DIR | down DIR | has NAME" >&2; exit 2; }

access_key=STARPIPETESTKEY00001
secret_key='starpipe/test+secret=key/0000000000000001'

free_port() { # as in s3.sh; the last arguments are ports that are taken already
	local port
	for _ in $(seq 100); do
		port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
		[[ " $* " != *" $port "* ]] || continue
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
	done
	die "no free port"
}

print_env() {
	echo "export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1" \
		"AWS_ACCESS_KEY_ID=$access_key AWS_SECRET_ACCESS_KEY='$secret_key'"
	echo "unset AWS_SESSION_TOKEN AWS_PROFILE AWS_ENDPOINT_URL_S3"
}

# daemon COMMAND... - in a session of its own, so that all it starts can be stopped
daemon() {
	(cd "$dir" && exec setsid "$@") >"$dir/log" 2>&1 </dev/null 3>&- &
	echo $! >"$dir/pid"
}

# Any answer will do: some refuse a request without a signature
answers() { curl -s -o "$dir/answer" --max-time 5 "http://127.0.0.1:$port/"; }

wait_until() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		kill -0 "$(cat "$dir/pid")" 2>/dev/null && [ $SECONDS -lt $end ] || { tail -5 "$dir/log" >&2; die "$name did not start"; }
		sleep 0.1
	done
}

start_seaweedfs() {
	local ports=() p
	# each port has a second one for gRPC, 10000 above
	for _ in 1 2 3; do ports+=("$(free_port "${ports[@]}" "$port")"); done
	cat >"$dir/s3.json" <<-END
	{"identities":[{"name":"test","credentials":[{"accessKey":"$access_key","secretKey":"$secret_key"}],
	 "actions":["Admin","Read","Write","List","Tagging"]}]}
	END
	daemon "$home/weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$dir/data" -master.port="${ports[0]}" \
		-volume.port="${ports[1]}" -filer.port="${ports[2]}" -filer -s3 -s3.port="$port" -s3.config="$dir/s3.json" \
		-master.volumeSizeLimitMB=1024 -volume.max=50 -volume.minFreeSpace=0
}

start_garage() {
	local rpc node
	rpc=$(free_port "$port")
	access_key=GK0123456789abcdef01234567
	secret_key=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	cat >"$dir/garage.toml" <<-END
	metadata_dir = "$dir/meta"
	data_dir = "$dir/data"
	db_engine = "sqlite"
	replication_factor = 1
	rpc_bind_addr = "127.0.0.1:$rpc"
	rpc_public_addr = "127.0.0.1:$rpc"
	rpc_secret = "$secret_key"
	[s3_api]
	s3_region = "us-east-1"
	api_bind_addr = "127.0.0.1:$port"
	root_domain = ".s3.garage.localhost"
	END
	garage_() { timeout 20 "$home/bin/garage" -c "$dir/garage.toml" "$@"; }
	daemon "$home/bin/garage" -c "$dir/garage.toml" server
	wait_until 30 garage_ status
	node=$(garage_ node id -q)
	{
		garage_ layout assign -z test -c 10G "${node%%@*}"
		garage_ layout apply --version 1
		garage_ key import --yes -n test "$access_key" "$secret_key"
		garage_ key allow --create-bucket "$access_key"
	} >"$dir/setup" 2>&1 || { cat "$dir/setup" >&2; die "garage could not be set up"; }
}

start_s3proxy() {
	cat >"$dir/s3proxy.conf" <<-END
	s3proxy.endpoint=http://127.0.0.1:$port
	s3proxy.authorization=aws-v4
	s3proxy.identity=$access_key
	s3proxy.credential=$secret_key
	jclouds.provider=filesystem-nio2
	jclouds.filesystem.basedir=$dir/data
	END
	daemon java -Xmx1g -jar "$home/s3proxy.jar" --properties "$dir/s3proxy.conf"
}

start() {
	case "$name" in
	minio) MINIO_ROOT_USER=$access_key MINIO_ROOT_PASSWORD=$secret_key \
		daemon "$home/minio" server --address "127.0.0.1:$port" --console-address "127.0.0.1:$(free_port "$port")" data ;;
	seaweedfs) start_seaweedfs ;;
	versitygw) daemon "$home/versitygw" --port "127.0.0.1:$port" --access "$access_key" --secret "$secret_key" posix data ;;
	rclone) daemon "$home/rclone" serve s3 --config "$dir/none" --addr "127.0.0.1:$port" \
		--auth-key "$access_key,$secret_key" --vfs-cache-mode full --cache-dir "$dir/cache" data ;;
	gofakes3) daemon "$home/gofakes3" -backend memory -host "127.0.0.1:$port" ;;
	s3s-fs) daemon "$home/bin/s3s-fs" --host 127.0.0.1 --port "$port" --access-key "$access_key" --secret-key "$secret_key" data ;;
	garage) start_garage ;;
	s3proxy) start_s3proxy ;;
	s3mock) daemon env SERVER_ADDRESS=127.0.0.1 COM_ADOBE_TESTING_S3MOCK_STORE_ROOT="$dir/data" \
		java -Xmx1g -jar "$home/s3mock.jar" --http.port="$port" --server.port=0 --vectors.http.port=0 --vectors.https.port=0 ;;
	moto) daemon "$home/bin/moto_server" -H 127.0.0.1 -p "$port" ;;
	s3rver)
		access_key=S3RVER secret_key=S3RVER # it knows no others
		daemon "$home/node_modules/.bin/s3rver" --silent --no-vhost-buckets -d "$dir/data" -a 127.0.0.1 -p "$port" ;;
	*) usage ;;
	esac
}

up() {
	local port home
	name=$1
	if [ "$name" = radosgw ]; then
		echo radosgw >"$dir/name"
		exec "$top/tests/lib/s3.sh" up "$dir/ceph"
	fi
	home=$servers/$name
	[ -e "$home/installed" ] || die "$name is not installed"
	[ -z "$(ls -A "$dir")" ] || die "\"$dir\" is not empty"
	mkdir "$dir/data"
	port=$(free_port)
	start
	wait_until 60 answers
	print_env
}

down() {
	local pid
	[ ! -e "$dir/ceph" ] || "$top/tests/lib/s3.sh" down "$dir/ceph"
	# a pid may have been given away since: only a process that works in DIR is ours
	if pid=$(cat "$dir/pid" 2>/dev/null) && [ "/proc/$pid/cwd" -ef "$dir" ]; then
		kill -KILL -- "-$pid" 2>/dev/null || true # nothing here is worth a clean end
		while kill -0 -- "-$pid" 2>/dev/null; do sleep 0.05; done
	fi
	rm -rf "$dir"
}

case "$# $1" in
"3 up") mkdir -p "$3"; dir=$(cd "$3" && pwd); up "$2" ;;
"2 down") [ -d "$2" ] || exit 0; dir=$(cd "$2" && pwd); down ;;
"2 has") [ "$2" = radosgw ] || [ -e "$servers/$2/installed" ] ;;
*) usage ;;
esac
