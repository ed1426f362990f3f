# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes of application protocols: DNS, TLS 1.2 and 1.3, HTTP/1 and HTTP/2.

Headers are real; what would be encrypted is reproducible noise of the right
size.  The first argument of functions that need noise is a key: any value
that tells one message from another.
"""
import struct

from hosts import content

# DNS (RFC 1035).

A, CNAME, AAAA, RCODE_NXDOMAIN = 1, 5, 28, 3


def dns_name(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def dns_query(ident, name, rtype=A):
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + dns_name(name) + \
        struct.pack("!HH", rtype, 1)


def dns_answer(query, *addresses, cname=None, rcode=0):
    """The answer to the bytes of a query: records of the type asked for; owner by pointer."""
    records = []
    owner = b"\xc0\x0c"
    if cname:
        target = dns_name(cname)
        records.append(owner + struct.pack("!HHIH", CNAME, 1, 300, len(target)) + target)
        owner = target
    for a in addresses:
        records.append(owner + struct.pack("!HHIH", A if len(a) == 4 else AAAA, 1, 300, len(a)) + a)
    return query[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(records), 0, 0) + \
        query[12:] + b"".join(records)


# TLS (RFC 5246, RFC 8446).

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
HRR_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def record(kind, body, version=0x0303):
    """Body as TLS records of at most 16384 bytes."""
    return b"".join(struct.pack("!BHH", kind, version, len(body[i:i + 16384])) +
                    body[i:i + 16384] for i in range(0, max(1, len(body)), 16384))


def sealed(key, size, kind=DATA, extra=17):
    """Encrypted records that hold `size` bytes of plain text: 16384 of it and `extra` at most."""
    out = b""
    while size > 0 or not out:
        take = min(16384, size)
        out += record(kind, content("sealed", key, len(out), size=take + extra))
        size -= take
    return out


def message(kind, body):
    return struct.pack("!I", kind << 24 | len(body)) + body


def extension(kind, body=b""):
    return struct.pack("!HH", kind, len(body)) + body


def client_hello(key, name="www.example.com", tls13=True, session=None, ticket=None, psk=False,
                 early=False, group=29, padding=0, first=True):
    """session: its identifier; ticket: bytes of a TLS 1.2 ticket; group: of the key share."""
    host = name.encode()
    exts = extension(0, struct.pack("!HBH", len(host) + 3, 0, len(host)) + host)
    exts += extension(10, struct.pack("!HHHH", 6, 29, 23, 24)) + extension(11, b"\1\0")
    exts += extension(13, struct.pack("!HHH", 4, 0x0403, 0x0804))
    if not tls13 or ticket is not None:
        exts += extension(35, ticket or b"")
    if tls13:
        exts += extension(43, b"\4\3\4\3\3") + extension(45, b"\1\1")
        share = content("share", key, group, size=32 if group == 29 else 65)
        exts += extension(51, struct.pack("!HHH", len(share) + 4, group, len(share)) + share)
    if padding:
        exts += extension(21, bytes(padding))
    if early:
        exts += extension(42)
    if psk:         # must be the last one
        identity, binder = content("identity", key, size=120), content("binder", key, size=32)
        exts += extension(41, struct.pack("!HH", 126, 120) + identity + bytes(4) +
                          struct.pack("!HB", 33, 32) + binder)
    if session is None:
        session = content("session", key, size=32) if tls13 else b""
    suites = struct.pack("!HHHH", 6, 0x1301, 0xC02F, 0xC030)
    body = b"\3\3" + content("client random", key, size=32) + bytes([len(session)]) + session + \
        suites + b"\1\0" + struct.pack("!H", len(exts)) + exts
    return record(HANDSHAKE, message(1, body), 0x0301 if first else 0x0303)


def server_hello(key, tls13=True, session=b"", psk=False, retry=None):
    """Without its record.  retry: the group that a HelloRetryRequest asks for."""
    exts = b""
    if retry is not None:
        exts = extension(51, struct.pack("!H", retry)) + extension(43, b"\3\4")
    elif tls13:
        share = content("server share", key, size=32)
        exts = extension(51, struct.pack("!HH", 29, 32) + share) + extension(43, b"\3\4")
        if psk:
            exts += extension(41, b"\0\0")
    else:
        exts = extension(65281, b"\0") + extension(35)
    body = b"\3\3" + (HRR_RANDOM if retry is not None else
                      content("server random", key, size=32)) + \
        bytes([len(session)]) + session + struct.pack("!HB", 0x1301 if tls13 else 0xC02F, 0) + \
        struct.pack("!H", len(exts)) + exts
    return message(2, body)


def ccs():
    return record(CCS, b"\1")


def finished12(key):
    """An encrypted TLS 1.2 Finished (AES-GCM): its record type is not hidden."""
    return record(HANDSHAKE, content("finished", key, size=40))


def server_flight12(key, session=b"", certificates=2600):
    """ServerHello, Certificate, ServerKeyExchange, ServerHelloDone."""
    chain = content("certificate", key, size=certificates)
    body = struct.pack("!I", len(chain) + 3)[1:] + struct.pack("!I", len(chain))[1:] + chain
    kex = b"\3\0\x1d\x20" + content("kex", key, size=32) + struct.pack("!HH", 0x0403, 70) + \
        content("signature", key, size=70)
    return b"".join(record(HANDSHAKE, m) for m in (
        server_hello(key, False, session), message(11, body), message(12, kex), message(14, b"")))


def client_flight12(key):
    """ClientKeyExchange, ChangeCipherSpec, Finished."""
    return record(HANDSHAKE, message(16, b"\x20" + content("cke", key, size=32))) + ccs() + \
        finished12((key, "c"))


def ticket12(key):
    """NewSessionTicket: still in clear."""
    return record(HANDSHAKE, message(4, struct.pack("!IH", 7200, 160) +
                                     content("ticket", key, size=160)))


def server_flight13(key, session, psk=False, certificates=2600):
    """ServerHello, ChangeCipherSpec, and the encrypted rest up to Finished."""
    rest = 6 + 36 if psk else 6 + certificates + 264 + 36
    return record(HANDSHAKE, server_hello(key, True, session, psk)) + ccs() + \
        sealed((key, "flight"), rest)


def retry13(key, session, group=29):
    """HelloRetryRequest, and the ChangeCipherSpec for middleboxes."""
    return record(HANDSHAKE, server_hello(key, True, session, retry=group)) + ccs()


def client_finished13(key, with_ccs=True):
    return (ccs() if with_ccs else b"") + sealed((key, "client finished"), 36)


def tickets13(key, count=2):
    return b"".join(sealed((key, "nst", i), 233) for i in range(count))


# HTTP/1 (RFC 9112).

def get(path="/", host="www.example.com", method="GET", headers=(), body=b""):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host, "User-Agent: sim/1", "Accept: */*"]
    lines += headers
    if body:
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def response(key, size, status="200 OK", headers=(), chunk=0, close=False):
    """Delimited by Content-Length, in chunks of that size, or by the end of the connection."""
    body = content("body", key, size=size)
    lines = ["HTTP/1.1 " + status, "Server: sim", "Content-Type: application/octet-stream"]
    lines += headers
    if chunk:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n" % len(body[i:i + chunk]) + body[i:i + chunk] + b"\r\n"
                        for i in range(0, size, chunk)) + b"0\r\n\r\n"
    elif close:
        lines.append("Connection: close")
    elif not status.startswith(("1", "204", "304")):
        lines.append("Content-Length: %d" % size)
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


# HTTP/2 (RFC 9113).

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
H2_DATA, H2_HEADERS, H2_SETTINGS, H2_WINDOW = 0, 1, 4, 8
END_STREAM, END_HEADERS = 1, 4


def h2_frame(kind, flags, stream, body=b""):
    return struct.pack("!I", len(body))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + body


def h2_settings(ack=False):
    return h2_frame(H2_SETTINGS, 1, 0) if ack else \
        h2_frame(H2_SETTINGS, 0, 0, struct.pack("!HIHI", 3, 100, 4, 1 << 20))


def h2_get(stream, path="/x"):
    """A HEADERS frame in HPACK without dynamic table: indexed and literal fields (RFC 7541)."""
    def literal(index, value):
        return bytes([index, len(value)]) + value.encode()      # without indexing: 0000 index
    block = b"\x82\x86" + literal(4, path) + literal(1, "www.example.com")
    return h2_frame(H2_HEADERS, END_HEADERS | END_STREAM, stream, block)


def h2_response(stream, key, size, frame=8192):
    """HEADERS with :status 200, and DATA to the end of the stream: a list of frames."""
    out = [h2_frame(H2_HEADERS, END_HEADERS, stream, b"\x88")]
    body = content("h2", key, stream, size=size)
    for i in range(0, size, frame):
        last = END_STREAM if i + frame >= size else 0
        out.append(h2_frame(H2_DATA, last, stream, body[i:i + frame]))
    return out
