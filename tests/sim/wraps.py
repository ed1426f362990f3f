# SPDX-License-Identifier: GPL-2.0-or-later
"""Other link layers than Ethernet: (frame, stamp) -> frame as such a capture shows it."""
import struct


def cooked(frame, _):
    """Linux cooked v1, LINKTYPE_ 113: received by this host."""
    return struct.pack("!HHH6sH", 0, 1, 6, frame[6:12], 0) + frame[12:]


def cooked2(ifindex):
    """Linux cooked v2, LINKTYPE_ 276: an interface of `tcpdump -i any`."""
    def wrap(frame, _):
        return frame[12:14] + struct.pack("!HIHBB6sH", 0, ifindex, 1, 0, 6, frame[6:12], 0) + \
            frame[14:]
    return wrap


def raw(frame, _):
    """Raw IP, LINKTYPE_ 101: an IP packet, whatever was before it."""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return frame[at + 2:]


def ppp(frame, _):
    """PPP, LINKTYPE_ 9."""
    return b"\xff\x03" + (b"\0\x21" if frame[12:14] == b"\x08\0" else b"\0\x57") + frame[14:]


def loopback(frame, _):
    """BSD loopback, LINKTYPE_ 0."""
    return struct.pack("<I", 2 if frame[12:14] == b"\x08\0" else 30) + frame[14:]


LINKS = {"cooked": (113, cooked), "raw": (101, raw), "ppp": (9, ppp), "loopback": (0, loopback)}


def link(point, kind):
    """Makes a point's frames be of another link type."""
    point.link, point.wrap = LINKS[kind]
