#!/usr/bin/env python3
"""proxy.py PORTFILE HOST:PORT [FAULT ...] - a TCP proxy whose connections go wrong

PORTFILE gets the port it listens on, on 127.0.0.1. A FAULT is KIND:DIRECTION:BYTES:TIMES[:REGEX].
KIND is what happens: cut (both sides are closed), reset (so is the client's, by RST), stall (nothing is
passed on any more) or a number (neither is anything, and the client gets an answer of that status). It happens when BYTES went up (to the server) or down, in the connection or, with
a REGEX, since the last request whose first line matches it; and it happens TIMES times, 0 is always.
Each that happened is a line of standard output.
"""
import re
import socket
import struct
import sys
import threading
import time


class Fault:
    def __init__(self, text):
        self.text = text
        kind, direction, after, times, *regex = text.split(":", 4)
        self.kind, self.direction, self.after = kind, direction, int(after)
        self.left = int(times) or -1
        self.regex = re.compile(rb"^(?:%s)" % regex[0].encode(), re.M) if regex else None

    def take(self):
        with lock:
            if self.left == 0:
                return False
            self.left -= 1
            print(self.text, flush=True)
            return True


class Connection:
    def __init__(self, client, server):
        self.ends = {"up": (client, server), "down": (server, client)}
        self.passed = {f: 0 if not f.regex else None for f in faults}
        self.stalled = self.closed = False

    def start(self):
        for direction in self.ends:
            threading.Thread(target=self.pump, args=(direction,), daemon=True).start()

    def end(self, reset):
        client, server = self.ends["up"]
        with lock:
            if self.closed:
                return
            self.closed = True
        for s in (client, server):
            try:
                s.shutdown(socket.SHUT_RD if reset and s is client else socket.SHUT_RDWR)
            except OSError:
                pass
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(0.05)  # while the other thread waits in recv, close sends nothing
        client.close()
        server.close()

    def allowed(self, direction, data):
        """How many bytes of data may pass before a fault, and that fault"""
        for f in faults:
            if f.regex and direction == "up" and f.regex.search(data):
                self.passed[f] = 0
            if f.direction != direction or self.passed[f] is None:
                continue
            if self.passed[f] + len(data) >= f.after and f.take():
                return max(0, f.after - self.passed[f]), f
            self.passed[f] += len(data)
        return len(data), None

    def pump(self, direction):
        source, sink = self.ends[direction]
        try:
            while data := source.recv(65536):
                if self.stalled:
                    continue
                n, fault = self.allowed(direction, data)
                sink.sendall(data[:n])
                if fault and fault.kind.isdigit():
                    answer = "HTTP/1.1 %s Faulty\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    self.ends["up"][0].sendall((answer % fault.kind).encode())
                if fault and (fault.kind == "stall" or fault.kind.isdigit()):
                    self.stalled = True
                elif fault:
                    return self.end(fault.kind == "reset")
        except OSError:
            pass
        self.end(False)


lock = threading.Lock()
faults = [Fault(text) for text in sys.argv[3:]]
host, port = sys.argv[2].split(":")
listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1], "w") as f:
    f.write("%d\n" % listener.getsockname()[1])
while True:
    client, _ = listener.accept()
    try:
        Connection(client, socket.create_connection((host, int(port)))).start()
    except OSError:
        client.close()
