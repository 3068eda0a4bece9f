#!/usr/bin/env python3
"""weak_s3.py PORTFILE [FLAW ...] - a small S3 server in memory with the flaws of real ones

PORTFILE gets the port it listens on, on 127.0.0.1. Every request's method, path and If-None-Match, and
the status that it got, is a line of standard output. Any key pair may do anything, and any bucket is there. The flaws are:

web             no S3 at all: every answer is a page that says 404
no-user         no access key is known, which is said by 404 (versitygw)
page-later      once a PUT was refused, a proxy in front answers a GET of its key by its own page of 404
ignores         If-None-Match has no effect (Garage, s3rver)
late            of two that put a commit record on that condition both are told 200, and the other's stays (s3s-fs)
no-if-match     If-Match has no effect (gofakes3, s3s-fs, s3rver)
short-206       a range beyond 1 MiB ends there, as Content-Range says
cut-206         the answer to a range has no Content-Length and is cut after 1 MiB
cut-200         ranges are not known, and an answer is cut so
lost-answer     a completed upload's answer is lost; completing it again is 404 (MinIO, Garage, gofakes3),
again-403       or 403 (s3s-fs),
again-500       or 500 (s3rver)
md5-tag         the ETag of what was uploaded in parts is the MD5 of all (gofakes3, s3rver)
lost-upload     an upload that is to be completed is lost, and the connection, too
refuses         every conditional PUT is answered 412, also where the key is absent (radosgw 16)
"""
import hashlib
import re
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB = 1 << 20
PAGE = b"<html><body><h1>404 Not Found</h1></body></html>"


def quoted_md5(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        with lock:
            print(self.command, self.path, self.headers.get("If-None-Match", "-"), status, flush=True)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        cut = {206: "cut-206", 200: "cut-200"}.get(status) in flaws and self.command == "GET"
        self.send_header("Connection", "close") if cut else self.send_header("Content-Length", len(body))
        self.end_headers()
        self.wfile.write(body[:MIB] if cut else body)
        self.close_connection |= cut

    def error(self, status, code):
        self.answer(status, b"<Error><Code>%s</Code><Message>as told</Message></Error>" % code.encode())

    def handle_one(self):
        path, _, query = self.path.partition("?")
        self.key = urllib.parse.unquote(path)
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "web" in flaws:
            return self.answer(404, PAGE, Content_Type="text/html")
        if "no-user" in flaws:
            return self.error(404, "XAdminUserNotFound")
        getattr(self, "s3_" + self.command.lower())()

    do_GET = do_PUT = do_POST = do_DELETE = handle_one

    def log_message(self, *args):
        pass

    def s3_get(self):
        with lock:
            data = objects.get(self.key)
        if "page-later" in flaws and self.key in refusals:
            return self.answer(404, PAGE, Content_Type="text/html")
        if data is None:
            return self.error(404, "NoSuchKey")
        tag = tags.get(self.key, quoted_md5(data))
        if self.headers.get("If-Match", tag) != tag and "no-if-match" not in flaws:
            return self.error(412, "PreconditionFailed")
        asked = re.match(r"bytes=(\d+)-(\d+)$", self.headers.get("Range", ""))
        if not asked or "cut-200" in flaws:
            return self.answer(200, data, ETag=tag)
        first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
        if first >= len(data):
            return self.error(416, "InvalidRange")
        if "short-206" in flaws:
            last = min(last, first + MIB - 1)
        self.answer(206, data[first:last + 1], ETag=tag, Content_Range="bytes %d-%d/%d" % (first, last, len(data)))

    def s3_post(self):
        if "uploads" in self.query:
            return self.create_upload()
        with lock:
            parts = uploads.pop(self.query["uploadId"], None)
            if parts is not None:
                if "lost-upload" not in flaws:
                    objects[self.key] = b"".join(parts[n] for n in sorted(parts))
                    sums = b"".join(hashlib.md5(parts[n]).digest() for n in sorted(parts))
                    if "md5-tag" not in flaws:
                        tags[self.key] = '"%s-%d"' % (hashlib.md5(sums).hexdigest(), len(parts))
        if parts is None and "again-403" in flaws:
            return self.error(403, "AccessDenied")
        if parts is None:
            return self.error(500, "InternalError") if "again-500" in flaws else self.error(404, "NoSuchUpload")
        if "lost-answer" in flaws or "lost-upload" in flaws:
            self.close_connection = True
            return
        self.answer(200, b"<CompleteMultipartUploadResult/>")

    def create_upload(self):
        with lock:
            id = "id%d" % (len(ids) + 1)
            ids[id] = self.key
            uploads[id] = {}
        self.answer(200, b"<UploadId>%s</UploadId>" % id.encode())

    def s3_delete(self):
        with lock:
            uploads.pop(self.query["uploadId"], None)
        self.answer(204)

    def s3_put(self):
        if "uploadId" in self.query:
            with lock:
                uploads[self.query["uploadId"]][int(self.query["partNumber"])] = self.body
            return self.answer(200, ETag=quoted_md5(self.body))
        conditional = "If-None-Match" in self.headers
        with lock:
            there = self.key in objects
            refused = conditional and (there and "ignores" not in flaws or "refuses" in flaws)
            if not refused:
                tags.pop(self.key, None)
                late = "late" in flaws and conditional and not re.search("/0+[.]json$", self.key)
                objects[self.key] = self.body.replace(b"T", b"t") if late else self.body
            refusals.update([self.key] if refused else [])
        if refused:
            return self.error(412, "PreconditionFailed")
        self.answer(200, ETag=quoted_md5(self.body))


lock = threading.Lock()
objects = {}
tags = {}  # of objects that were uploaded in parts
refusals = set()
uploads = {}  # open ones: the parts by their numbers
ids = {}      # of all uploads: the keys
flaws = sys.argv[2:]
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as f:
    f.write("%d\n" % server.server_port)
server.serve_forever()
