#!/usr/bin/env python3
"""hostile_s3.py PORTFILE BEHAVIOUR [TIMES [HOST:PORT]] - an S3 endpoint that means harm

PORTFILE gets the port it listens on, on 127.0.0.1. The first TIMES requests (0: all) are answered by
BEHAVIOUR, the others by the server at HOST:PORT, or by 404. The first line of every request, and its
x-amz-date, is a line of standard output. The behaviours are the functions below that have a text of their own.
"""
import socket
import sys
import threading
import time

DRIP_S = 0.2
SKEWED = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large</Message></Error>"


def answer(s, status="200 OK", body=b"", *headers):
    body = body.encode() if isinstance(body, str) else body
    lines = ["HTTP/1.1 " + status, *headers, "Content-Length: %d" % len(body), "Connection: close"]
    s.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def error(s, code, message=b"", status="400 Bad"):
    answer(s, status, b"<Error><Code>" + code + b"</Code><Message>" + message + b"</Message></Error>")


def for_ever(s, piece, pause=0.0):
    while True:
        s.sendall(piece)
        time.sleep(pause)


def date_overflow(s):
    "a Date whose year has ten digits"
    answer(s, "403 Forbidden", SKEWED, "Date: Fri, 24 May 2147483647 00:00:00 GMT")


def date_far(s):
    "a clock that is a thousand days ahead"
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 1000.5 * 86400))
    answer(s, "403 Forbidden", SKEWED, "Date: " + date)


def date_near(s):
    "a clock that is an hour ahead"
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
    answer(s, "403 Forbidden", SKEWED, "Date: " + date)


def drip_header(s):
    "a header without an end, a byte at a time"
    s.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for_ever(s, b"x", DRIP_S)


def drip_body(s):
    "a body that comes a byte at a time"
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    for_ever(s, b"{", DRIP_S)


def drip_chunks(s):
    "a chunked body that comes a byte at a time"
    s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for_ever(s, b"1\r\n{\r\n", DRIP_S)


def drip_continue(s):
    "100 Continue again and again"
    for_ever(s, b"HTTP/1.1 100 Continue\r\n\r\n", DRIP_S)


def flood_headers(s):
    "headers without an end"
    s.sendall(b"HTTP/1.1 200 OK\r\n")
    for_ever(s, b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(1000)))


def flood_continue(s):
    "100 Continue with headers, without an end"
    for_ever(s, b"HTTP/1.1 100 Continue\r\nX: %s\r\n\r\n" % (b"x" * 1000))


def flood_body(s):
    "a chunked body without an end"
    s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for_ever(s, b"10000\r\n" + b"{" * 65536 + b"\r\n")


def flood_error(s):
    "an error document without an end"
    s.sendall(b"HTTP/1.1 400 Bad\r\n\r\n<Error><Code>")
    for_ever(s, b"A" * 65536)


def endless_object(s, range_):
    "every range is there and full"
    first, last = (int(n) for n in range_.split("=")[1].split("-"))
    answer(s, "206 Partial Content", b" " * (last - first + 1), 'ETag: "x"',
           "Content-Range: bytes %d-%d/%d" % (first, last, 1 << 50))


def short_body(s):
    "less than Content-Length says"
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}")


def two_lengths(s):
    "two that differ, one of them negative"
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nContent-Length: 99999999999999999999\r\n\r\n{}")


def redirect(s):
    "to a file of this machine"
    answer(s, "302 Found", b"", "Location: file:///etc/passwd")


def forged_line(s):
    "a message with a second line, signs that steer a terminal and bytes that are no UTF-8"
    error(s, b"Bad\nThing", b"x\r\ns3-get: error: forged\x1b]0;title\x07\x1b[2J\xc2\x9b31m\xe2\x80\xae\xff\x7fend")


def long_message(s):
    "half a megabyte of it"
    error(s, b"B" * 100000, b"m" * 400000)


def userinfo(s):
    "a message with a URL and its password"
    error(s, b"Bad", b"see http://user:secret@host/x and postgresql://me:pw@db/shop")


def token_xml(s, line):
    "an ETag and an upload's id that are XML"
    if b"POST" in line:
        answer(s, "200 OK", "<UploadId>a&lt;b\n</UploadId>")
    else:
        answer(s, "200 OK", b"", 'ETag: "</ETag><PartNumber>"')


def late_error(s):
    "503 for ever"
    answer(s, "503 Slow", b"<Error><Code>SlowDown</Code></Error>")


def elsewhere(s):
    "307 to another place for a while"
    answer(s, "307 Temporary Redirect", b"<Error><Code>TemporaryRedirect</Code></Error>", "Location: http://127.0.0.1:1/")


def conflict(s):
    "409, whatever is asked for"
    error(s, b"OperationAborted", status="409 Conflict")


def no_http(s):
    "the greeting of another kind of server"
    s.sendall(b"220 mail.example.com ESMTP\r\n")


def hold(s):
    "no answer at all"
    time.sleep(3600)


def read_request(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            return None, None
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    headers = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        headers[name.strip().lower().decode()] = value.strip().decode()
    left = int(headers.get("content-length", 0)) - len(body)
    while left > 0 and (more := s.recv(min(left, 65536))):
        body += more
        left -= len(more)
    return head + b"\r\n\r\n" + body, headers


def forward(s, request):
    host, port = behind.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as server:
        server.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        while data := server.recv(65536):
            s.sendall(data)


def serve(s):
    global left
    with s:
        try:
            request, headers = read_request(s)
            if not request:
                return
            line = request.split(b"\r\n", 1)[0]
            with lock:
                print(line.decode(), headers.get("x-amz-date"), flush=True)
                mine = left != 0
                left -= left > 0
            if not mine:
                return forward(s, request) if behind else answer(s, "404 Not Found")
            if behaviour is endless_object:
                return behaviour(s, headers.get("range", "bytes=0-0"))
            if behaviour is token_xml:
                return behaviour(s, line)
            behaviour(s)
        except OSError:
            pass


lock = threading.Lock()
behaviour = globals()[sys.argv[2]]
left = int(sys.argv[3]) if len(sys.argv) > 3 else 0
left = left or -1
behind = sys.argv[4] if len(sys.argv) > 4 else ""
listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1], "w") as f:
    f.write("%d\n" % listener.getsockname()[1])
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
