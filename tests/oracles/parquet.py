#!/usr/bin/env python3
"""parquet.py written FILE TABLE... | parquet.py read FOLDER - Parquet as pyarrow, DuckDB and polars have it

written: do they read each FILE, made by jsonl2parquet of TABLE ("t TYPE" of e2e/ugly.sql), as what PostgreSQL says?
read: does parquet2jsonl read every file that they can write as what they wrote? Each difference is a line.
"""
import csv, datetime, decimal, io, itertools, json, math, random, struct, subprocess, sys
from decimal import Decimal
import duckdb, polars, pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq

failures = 0
INF = {'date': 2**31 - 1, 'us': 2**63 - 1}


def fail(*what):
    global failures
    failures += 1
    if failures < 50:
        print(*what)


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or math.isnan(a) and math.isnan(b)
    return type(a) == type(b) and a == b


def check(what, got, want):
    if len(got) != len(want):
        return fail(what, f'{len(got)} rows instead of {len(want)}')
    for i, (g, w) in enumerate(zip(got, want)):
        if not same(g, w):
            return fail(what, f'row {i}: {g!r:.200} instead of {w!r:.200}')


# --- written by jsonl2parquet ---

def copy_rows(sql):
    """Rows of one column as PostgreSQL's own text, behind an x; None is NULL."""
    out = subprocess.run(['psql', '-qX', '-d', 'ugly', '-c', f'COPY ({sql}) TO STDOUT (FORMAT csv, NULL \'-\')'],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    csv.field_size_limit(1 << 30)
    return [None if row[0] == '-' else row[0][1:] for row in csv.reader(io.StringIO(out, newline=''))]


def expected(table, base):
    """The values of column v as python has them: integers where a reader's own type would not reach as far."""
    number = f"CASE v WHEN 'infinity' THEN %s WHEN '-infinity' THEN -%s ELSE %s END"
    text = {'date': number % (INF['date'], INF['date'], "v - date '1970-01-01'"),
            'timestamp': number % (INF['us'], INF['us'], 'extract(epoch from v) * 1000000'),
            'time': 'extract(epoch from v) * 1000000',
            'bytea': "encode(v, 'hex')"}
    text['timestamptz'] = text['timestamp']
    name = base if base.startswith('numeric') else base.split('(')[0]
    rows = copy_rows(f"""SELECT CASE WHEN v IS NOT NULL THEN format('x%s', {text.get(name, 'v')}) END FROM "{table}" ORDER BY id""")
    convert = {'bool': lambda s: s in ('true', 't'), 'int2': int, 'int4': int, 'int8': int, 'float4': lambda s: f4(float(s)), 'float8': float,
               'numeric(10,2)': Decimal, 'numeric(3,-2)': Decimal, 'numeric(2,5)': Decimal, 'bytea': bytes.fromhex}
    for t in ('date', 'time', 'timestamp', 'timestamptz'):
        convert[t] = lambda s: int(Decimal(s))
    return [None if r is None else convert.get(name, str)(r) for r in rows]


def f4(x):
    return struct.unpack('f', struct.pack('f', x))[0]


def arrow_values(column):
    t = column.type
    if pa.types.is_date32(t):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(t) or pa.types.is_time64(t):
        column = column.cast(pa.int64())
    return column.to_pylist()


def duck_values(file):
    kind = duckdb.sql(f"SELECT typeof(v) FROM '{file}' LIMIT 1").fetchall()[0][0]
    # its infinities are words
    number = f"CASE WHEN isinf(v) THEN CASE WHEN v > '1970-01-01' THEN %s ELSE -%s END ELSE %s END"
    expression = {'DATE': number % (INF['date'], INF['date'], "v - DATE '1970-01-01'"),
                  'TIMESTAMP': number % (INF['us'], INF['us'], 'epoch_us(v)'), 'TIME': 'epoch_us(v)',
                  'TIMESTAMP WITH TIME ZONE': number % (INF['us'], INF['us'], 'epoch_us(v)')}.get(kind, 'v')
    rows = duckdb.sql(f"SELECT {expression} FROM '{file}' ORDER BY id").fetchall()
    return [None if r[0] is None else int(r[0]) if expression != 'v' else r[0] for r in rows]


def polars_values(file):
    s = polars.read_parquet(file).sort('id')['v']
    if s.dtype == polars.Date:
        s = s.cast(polars.Int32)
    elif s.dtype == polars.Time:
        return [None if v is None else v // 1000 for v in s.cast(polars.Int64).to_list()]  # nanoseconds
    elif isinstance(s.dtype, polars.Datetime):
        s = s.cast(polars.Int64)
    return s.to_list()


def written(file, table):
    base = table[2:]
    want = expected(table, base)
    strip = lambda values: values
    if base.startswith('bpchar'):  # text takes its blanks away; they are in the file
        strip = lambda values: [None if v is None else v.rstrip(' ') for v in values]
        want = strip(want)
    check(f'{table}: pyarrow', strip(arrow_values(pq.read_table(file, page_checksum_verification=True).sort_by('id')['v'])), want)
    check(f'{table}: duckdb', strip(duck_values(file)), want)
    day = [None if base == 'time' and w == 86400 * 10**6 else w for w in want]  # polars' day has no 24:00:00
    check(f'{table}: polars', strip(polars_values(file)), day)
    f = pq.ParquetFile(file)
    for g in range(f.metadata.num_row_groups):
        statistics = f.metadata.row_group(g).column(1).statistics
        if statistics.null_count != sum(w is None for w in want):
            fail(f'{table}: null_count {statistics.null_count}')
    # statistics that are wrong make rows vanish
    for v in {w for w in want if isinstance(w, (str, int, Decimal)) and not isinstance(w, bool)}:
        if base in ('date', 'time', 'timestamp', 'timestamptz') or base.startswith(('timestamp', 'time(', 'bpchar', 'float')):
            break
        found = duckdb.execute(f"SELECT count(*) FROM '{file}' WHERE v = $1", [v]).fetchall()[0][0]
        if found != want.count(v):
            fail(f'{table}: where v = {v!r:.50} finds {found} rows instead of {want.count(v)}')


# --- read by parquet2jsonl ---

def plain(v, t):
    """A value as the JSON of the wire has it, numbers as their text."""
    if v is None:
        return None
    if pa.types.is_boolean(t):
        return v
    if pa.types.is_integer(t):
        return str(v)
    if pa.types.is_decimal(t):
        return format(v, 'f')
    if pa.types.is_floating(t):
        v = float(v)
        return 'NaN' if math.isnan(v) else ('-' if v < 0 else '') + 'Infinity' if math.isinf(v) else v
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return v
    if pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t) or pa.types.is_large_binary(t):
        return '\\x' + v.hex()
    raise TypeError(t)


def fraction(n, digits):
    s = f'.{n:0{digits}d}'.rstrip('0').rstrip('.')
    return s


def plain_time(n, unit, t):
    """Dates and times from their integers, by python's own calendar."""
    if n is None:
        return None
    if pa.types.is_date(t):
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=n)).isoformat()
    digits = {'ms': 3, 'us': 6, 'ns': 9}[unit]
    seconds, rest = divmod(n, 10**digits)
    if pa.types.is_time(t):
        return f'{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}' + fraction(rest, digits)
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return at.isoformat() + fraction(rest, digits) + ('Z' if t.tz else '')


