#!/usr/bin/env python3
"""servers.py CELL... - how the S3 server of AWS_* and starpipe's tools go together

Each CELL is one property; its verdict is a line "CELL: verdict" on standard output, and what was seen
in detail goes to standard error. A verdict begins with

  holds     as the pages promise; after a comma, what the server does not do, and the tools say
  refused   the tools refuse to work with the server, by name of what it lacks
  server    the store itself does otherwise, seen by another client, too; the tools cannot know
  FAILS     something was lost, changed or left, or ended with a code that is not the documented one

The tools are the ones in PATH. An S3 client of this file's own looks at the store beside them.
"""
import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
BUCKET = "starpipe"
RACES = int(os.environ.get("RACES", "20"))
BOUND = 120  # seconds that one command may take


def say(*words):
    print(" ", *words, file=sys.stderr, flush=True)


# An S3 client of twenty lines

def sign(key, *texts):
    for t in texts:
        key = hmac.new(key, t.encode(), hashlib.sha256).digest()
    return key


def request(method, path, query="", body=b"", env={}):
    """Status and body of one signed request; path begins with a slash and is not encoded"""
    env = {**os.environ, **env}
    endpoint = urllib.parse.urlsplit(env["AWS_ENDPOINT_URL"])
    region, access = env["AWS_REGION"], env["AWS_ACCESS_KEY_ID"]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    path = urllib.parse.quote(path, safe="/-_.~")
    digest = hashlib.sha256(body).hexdigest()
    signed = {"host": endpoint.netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(signed)
    canonical = "\n".join([method, path, query, *(f"{k}:{v}" for k, v in signed.items()), "", names, digest])
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = sign(b"AWS4" + env["AWS_SECRET_ACCESS_KEY"].encode(), *scope.split("/"))
    authorization = f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, " \
        f"Signature={sign(key, text).hex()}"
    c = http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=BOUND)
    try:
        c.request(method, path + ("?" + query if query else ""), body, {**signed, "Authorization": authorization})
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()


def get(key):
    """The bytes of an object, None if there is none"""
    status, body = request("GET", f"/{BUCKET}/{key}")
    return body if status == 200 else None


def elements(body, name):
    """The texts of an XML answer's elements of that name, whatever the namespace"""
    return [e.text for e in xml.etree.ElementTree.fromstring(body).iter() if e.tag.rpartition("}")[2] == name]


def keys():
    """The names of all objects"""
    status, body = request("GET", f"/{BUCKET}", "list-type=2&max-keys=1000")
    return elements(body, "Key") if status == 200 else []


def uploads():
    """The keys of open multipart uploads, None if the store does not list them"""
    status, body = request("GET", f"/{BUCKET}", "uploads=")
    return elements(body, "Key") if status == 200 and b"ListMultipartUploadsResult" in body else None


# The tools

def tool(*command, data=b"", env={}):
    """Exit status, output and messages"""
    p = subprocess.run(command, input=data, capture_output=True, timeout=BOUND, env={**os.environ, **env})
    if p.returncode:
        err = p.stderr.decode(errors="replace").strip().replace("\n", " | ")
        say(*(c[:40] for c in command), "exits", p.returncode, err if len(err) < 400 else err[:150] + "..." + err[-200:])
    return p.returncode, p.stdout, p.stderr.decode(errors="replace")


def step(table, ids):
    """A step of bare rows"""
    return "".join(f'{{"id":{i},"text":"{table} {i}"}}\n' for i in ids).encode()


def framed(ids):
    """A step with a frame, as --delta wants it"""
    columns = '[{"name":"id","type":"int8"},{"name":"text","type":"text"}]'
    return (b'{"@table":"t","columns":' + columns.encode() + b',"key":["id"],"mode":"changes"}\n' + step("t", ids) +
            b'{"@state":{"at":%d}}\n{"@end":{"rows":{"t":%d}}}\n' % (ids[-1], len(ids)))


def ids_of(stream):
    return [json.loads(line)["id"] for line in stream.splitlines() if line.startswith(b'{"id"')]


