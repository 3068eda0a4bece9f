#!/usr/bin/env python3
"""delta.py COMMAND TABLE [ARGUMENT...] - Delta tables as deltalake, polars, DuckDB and Spark have them

rows TABLE               the rows as starpipe-wire(5) has them, sorted; all must say the same, but Spark is not asked
                         about s3:
partitioned TABLE        the same but for polars, which takes a partition's value from the file, not from the log
schema TABLE             name:type of each column
version TABLE            the version
partitions TABLE         the partition columns
add TABLE ROWS           deltalake appends these rows, JSON lines, for columns of the table
widen TABLE NAME         deltalake adds a column of strings
clean TABLE              a month later deltalake makes a checkpoint and removes the commits before it
sql TABLE STATEMENT      Spark's answer to a statement about the table {t}

They are asked of a server, because Spark takes its time to start: delta.py serve SOCKET, which ends with its
parent. DELTA_SOCKET names it to the others.
"""
import datetime, json, math, os, signal, socket, socketserver, sys, threading, traceback

# of an S3 server without https
options = {'AWS_ENDPOINT_URL': os.environ.get('AWS_ENDPOINT_URL', ''), 'AWS_ALLOW_HTTP': 'true'}


def start():
    global deltalake, polars, pa, duck, spark
    top = os.path.dirname(os.path.dirname(sys.executable))
    sys.path.insert(0, f'{top}/delta')
    import deltalake, duckdb, polars, pyarrow as pa
    from pyspark.sql import SparkSession
    duck = duckdb.connect()
    for name in ('httpfs', 'delta'):
        duck.execute(f"LOAD '{top}/delta/duckdb_extension_{name}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
    duck.execute("SET TimeZone = 'UTC'")
    if host := options['AWS_ENDPOINT_URL'].removeprefix('http://'):
        duck.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{os.environ['AWS_ACCESS_KEY_ID']}', SECRET '{os.environ['AWS_SECRET_ACCESS_KEY']}',"
                     f" REGION '{os.environ['AWS_REGION']}', ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)")
    settings = {
        'jars': ','.join(f'{top}/jars/{jar}' for jar in os.listdir(f'{top}/jars')),
        'sql.extensions': 'io.delta.sql.DeltaSparkSessionExtension',
        'sql.catalog.spark_catalog': 'org.apache.spark.sql.delta.catalog.DeltaCatalog',
        'sql.session.timeZone': 'UTC',
        'driver.host': '127.0.0.1', 'driver.bindAddress': '127.0.0.1', 'ui.enabled': 'false', 'ui.showConsoleProgress': 'false',
        # small tables on a small machine: no code is worth its compilation
        'driver.extraJavaOptions': '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC', 'sql.shuffle.partitions': '1',
        'sql.codegen.wholeStage': 'false', 'sql.codegen.factoryMode': 'NO_CODEGEN', 'sql.adaptive.enabled': 'false',
        'databricks.delta.snapshotPartitions': '1',
    }
    builder = SparkSession.builder.master('local[2]')
    for name, value in settings.items():
        builder = builder.config(f'spark.{name}', value)
    spark = builder.getOrCreate()


def stored(url):
    return options if url.startswith('s3:') else None


def by_deltalake(url):
    # to_pyarrow_table() cannot read a negative decimal of a partition
    table = deltalake.DeltaTable(url, storage_options=stored(url))
    return pa.table(deltalake.QueryBuilder().register('t', table).execute('SELECT * FROM t'))


def by_polars(url):
    return polars.read_delta(url, storage_options=stored(url)).to_arrow()


def by_duckdb(url):
    return duck.cursor().execute('FROM delta_scan($1)', [url]).to_arrow_table()


def fresh_spark():
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # it reads what is there, not what was
    return spark


def by_spark(url):
    return fresh_spark().read.format('delta').load(url).toArrow()


# --- rows as starpipe-wire(5) has them, each as a line ---

def date(days):
    if abs(days) == 2**31 - 1:
        return 'infinity' if days > 0 else '-infinity'
    cycles, day = divmod(days + 719162, 146097)  # of 400 years, which python's calendar is too short for
    d = datetime.date.fromordinal(day + 1)
    year = d.year + 400 * cycles
    return f'{year:04}-{d:%m-%d}' if year > 0 else f'{1 - year:04}-{d:%m-%d} BC'


