"""airflow_dag.py - the three stages as tasks of Airflow 3, every five minutes

Copy it into the dags folder. The worker needs the tools in its PATH, and in its environment
PGSERVICEFILE, a file with sections [shop] and [warehouse], and AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY and AWS_REGION. Each stage goes on where its own destination says that it
ended, so every task may be retried or run alone. Exit status 73 (another run was first) and 99
(nothing new) skip a task; "report" stands for what only new rows need.
"""
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

LAKE = "s3://lake"
STAR = "/usr/local/share/starpipe/totesys.sql"


def stage(name, command):
    return BashOperator(
        task_id=name,
        bash_command=f"set -eo pipefail; {command}",
        skip_on_exit_code=[73, 99],
        append_env=True,
    )


with DAG(
    "starpipe",
    schedule="*/5 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
):
    ingest = stage("ingest", f"""
        state=$(s3-put --show-state {LAKE}/ingested/)
        pg-extract -d service=shop --state <(echo "$state") |
            s3-put --compress zstd {LAKE}/ingested/""")
    transform = stage("transform", f"""
        state=$(s3-put --show-state {LAKE}/processed/)
        s3-get --state <(echo "$state") {LAKE}/ingested/ |
            star-transform --store {LAKE}/refs.jsonl {STAR} |
            s3-put --format parquet --numeric-as string {LAKE}/processed/""")
    load = stage("load", f"""
        state=$(pg-load -d service=warehouse --show-state)
        s3-get --state <(echo "$state") {LAKE}/processed/ |
            pg-load -d service=warehouse --empty skip""")
    report = stage("report", "echo new rows are in the warehouse")
    ingest >> transform >> load >> report