def want_column(column):
    t = column.type
    if pa.types.is_null(t):
        return [None] * len(column)
    if pa.types.is_date(t):
        return [plain_time(n, None, t) for n in column.cast(pa.int32()).to_pylist()]
    if pa.types.is_time(t) or pa.types.is_timestamp(t):
        return [plain_time(n, t.unit, t) for n in column.cast(pa.int32() if t == pa.time32('ms') else pa.int64()).to_pylist()]
    return [plain(v, t) for v in column.to_pylist()]


def got_columns(file, names):
    run = subprocess.run(['parquet2jsonl', '--rows', file], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode:
        return fail(file, run.stderr.decode().strip())
    rows = json.loads(b'[' + b','.join(run.stdout.splitlines()) + b']', parse_float=str, parse_int=str)
    if any(list(row) != names for row in rows):
        return fail(file, 'columns are others, or in another order')
    return list(zip(*(row.values() for row in rows))) or [()] * len(names)


def want_columns(table):
    return [(name, table[name].type, tuple(want_column(table[name]))) for name in table.column_names]


def compare(what, file, wanted):
    columns = got_columns(file, [name for name, _, _ in wanted])
    if columns is None:
        return fail(what)
    for got, (name, t, want) in zip(columns, wanted):
        if pa.types.is_floating(t):
            got = [float(g) if g is not None and g not in ('NaN', 'Infinity', '-Infinity') else g for g in got]
            if t != pa.float64():
                got = [f4(g) if isinstance(g, float) else g for g in got]
        elif got == want and not pa.types.is_boolean(t):  # texts: what is equal is the same
            continue
        check(f'{what}: {name}', got, want)


def with_nulls(values, how, seed):
    r = random.Random(seed)
    return [v if how == 'none' else None if how == 'all' else v if r.random() < .7 else None for v in values]


def ugly_table(n, nulls):
    r = random.Random(n)
    edge = lambda bits, signed: [0, 1, (1 << bits - signed) - 1, -(1 << bits - 1) if signed else 0]
    ints = lambda bits, signed: [r.choice(edge(bits, signed)) if r.random() < .3 else r.randrange(edge(bits, signed)[3], edge(bits, signed)[2]) for _ in range(n)]
    near = [i * 3 + r.randrange(5) for i in range(n)]
    words = ['', 'a', 'naïve', '"quoted"', 'back\\slash', 'tab\tnewline\n', '\U0001f600', 'x' * 300, '\u0001']
    prefixed = sorted(f'https://example.org/{r.randrange(1000):05}/{r.randrange(10**6)}' for _ in range(n))
    dec = lambda p, s: [Decimal(r.randrange(-10**p + 1, 10**p)).scaleb(-s, decimal.Context(prec=100)) for _ in range(n)]
    floats = [r.choice([0.0, -0.0, math.inf, -math.inf, math.nan, 0.1, 5e-324, 1.7976931348623157e308, r.random() * 1e10]) for _ in range(n)]
    narrow = [r.choice([0.0, -0.0, math.inf, math.nan, f4(0.1), f4(3.4e38), f4(1e-45)]) for _ in range(n)]
    half = [r.choice([0.0, -0.0, math.inf, math.nan, 0.5, 65504.0, 6e-8]) for _ in range(n)]
    dates = [r.randrange(-719162, 2932896) for _ in range(n)]
    us = [r.randrange(-62135596800 * 10**6, 253402300799 * 10**6) for _ in range(n)]
    ns = [r.randrange(-2**63 + 1, 2**63) for _ in range(n)]
    columns = {
        'bool': (pa.bool_(), [r.random() < .5 for _ in range(n)]), 'runs': (pa.bool_(), [i // 100 % 2 == 0 for i in range(n)]),
        'i8': (pa.int8(), ints(8, 1)), 'i16': (pa.int16(), ints(16, 1)), 'i32': (pa.int32(), ints(32, 1)), 'i64': (pa.int64(), ints(64, 1)),
        'u8': (pa.uint8(), ints(8, 0)), 'u16': (pa.uint16(), ints(16, 0)), 'u32': (pa.uint32(), ints(32, 0)), 'u64': (pa.uint64(), ints(64, 0)),
        'near': (pa.int64(), near), 'few': (pa.int32(), [r.randrange(7) for _ in range(n)]), 'one': (pa.int64(), [42] * n),
        'f16': (pa.float16(), half), 'f32': (pa.float32(), narrow), 'f64': (pa.float64(), floats),
        'd5': (pa.decimal128(5, 2), dec(5, 2)), 'd18': (pa.decimal128(18, 18), dec(18, 18)), 'd38': (pa.decimal128(38, 10), dec(38, 10)),
        'd76': (pa.decimal256(76, 38), dec(76, 38)), 'd20': (pa.decimal128(20, 0), dec(20, 0)),
        's': (pa.string(), [r.choice(words) for _ in range(n)]), 'url': (pa.string(), prefixed), 'ls': (pa.large_string(), [str(i) for i in ints(64, 1)]),
        'bin': (pa.binary(), [bytes(r.randrange(256) for _ in range(r.randrange(9))) for _ in range(n)]),
        'fix': (pa.binary(5), [bytes(r.randrange(256) for _ in range(5)) for _ in range(n)]),
        'date': (pa.date32(), dates), 't32': (pa.time32('ms'), [r.randrange(86400000) for _ in range(n)]), 't64': (pa.time64('us'), [r.randrange(86400 * 10**6) for _ in range(n)]),
        'tns': (pa.time64('ns'), [r.randrange(86400 * 10**9) for _ in range(n)]),
        'tms': (pa.timestamp('ms'), [u // 1000 for u in us]), 'tus': (pa.timestamp('us'), us), 'tsns': (pa.timestamp('ns'), ns),
        'tz': (pa.timestamp('us', tz='UTC'), us), 'zms': (pa.timestamp('ms', tz='UTC'), [u // 1000 for u in us]),
        'nul': (pa.null(), [None] * n),
    }
    fields, arrays = [], []
    for i, (name, (t, values)) in enumerate(columns.items()):
        values = with_nulls(values, nulls, i)
        if t == pa.float16():
            values = pa.array(values, pa.float32()).cast(t)
        elif pa.types.is_date(t) or pa.types.is_time(t) or pa.types.is_timestamp(t):
            raw = pa.array(values, pa.int32() if pa.types.is_date(t) or pa.types.is_time32(t) else pa.int64())
            values = raw.cast(t) if not (pa.types.is_timestamp(t) and t.tz) else raw.cast(pa.timestamp(t.unit)).cast(t)
        arrays.append(values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, t))
        fields.append(pa.field(name, t, nullable=nulls != 'none' or pa.types.is_null(t)))
    return pa.table(arrays, schema=pa.schema(fields))


def encodings(table):
    """The encodings that pyarrow writes a column in, other than the dictionary."""
    every = {}
    for f in table.schema:
        t, some = f.type, ['PLAIN']
        if pa.types.is_boolean(t):
            some += ['RLE']
        elif pa.types.is_string(t) or pa.types.is_large_string(t) or t == pa.binary():
            some += ['DELTA_LENGTH_BYTE_ARRAY', 'DELTA_BYTE_ARRAY']
        elif pa.types.is_fixed_size_binary(t) or pa.types.is_decimal(t):
            some += ['BYTE_STREAM_SPLIT', 'DELTA_BYTE_ARRAY']
        elif pa.types.is_float16(t) or pa.types.is_floating(t):
            some += ['BYTE_STREAM_SPLIT']
        elif not pa.types.is_null(t):
            some += ['DELTA_BINARY_PACKED', 'BYTE_STREAM_SPLIT']
        every[f.name] = some
    return every


def read_pyarrow(folder):
    n = 0
    for nulls, rows in itertools.product(['none', 'some', 'all'], [0, 1, 8, 1000, 3001]):
        table = ugly_table(rows, nulls)
        every, wanted = encodings(table), want_columns(table)
        for codec, version, which in itertools.product(['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4'], ['1.0', '2.0'], range(4)):
            if rows in (0, 1, 8) and codec not in ('none', 'snappy'):
                continue
            as_integer = n % 3 == 0
            chosen = {c: e[min(which, len(e)) - 1] for c, e in every.items()} if which else None
            if which == 3 and as_integer:
                chosen.update({'d5': 'DELTA_BINARY_PACKED', 'd18': 'DELTA_BINARY_PACKED'})
            options = dict(compression=codec, data_page_version=version, use_dictionary=not which, column_encoding=chosen,
                           write_page_checksum=codec != 'gzip', data_page_size=random.Random(n).choice([100, 4096, 1 << 20]),
                           row_group_size=random.Random(n).choice([100, 1500, 1 << 20]), dictionary_pagesize_limit=random.Random(n).choice([64, 1 << 20]),
                           store_decimal_as_integer=as_integer)
            if not which:
                options.pop('column_encoding')
            try:
                pq.write_table(table, f'{folder}/a.parquet', **options)
            except (pa.ArrowNotImplementedError, OSError) as e:
                fail(f'pyarrow cannot write {options}: {e}')
                continue
            compare(f'pyarrow {rows} rows, {nulls} null, {options}', f'{folder}/a.parquet', wanted)
            n += 1
    old = ugly_table(500, 'some').select(['tus', 'tms'])
    pq.write_table(old, f'{folder}/a.parquet', use_deprecated_int96_timestamps=True)
    safe = old.set_column(1, 'tms', old['tms'].cast(pa.timestamp('us')))
    inside = [abs(v or 0) < 9223372036854775 for v in safe['tus'].cast(pa.int64()).to_pylist()]
    columns = got_columns(f'{folder}/a.parquet', ['tus', 'tms'])
    for name, got in zip(('tus', 'tms'), columns):  # pyarrow itself goes by nanoseconds, which end in 2262
        want = want_column(safe[name])
        ok = [abs(v or 0) < 9223372036854775 for v in safe[name].cast(pa.int64()).to_pylist()]
        check(f'int96 {name}', [g for g, k in zip(got, ok) if k], [w for w, k in zip(want, ok) if k])
    return n + 1


def read_duckdb(folder):
    source = ugly_table(3000, 'some').drop_columns(['nul', 'd76', 'f16', 'tns', 'tms', 'tsns', 'zms', 'fix', 't32'])
    n, wanted = 0, want_columns(source)
    for codec, version in itertools.product(['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw'], ['V1', 'V2']):
        duckdb.sql('SET TimeZone = \'UTC\'')
        duckdb.sql(f"COPY (FROM source) TO '{folder}/d.parquet' (FORMAT parquet, COMPRESSION {codec}, PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048)")
        compare(f'duckdb {codec} {version}', f'{folder}/d.parquet', wanted)
        n += 1
    return n


def read_polars(folder):
    table = ugly_table(3000, 'some').drop_columns(['nul', 'd76', 'f16', 'fix', 'tns', 't32', 't64', 'ls'])
    n, wanted = 0, want_columns(table)
    for codec in ['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4']:
        polars.from_arrow(table).write_parquet(f'{folder}/p.parquet', compression=codec, row_group_size=1100, data_page_size=2000)
        compare(f'polars {codec}', f'{folder}/p.parquet', wanted)
        n += 1
    return n


if sys.argv[1] == 'written':
    for file, table in zip(sys.argv[2::2], sys.argv[3::2]):
        written(file, table)
else:
    count = read_pyarrow(sys.argv[2]) + read_duckdb(sys.argv[2]) + read_polars(sys.argv[2])
    print(f'{count} files')
sys.exit(failures > 0)
