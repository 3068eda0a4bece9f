#!/bin/bash
# three-zones.sh SOURCE LAKE WAREHOUSE - what cron runs every five minutes
#
# SOURCE and WAREHOUSE are connection strings, LAKE is a URL (s3://bucket or file:///folder). Each
# stage goes on where it ended, which its own destination knows: so each can be run at any time, alone
# or again, and killed at any time. Two runs at once do no harm: one of them ends with exit status 73.
# The star's joins keep their rows in LAKE/refs.jsonl, so no disk is needed. STAR is another star file.
set -euo pipefail

source=$1 lake=$2 warehouse=$3
star=${STAR:-$(dirname "$0")/../transform/totesys.sql}

pg-extract -d "$source" --state <(s3-put --show-state "$lake/ingested/") |
	s3-put --compress zstd "$lake/ingested/"

s3-get --state <(s3-put --show-state "$lake/processed/") "$lake/ingested/" |
	star-transform --store "$lake/refs.jsonl" "$star" |
	s3-put --format parquet --numeric-as string "$lake/processed/"

s3-get --state <(pg-load -d "$warehouse" --show-state) "$lake/processed/" |
	pg-load -d "$warehouse"
