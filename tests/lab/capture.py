#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A small pcapng reader: enough to walk the frames of a merged capture, nothing shared with ours.

usage: capture.py IN OUT        copies without the names of the machine that captured
"""
import struct
import sys

SHB, IDB, ISB, EPB = 0x0A0D0D0A, 1, 5, 6
ETHERNET, RAW_IP, SLL2 = 1, 101, 276


class Frame:
    """One captured frame; number counts from 1 as Wireshark does."""

    __slots__ = ("number", "point", "link", "time_ns", "data", "wire_len")

    def __init__(self, number, point, link, time_ns, data, wire_len):
        self.number, self.point, self.link = number, point, link
        self.time_ns, self.data, self.wire_len = time_ns, data, wire_len


def options(order, body):
    """The (code, value) pairs of a block's option list."""
    at = 0
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            return
        yield code, body[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def read(path):
    """All frames of the file in order. The point is the interface's if_name, else if<N>."""
    with open(path, "rb") as file:
        data = file.read()
    order, interfaces, frames, at = "<", [], [], 0
    while at + 12 <= len(data):
        if struct.unpack_from("<I", data, at)[0] == SHB:
            order = "<" if struct.unpack_from("<I", data, at + 8)[0] == 0x1A2B3C4D else ">"
            interfaces = []
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or at + length > len(data):
            raise ValueError(f"{path}: block at byte {at} does not end in the file")
        body = data[at + 8 : at + length - 4]
        if kind == IDB:
            link = struct.unpack_from(order + "H", body)[0]
            name, per_second = f"if{len(interfaces)}", 10**6
            for code, value in options(order, body[8:]):
                if code == 2:
                    name = value.decode().rstrip("\0")
                elif code == 9:
                    power = value[0] & 0x7F
                    per_second = 2**power if value[0] & 0x80 else 10**power
            interfaces.append((name, link, per_second))
        elif kind == EPB:
            which, high, low, captured, wire = struct.unpack_from(order + "IIIII", body)
            name, link, per_second = interfaces[which]
            time_ns = ((high << 32) | low) * 10**9 // per_second
            frames.append(Frame(len(frames) + 1, name, link, time_ns, body[20 : 20 + captured],
                                wire))
        at += length
    return frames


def without(order, body, fixed, unwanted):
    """A block's body without some of its options."""
    kept = body[:fixed]
    for code, value in options(order, body[fixed:]):
        if code not in unwanted:
            kept += struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return kept + (bytes(4) if len(kept) > fixed else b"")


def copy_anonymous(source, target):
    """Leaves out shb_hardware, shb_os, if_os, if_hardware and the statistics blocks."""
    with open(source, "rb") as file:
        data = file.read()
    out, at = [], 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8 : at + length - 4]
        at += length
        if kind == ISB:
            continue
        if kind == SHB:
            # The section's length may have been given; -1 says that it is not.
            body = without("<", body[:8] + b"\xff" * 8 + body[16:], 16, (2, 3))
        elif kind == IDB:
            body = without("<", body, 8, (12, 15))
        size = struct.pack("<I", len(body) + 12)
        out.append(struct.pack("<I", kind) + size + body + size)
    with open(target, "wb") as file:
        file.write(b"".join(out))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    copy_anonymous(*sys.argv[1:])
