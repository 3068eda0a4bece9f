#!/bin/bash
# install.sh DIR - install into DIR what the tests of this folder compare with
#
# Python packages, DuckDB's extensions among them, come from PyPI, the jars of Delta Lake from Maven
# Central, a Java for Spark from the distribution. DIR/ready is there when all of it is.
set -eu
cd "$(dirname "$0")/../.."
dir=$1

# An extension fits one DuckDB only, and there is none yet for the one that Parquet is tested with:
# an older one is beside it, in DIR/delta.
packages=(duckdb==2.0.0 pyarrow==26.0.1 polars==2.1.0 deltalake==1.6.6 pyspark==4.1.0
	'cyclonedx-python-lib[json-validation]==11.12.0')
beside=(duckdb==1.5.5 duckdb-extension-delta==1.5.5 duckdb-extension-httpfs==1.5.5)

# a Delta Lake is made for one Spark, which its POM names
maven=https://repo1.maven.org/maven2/io/delta
jars=(
	9b05d7a82196ee1f1073733a45a2faae59161e52b86ae918fe6742fad6eaf036 delta-spark_2.13/4.1.0/delta-spark_2.13-4.1.0.jar
	6d0520ffcc35b582369f92c23fa24e14a5bb935cf6e31ed7f47c5046ae17cb25 delta-storage/4.1.0/delta-storage-4.1.0.jar
)

rm -rf "$dir/ready" "$dir/delta" "$dir/jars"
command -v java >/dev/null || tests/lib/deps.sh oracles
[ -x "$dir/bin/pip" ] || python3 -m venv "$dir"
"$dir/bin/pip" install -q "${packages[@]}"
"$dir/bin/pip" install -q --no-deps --target "$dir/delta" "${beside[@]}"
mkdir "$dir/jars"
for ((i = 0; i < ${#jars[@]}; i += 2)); do
	jar=$dir/jars/${jars[i + 1]##*/}
	curl -sSf --retry 3 -o "$jar" "$maven/${jars[i + 1]}"
	echo "${jars[i]}  $jar" | sha256sum --check --quiet
done
touch "$dir/ready"