def timestamp(us, zone):
    if abs(us) == 2**63 - 1:
        return 'infinity' if us > 0 else '-infinity'
    days, us = divmod(us, 86400 * 10**6)
    day, *bc = date(days).split(' ')
    time = (datetime.datetime.min + datetime.timedelta(microseconds=us)).time().isoformat()
    return ' '.join([f'{day}T{time.rstrip("0") if "." in time else time}{"Z" if zone else ""}', *bc])


def wire(value):
    t, v = value.type, None
    if not value.is_valid:
        return 'null'
    if pa.types.is_decimal(t):
        return format(value.as_py(), 'f')
    if pa.types.is_date32(t):
        v = date(value.value)
    elif pa.types.is_timestamp(t) and t.unit == 'us':
        v = timestamp(value.value, t.tz)
    elif pa.types.is_float32(t):
        shorter = (float(f'{value.as_py():.{digits}g}') for digits in range(1, 10))
        v = next(x for x in shorter if pa.scalar(x, t).equals(value) or math.isnan(x))
    elif pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_binary_view(t):
        v = '\\x' + value.as_py().hex()
    else:
        v = value.as_py()
    if isinstance(v, float) and not math.isfinite(v):
        v = 'NaN' if v != v else 'Infinity' if v > 0 else '-Infinity'
    elif isinstance(v, float) and v.is_integer() and abs(v) < (1e6 if pa.types.is_float32(t) else 1e15):
        return f'{v:.0f}'
    return json.dumps(v, ensure_ascii=False)


def text(table):
    names = [json.dumps(name, ensure_ascii=False) for name in table.column_names]
    return sorted('{' + ','.join(f'{n}:{wire(v)}' for n, v in zip(names, row)) + '}' for row in zip(*table.columns))


def same(answers):
    first, *others = answers
    for other in others:
        if answers[other] != answers[first]:
            raise AssertionError('\n'.join(f'{name}: {answer}' for name, answer in answers.items()))
    return answers[first]


def rows(url, *readers):
    return same({f.__name__: text(f(url)) for f in readers if not (f == by_spark and url.startswith('s3:'))})


def add(table, lines):
    schema = pa.schema(table.schema())
    new = [json.loads(line) for line in lines]
    columns = {f.name: pa.array([r.get(f.name) for r in new], f.type) for f in schema}
    deltalake.write_deltalake(table, pa.table(columns, schema=schema), mode='append')


def answer(command, url, *rest):
    if command == 'rows':
        return rows(url, by_deltalake, by_polars, by_duckdb, by_spark)
    if command == 'partitioned':
        return rows(url, by_deltalake, by_duckdb, by_spark)
    if command == 'sql':
        return [json.dumps(row.asDict(), default=str) for row in fresh_spark().sql(rest[0].format(t=f'delta.`{url}`')).collect()]
    table = deltalake.DeltaTable(url, storage_options=stored(url))
    if command == 'schema':
        fields = json.loads(table.schema().to_json())['fields']
        if fields != fresh_spark().read.format('delta').load(url).schema.jsonValue()['fields']:
            raise AssertionError('another schema to Spark')
        return [' '.join(f'{f["name"]}:{f["type"]}' for f in fields)]
    if command == 'version':
        return [table.version()]
    if command == 'partitions':
        return [' '.join(table.metadata().partition_columns)]
    if command == 'add':
        add(table, rest)
    elif command == 'widen':
        table.alter.add_columns([deltalake.Field(rest[0], 'string', nullable=True)])
    elif command == 'clean':
        table.create_checkpoint()
        for file in os.scandir(f'{url}/_delta_log'):
            os.utime(file, times=(file.stat().st_mtime - 40 * 86400,) * 2)
        table.cleanup_metadata()
    return []


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            said, failed = '\n'.join(map(str, answer(*json.loads(self.rfile.readline())))), False
        except Exception:
            said, failed = traceback.format_exc(limit=-3)[:3000], True
        self.wfile.write(json.dumps([said, failed]).encode())


def serve(path):
    parent, stop = os.getppid(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    start()
    server = socketserver.ThreadingUnixStreamServer(path, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.getppid() == parent and not stop.wait(.2):
        pass
    java = spark.sparkContext._gateway.proc
    java.stdin.close()  # which ends it
    java.wait()
    os._exit(0)  # threads of these libraries may abort an orderly end


def ask(command, url, *rest):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.environ['DELTA_SOCKET'])
        s.sendall(json.dumps([command, url if url.startswith('s3:') else os.path.abspath(url), *rest]).encode() + b'\n')
        said, failed = json.loads(s.makefile().read())
    if failed:
        sys.exit(said)
    if said:
        print(said)


serve(sys.argv[2]) if sys.argv[1] == 'serve' else ask(*sys.argv[1:])
