#!/bin/bash
# three-zones.sh SOURCE LAKE WAREHOUSE - one run of all stages, for cron or any scheduler
#
# SOURCE and WAREHOUSE are connection strings, LAKE is a URL (s3://bucket or file:///folder). Each
# stage goes on where its own destination says that it ended. So this can be killed at any time and
# run again at any time; of two runs at once, one exits 73 and has changed nothing. The rows that
# joins need are kept in LAKE/refs.jsonl, so no disk is needed. STAR names another star file.
set -uo pipefail

source=$1 lake=$2 warehouse=$3
star=${STAR:-$(dirname "$0")/../transform/totesys.sql}

# check STATUS... - exit with the status that is the cause, if a tool of the last pipe failed: 76 and
# 141 (SIGPIPE) only say that another one did
check() {
	local status cause=0

	for status; do
		case $status in
		0) ;;
		76 | 141) [ $cause != 0 ] || cause=$status ;;
		*) cause=$status ;;
		esac
	done
	[ $cause = 0 ] || exit $cause
}

state=$(s3-put --show-state "$lake/ingested/") || exit
pg-extract -d "$source" --state <(echo "$state") |
	s3-put --compress zstd "$lake/ingested/"
check "${PIPESTATUS[@]}"

state=$(s3-put --show-state "$lake/processed/") || exit
s3-get --state <(echo "$state") "$lake/ingested/" |
	star-transform --store "$lake/refs.jsonl" "$star" |
	s3-put --format parquet --numeric-as string "$lake/processed/"
check "${PIPESTATUS[@]}"

state=$(pg-load -d "$warehouse" --show-state) || exit
s3-get --state <(echo "$state") "$lake/processed/" |
	pg-load -d "$warehouse"
check "${PIPESTATUS[@]}"
