# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers of the lab that take their time, as truth for who was slow.

slow.py web PORT            answers GET /...?SECONDS after so long
slow.py names ADDRESS SECONDS IPV4   answers every A query with IPV4, others with nothing
"""
import http.server
import socket
import struct
import sys
import threading
import time


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(float(self.path.partition("?")[2]))
        body = b"At last.\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def answer(query, address):
    """The response to a query of one question (RFC 1035, 4.1)."""
    end = query.index(b"\0", 12) + 5
    kind = struct.unpack_from("!H", query, end - 4)[0]
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
    found = kind == 1
    head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, int(found), 0, 0)
    return head + query[12:end] + (record if found else b"")


def names(listen, seconds, address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((listen, 53))
    while True:
        query, peer = sock.recvfrom(4096)
        # A and AAAA are asked for at once; each waits for itself.
        threading.Timer(seconds, sock.sendto, (answer(query, address), peer)).start()


if sys.argv[1] == "web":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Page).serve_forever()
names(sys.argv[2], float(sys.argv[3]), sys.argv[4])
