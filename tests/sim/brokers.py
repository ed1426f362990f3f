# SPDX-License-Identifier: GPL-2.0-or-later
"""Trailers of packet brokers: (frame, nanoseconds since the epoch) -> frame as the tool sees it.

A frame that came over a wire has been padded to 60 bytes.
"""
import struct
import zlib

from net import SEC


def padded(frame):
    return frame + b"\0" * max(0, 60 - len(frame))


def fcs(frame):
    return struct.pack("<I", zlib.crc32(frame))


def with_fcs(trailer):
    def make(frame, ns):
        frame = trailer(frame, ns)
        return frame + fcs(frame)
    return make


def metamako(device, port, ahead=0, extension=b"", flags=1):
    def make(frame, ns):
        frame = padded(frame)
        ns += ahead
        return frame + fcs(frame) + extension + struct.pack(
            "!IIBHB", ns // SEC, ns % SEC, flags | (2 if extension else 0), device, port)
    return make


def exablaze(device, port, ahead=0):
    def make(frame, ns):
        frame = padded(frame)
        ns += ahead
        fraction = (ns % SEC << 40) // SEC
        return frame + fcs(frame) + struct.pack("!BBI", device, port, ns // SEC) + \
            fraction.to_bytes(5, "big") + b"\0"
    return make


def vss(port, width=1, clock=3, ahead=0):
    """clock: 0 not synchronised, 1 NTP, 2 GPS, 3 PTP."""
    def make(frame, ns):
        ns += ahead
        return padded(frame) + struct.pack("!II", ns // SEC, ns % SEC | clock << 30) + \
            port.to_bytes(width, "big")
    return make


def fields(signature, *tlvs):
    body = b"".join(struct.pack("!BB", kind, len(value)) + value for kind, value in tlvs)
    body += struct.pack("!BH", len(body), signature)
    words = struct.unpack("!%dH" % ((len(body) + 1) // 2), body + b"\0" * (len(body) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return body + struct.pack("!H", ~total & 0xFFFF)


def gigamon(port, kind=4, ahead=0):
    """kind of the clock: 3 local, 4 NTP, 5 external."""
    def make(frame, ns):
        ns += ahead
        return padded(frame) + fields(0x22E5, (2, port.to_bytes(3, "big")),
                                      (kind, struct.pack("!II", ns // SEC, ns % SEC)))
    return make


def ixia(kind=6, ahead=0):
    def make(frame, ns):
        ns += ahead
        return padded(frame) + fields(0xAF12, (1, struct.pack("!H", len(frame))),
                                      (kind, struct.pack("!II", ns // SEC, ns % SEC)))
    return make


def at_random(rng, length=16):
    """What is no trailer: bytes of somebody's memory."""
    def make(frame, ns):
        return padded(frame) + b"".join(struct.pack("!Q", rng.next()) for _ in range(4))[:length]
    return make
