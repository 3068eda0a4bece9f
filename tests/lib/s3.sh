#!/bin/bash
# s3.sh up|env|down DIR - a throwaway S3 server on 127.0.0.1: Ceph's radosgw, data in memory
#
#   up    start it in DIR, print the environment that reaches it (as the aws command reads it)
#   env   print that environment again:  eval "$(tests/lib/s3.sh env DIR)"
#   down  stop it and remove what up made
#
# The smallest Ceph there is: one monitor, one memstore OSD, the gateway; no manager, no systemd, no
# authentication between them. Each server has ports of its own, so several can run side by side.
# S3_MEMORY_GB (6) is how much it can hold. The secret key has signs that need care in signing.
set -eu

die() { echo "s3.sh: error: $*" >&2; exit 1; }

[ $# = 2 ] || { echo "usage: s3.sh up|env|down DIR" >&2; exit 2; }
verb=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
[ ${#dir} -le 80 ] || die "\"$dir\" is too long for the name of a socket"
conf=$dir/ceph.conf
access_key=STARPIPETESTKEY00001
secret_key='starpipe/test+secret=key/0000000000000001'

free_port() { # a TCP port nobody listens on, below the range that outgoing connections take
	local port
	for _ in $(seq 100); do
		port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
	done
	die "no free port"
}

print_env() {
	echo "export AWS_ENDPOINT_URL=http://127.0.0.1:$(cat "$dir/port") AWS_REGION=us-east-1" \
		"AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=$access_key" \
		"AWS_SECRET_ACCESS_KEY='$secret_key'"
	echo "unset AWS_SESSION_TOKEN AWS_PROFILE AWS_ENDPOINT_URL_S3"
}

write_conf() {
	local mon_port=$1 port=$2

	cat >"$conf" <<-END
	[global]
	fsid = $fsid
	mon_host = v2:127.0.0.1:$mon_port
	public_addr = 127.0.0.1
	cluster_addr = 127.0.0.1
	ms_bind_ipv6 = false
	auth_cluster_required = none
	auth_service_required = none
	auth_client_required = none
	keyring = $dir/keyring
	run_dir = $dir
	admin_socket = $dir/\$name.asok
	pid_file = $dir/\$name.pid
	log_file = $dir/\$name.log
	mon_cluster_log_file = $dir/cluster.log
	crash_dir = $dir
	log_to_stderr = false
	# one OSD must do: no replicas, few placement groups
	osd_pool_default_size = 1
	osd_pool_default_min_size = 1
	osd_pool_default_pg_num = 4
	osd_pool_default_pgp_num = 4
	osd_pool_default_pg_autoscale_mode = off
	osd_crush_chooseleaf_type = 0
	mon_allow_pool_size_one = true
	mon_max_pg_per_osd = 2000
	# a nearly full disk of the machine is no reason to stop: nothing is written there
	mon_data_avail_warn = 1
	mon_data_avail_crit = 1
	[mon]
	mon_data = $dir/mon
	[osd]
	osd_data = $dir/osd
	osd_objectstore = memstore
	memstore_device_bytes = $((${S3_MEMORY_GB:-6} << 30))
	[client.rgw.test]
	rgw_data = $dir
	rgw_frontends = beast endpoint=127.0.0.1:$port
	rgw_enable_usage_log = false
	rgw_enable_ops_log = false
	# the gateway alone asks the monitor for encryption, which needs authentication: it would hang
	ms_mon_client_mode = crc
	END
	printf '[mon.]\n\tkey = AQAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA==\n\tcaps mon = "allow *"\n' >"$dir/keyring"
}

# daemon NAME COMMAND... - in the background, detached from terminal and from bats
daemon() {
	local name=$1
	shift
	setsid "$@" >>"$dir/$name.out" 2>&1 </dev/null 3>&- &
	echo $! >"$dir/$name.started"
}

daemon_pid() { # of NAME, if it still runs and is ours: a pid may have been given away since
	local pid
	pid=$(cat "$dir/$1.started" 2>/dev/null) && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null |
		grep -qF -- "$conf" && echo "$pid"
}

wait_until() { # SECONDS WHAT COMMAND...
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { tail -5 "$dir"/*.out >&2; die "$what did not start"; }
		sleep 0.1
	done
}

ceph_() { timeout 10 ceph -c "$conf" --connect-timeout 5 "$@"; }
osd_is_up() { ceph_ osd stat | grep -q '1 up'; }
answers() { curl -sf -o "$dir/answer" --max-time 5 "http://127.0.0.1:$(cat "$dir/port")/"; }

start() {
	local mon_port fsid osd_uuid

	[ -O "$dir" ] || die "\"$dir\" is another user's"
	[ -f "$dir/port" ] || [ -z "$(ls -A "$dir")" ] || die "\"$dir\" is not empty"
	stop_daemons
	rm -rf "$dir/mon" "$dir/osd"
	mkdir "$dir/mon" "$dir/osd"
	fsid=$(cat /proc/sys/kernel/random/uuid)
	osd_uuid=$(cat /proc/sys/kernel/random/uuid)
	mon_port=$(free_port)
	free_port >"$dir/port"
	write_conf "$mon_port" "$(cat "$dir/port")"

	# without a map of its own the monitor never learns its name and port
	monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" >"$dir/mon.out"
	ceph-mon -c "$conf" -i a --mkfs --monmap "$dir/monmap" --keyring "$dir/keyring" >>"$dir/mon.out" 2>&1
	daemon mon ceph-mon -c "$conf" -i a -f
	wait_until 30 ceph-mon ceph_ mon stat
	ceph_ osd new "$osd_uuid" 0 >"$dir/osd.out" 2>&1
	ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_uuid" >>"$dir/osd.out" 2>&1
	daemon osd ceph-osd -c "$conf" -i 0 -f
	wait_until 60 ceph-osd osd_is_up
	daemon rgw radosgw -c "$conf" -n client.rgw.test -f
	wait_until 90 radosgw answers
	timeout 60 radosgw-admin -c "$conf" user create --uid=test --display-name=test \
		--access-key="$access_key" --secret-key="$secret_key" >"$dir/user.out" 2>&1 ||
		{ cat "$dir/user.out" >&2; die "radosgw-admin could not make a user"; }
}

stop_daemons() {
	local name pid
	for name in rgw osd mon; do
		# nothing here is worth a clean end
		if pid=$(daemon_pid $name); then kill -KILL "$pid" 2>/dev/null || true; fi
	done
}

is_running() { daemon_pid mon && daemon_pid osd && daemon_pid rgw; } >/dev/null

case "$verb" in
up)
	is_running && answers || start
	print_env
	;;
env) is_running || die "no server runs in \"$dir\""; print_env ;;
down)
	stop_daemons
	[ ! -f "$dir/port" ] || rm -rf "$dir"/{mon,osd,port,answer,monmap,keyring,ceph.conf,*.out,*.started,*.log,*.pid,*.asok}
	rmdir "$dir"
	;;
*) echo "usage: s3.sh up|env|down DIR" >&2; exit 2 ;;
esac
