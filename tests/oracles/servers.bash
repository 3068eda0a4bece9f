# servers.bash - what servers.bats and servers-heavy.bats share: a server's cells against the table of what is known

load ../lib/helpers

oracles=$STARPIPE_TOP/build/oracles
rows=$oracles/servers/rows
cells="races delta if-match large sigterm wrong-key lost-answer odd-keys"

setup() { cd "$BATS_TEST_TMPDIR"; }

teardown() { "$STARPIPE_TOP/tests/oracles/servers.sh" down "$BATS_TEST_TMPDIR/server"; }

# table - what the last run saw of every server, in Markdown
teardown_file() {
	{
		echo "| server | two writers | with --delta | replaced while read | 200 MiB | SIGTERM | wrong key | lost answer | odd keys |"
		echo "|---|---|---|---|---|---|---|---|---|"
		cat "$rows"/*
	} >"$oracles/servers.md"
	sed 's/^/# /' "$oracles/servers.md" >&3
}

# against NAME [CELL=VERDICT...] - each cell of servers.py holds, but for those that are named
against() {
	local name=$1 cell version verdict want row failed=0
	local -A known=()
	shift
	for want; do known[${want%%=*}]=${want#*=}; done
	"$STARPIPE_TOP/tests/oracles/servers.sh" has "$name" || skip "$name is not here: install-servers.sh could not install it"
	[ -e "$oracles/ready" ] || skip "deltalake is not here: make test-oracles could not install it"
	"$STARPIPE_TOP/tests/oracles/servers.sh" up "$name" "$BATS_TEST_TMPDIR/server" >env
	. ./env
	timeout 500 "$oracles/bin/python" "$STARPIPE_TOP/tests/oracles/servers.py" $cells >verdicts
	version=$(cat "$oracles/servers/$name/installed" 2>/dev/null || radosgw --version | grep -oE '[0-9]+\.[0-9.]+' | head -1)
	row="| $name $version |"
	for cell in $cells; do
		verdict=$(sed -n "s/^$cell: //p" verdicts)
		want=${known[$cell]:-holds}
		[ "$verdict" = "$want" ] || { echo "$name: $cell: $verdict"; echo "  should be: $want"; failed=1; }
		row+=" ${verdict//|/\\|} |"
	done
	mkdir -p "$rows"
	echo "$row" >"$rows/$name"
	[ $failed = 0 ]
}