def race(url, streams, *options):
    """Several s3-put at once, whose input ends in the same moment, when all have looked at the lake"""
    writers = [subprocess.Popen(["s3-put", *options, url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE) for _ in streams]
    for w, stream in zip(writers, streams):
        w.stdin.write(stream)
        w.stdin.flush()
    time.sleep(0.1)
    with concurrent.futures.ThreadPoolExecutor(len(writers)) as pool:
        ends = list(pool.map(lambda w: w.communicate(timeout=BOUND)[1].decode(), writers))
    return [(w.returncode, e) for w, e in zip(writers, ends)]


REFUSAL = re.compile(r"If-None-Match|conditional")


def races_on(url, stream, *options):
    """RACES races of two writers on one lake; how many steps are in it that should be, or a verdict"""
    done, lost, wrong, refused = [], [], [], ""
    for n in range(RACES):
        pair = [[2 * n], [2 * n + 1]]
        for ids, (rc, err) in zip(pair, race(url, [stream(i) for i in pair], *options)):
            if rc == 0:
                done += ids
            elif REFUSAL.search(err) and rc == 1:
                refused = err
            elif rc != 73:
                wrong.append(rc)
                say("a writer exits", rc, err.strip()[:300])
        if refused:
            break
    rc, out, err = tool("s3-get", url)
    there = ids_of(out)
    lost = sorted(set(done) - set(there))
    more = sorted(i for i in there if i not in done or there.count(i) > 1)
    say(f"{RACES} races: {len(done)} writers exit 0, {len(lost)} of their steps are lost, {len(more)} are there "
        f"though their writer exits 73, codes {sorted(set(wrong))}")
    if refused and not done:
        say(refused.strip())
        return "refused: ignores If-None-Match", done
    if lost:
        return f"FAILS: {len(lost)} of {len(done)} committed steps are lost", done
    if more or rc:
        return f"FAILS: s3-get exits {rc}, steps that are none: {more}", done
    if wrong or not done:
        return f"FAILS: writers exit {sorted(set(wrong))}", done
    return "holds", done


# The cells

def races():
    """Two writers of the same step: one commits it, the other exits 73, and nothing is lost"""
    return races_on(f"s3://{BUCKET}/races/", lambda i: step("t", i), "--table", "t")[0]


def delta_rows(prefix, table):
    """The ids of a Delta table, read by deltalake from a copy of what the store has"""
    import deltalake
    with tempfile.TemporaryDirectory() as copy:
        marker = ""
        while True:
            status, body = request("GET", f"/{BUCKET}", "list-type=2&max-keys=1000&prefix=" +
                                      urllib.parse.quote(f"{prefix}{table}/", safe="") +
                                      (f"&start-after={urllib.parse.quote(marker, safe='')}" if marker else ""))
            found = elements(body, "Key")
            for key in found:
                path = f"{copy}/{key.removeprefix(prefix)}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(get(key))
            if len(found) < 1000:
                break
            marker = found[-1]
        return deltalake.DeltaTable(f"{copy}/{table}").to_pyarrow_table()["id"].to_pylist()


def delta():
    """Two writers with --delta: the Delta table has the rows of every step once"""
    verdict, done = races_on(f"s3://{BUCKET}/delta/", framed, "--delta")
    if verdict != "holds":
        return verdict
    # what a loser saw of the winner's step is published at the latest by the next run
    last = 2 * RACES + 1
    rc, _, _ = tool("s3-put", "--delta", f"s3://{BUCKET}/delta/", data=framed([last]))
    rows = delta_rows("delta/", "t")
    if rc or sorted(rows) != sorted(done + [last]):
        return f"FAILS: exits {rc}, {len(rows)} rows in the Delta table, {len(done) + 1} in the lake"
    return "holds"


def replaced():
    """An object that is replaced while s3-get reads it: the old one, or exit 75, never some of both"""
    size, ends = 24 << 20, {}
    old, new = b"o" * size, b"n" * size
    for what, other in (("same length", new), ("longer", new + new), ("shorter", new[:size // 2])):
        status = request("PUT", f"/{BUCKET}/replaced", body=old)[0]
        reader = subprocess.Popen(["s3-get", f"s3://{BUCKET}/replaced"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        got = reader.stdout.read(1 << 20)
        time.sleep(0.3)
        status += request("PUT", f"/{BUCKET}/replaced", body=other)[0]
        rest, err = reader.communicate(timeout=BOUND)
        whole = got + rest == old
        ends[what] = (reader.returncode, "old" if whole else "mixed" if b"n" in rest else "short")
        say(what, "puts", status, ends[what], f"{len(got + rest)} of {size} bytes", err.decode().strip()[:200])
        if status != 400:
            return "FAILS: the store refuses a PUT of 24 MiB"
    if bad := {w: e for w, e in ends.items() if e not in ((0, "old"),) and e[0] != 75}:
        return "FAILS: " + "; ".join(f"{w}: exit {rc}, {e}" for w, (rc, e) in bad.items())
    return "holds"


ODD = ["a b", "a+b", "a%41b", "a%2Fb", "äöü/日本", "emoji \U0001f600", "q?x=1&y=2", "hash#tag", "semi;colon", "quote'\"",
       "star*[x]{y}", "back\\slash", "tilde~", "a//b", "a/./b", "a/../b", ".", "..dots..", "trailing.", " lead", "trail ",
       "col:on", "at@key", "eq=ual/x=1", "comma,dollar$", "<xml>&amp;", "pipe|caret^", "x" * 200, "deep/" * 40 + "x",
       "Case", "case", "tab\there", "y" * 900]


def odd_keys():
    """Objects of odd names: each is there under that name and no other, or refused"""
    refused, bad, there = [], [], {}
    for n, key in enumerate(ODD):
        data = f"object {n}\n".encode()
        rc, _, err = tool("s3-put", f"s3://{BUCKET}/odd/{key}", data=data)
        if rc in (1, 2) or rc == 75 and "(HTTP 500)" in err:
            refused.append(key)
        elif rc == 75 and "connect" in err:
            return f"server: ends itself at {key[:20]!r}"
        elif rc:
            bad.append(f"{key[:20]!r} exits {rc}")
        else:
            there[key] = data
    listed = [k.removeprefix("odd/") for k in keys() if k.startswith("odd/")]
    joined = []
    for key, data in there.items():
        rc, out, _ = tool("s3-get", f"s3://{BUCKET}/odd/{key}")
        if (rc, out) == (0, data) and key in listed:
            continue
        if (out if rc == 0 else None) == get(f"odd/{key}"):
            joined.append(key)
        else:
            bad.append(f"{key[:20]!r} is read as {out[:20]!r}, exit {rc}")
    say("listed, but not put:", sorted(set(listed) - set(there)))
    names = lambda some: " ".join(repr(k if len(k) < 20 else k[:9] + "...") for k in some)
    if bad:
        return "FAILS: " + "; ".join(bad)
    if joined:
        return "server: has others for " + names(joined) + (", refuses " + names(refused) if refused else "")
    return "holds" + (", refuses " + names(refused) if refused else "")


def large():
    """200 MiB that come back, in bounded memory"""
    size, block = 200 << 20, bytes(range(256)) * 4096
    digest = hashlib.sha256()
    put = subprocess.Popen(["s3-put", f"s3://{BUCKET}/large"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for n in range(size // len(block)):
        piece = n.to_bytes(8, "big") + block[8:]
        digest.update(piece)
        put.stdin.write(piece)
    put.stdin.close()
    rc = put.wait(timeout=BOUND)
    back = hashlib.sha256()
    reader = subprocess.Popen(["s3-get", f"s3://{BUCKET}/large"], stdout=subprocess.PIPE)
    while piece := reader.stdout.read(1 << 20):
        back.update(piece)
    rcs = rc, reader.wait(timeout=BOUND)
    if rcs != (0, 0) or back.digest() != digest.digest():
        return f"FAILS: exits {rcs}, {'the same' if back.digest() == digest.digest() else 'other'} bytes"
    return "holds"


def sigterm():
    """SIGTERM in an upload of parts: no object, and no upload left"""
    listed = uploads()
    put = subprocess.Popen(["s3-put", f"s3://{BUCKET}/half"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    put.stdin.write(b"h" * (30 << 20))
    put.stdin.flush()
    end = time.monotonic() + 20
    while listed is not None and "half" not in (uploads() or []) and time.monotonic() < end:
        time.sleep(0.1)
    opened = "half" in (uploads() or [])
    time.sleep(0.5)
    put.send_signal(signal.SIGTERM)
    err = put.communicate(timeout=BOUND)[1].decode()
    left = uploads()
    say("exit", put.returncode, "open before", opened, "left", left, err.strip())
    if get("half") is not None or "half" in keys():
        return "FAILS: half an object"
    if put.returncode != -signal.SIGTERM:
        return f"FAILS: exits {put.returncode}"
    if left and "half" in left:
        return "FAILS: an upload is left"
    if listed is None:
        return "holds, does not list uploads"
    return "holds" if opened else "holds, does not list an open upload"


def wrong_key():
    """A secret that is wrong, and a key that nobody has: exit 77, for both tools and a lake"""
    tool("s3-put", f"s3://{BUCKET}/there", data=b"there\n")
    taken, codes = [], {}
    for what, env in (("secret", {"AWS_SECRET_ACCESS_KEY": "wrong/" + "x" * 34}), ("key", {"AWS_ACCESS_KEY_ID": "NOBODYSKEY0000000001"})):
        found = {"put": tool("s3-put", f"s3://{BUCKET}/wrong", data=b"x", env=env)[0],
                 "get": tool("s3-get", f"s3://{BUCKET}/there", env=env)[0],
                 "lake": tool("s3-put", "--table", "t", f"s3://{BUCKET}/wrong{what}/", data=step("t", [1]), env=env)[0]}
        if set(found.values()) == {0} and request("GET", f"/{BUCKET}/there", env=env)[0] == 200:
            taken.append(what)
        else:
            codes |= {f"{tool}, wrong {what}": rc for tool, rc in found.items()}
    if set(codes.values()) - {77}:
        return "FAILS: " + ", ".join(f"{w}: {c}" for w, c in codes.items() if c != 77)
    return f"server: takes any {' and any '.join(taken)}" if taken else "holds"


def lost(fault, command, data):
    """A command through a proxy that loses an answer"""
    with tempfile.TemporaryDirectory() as folder:
        server = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
        proxy = subprocess.Popen([sys.executable, f"{HERE}/../lib/proxy.py", f"{folder}/port", server, fault],
                                 stdout=subprocess.PIPE)
        try:
            end = time.monotonic() + 20
            while not (os.path.exists(f"{folder}/port") and os.path.getsize(f"{folder}/port")):
                assert time.monotonic() < end, "no proxy"
                time.sleep(0.02)
            with open(f"{folder}/port") as f:
                rc, _, err = tool(*command, data=data, env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{f.read().strip()}"})
        finally:
            proxy.terminate()
            happened = proxy.communicate()[0]
    assert happened.strip(), f"{fault} did not happen"
    return rc, err


def lost_answer():
    """The answer to the last request of an upload, and to a commit, is lost: the work is done and known to be"""
    data = b"l" * (20 << 20)
    rc, err = lost("cut:down:0:1:POST [^ ]*uploadId", ["s3-put", f"s3://{BUCKET}/lost"], data)
    whole = get("lost") == data
    if rc or not whole:
        return f"FAILS: exits {rc}, the object is {'whole' if whole else 'not there'}: {err.strip()[:160]}"
    rc, err = lost("cut:down:0:1:PUT [^ ]*_commits", ["s3-put", "--table", "t", f"s3://{BUCKET}/lostlake/"], step("t", [1]))
    if rc == 1 and REFUSAL.search(err):
        return "holds, for single objects"
    ids = ids_of(tool("s3-get", f"s3://{BUCKET}/lostlake/")[1])
    if rc or ids != [1]:
        return f"FAILS: the commit exits {rc}, the lake has {ids}"
    if left := uploads():
        return f"FAILS: uploads left: {left}"
    return "holds"


# odd keys come last: one of them ends s3rver
CELLS = {"races": races, "delta": delta, "if-match": replaced, "large": large, "sigterm": sigterm, "wrong-key": wrong_key,
         "lost-answer": lost_answer, "odd-keys": odd_keys}


def main(names):
    status, body = request("PUT", f"/{BUCKET}")
    assert status in (200, 409), (status, body)
    for name in names or CELLS:
        say(f"{name}:", CELLS[name].__doc__)
        start = time.monotonic()
        try:
            verdict = CELLS[name]()
        except Exception as e:
            verdict = f"FAILS: {type(e).__name__}: {e}"
        say(f"{time.monotonic() - start:.1f} s")
        print(f"{name}: {verdict}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
