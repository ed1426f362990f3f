#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An independent, slow and obvious matcher for captures that were all taken under one kernel.

It knows what a correlator does not: every tap read the same clock, the kernels keep the IP
identification and no two transmissions in flight look alike. So a packet is keyed by IP ID and
layer 4 content without addresses, ports, TTL and checksums; sightings of a key within 100 ms of
each other are one packet. Its answer is a reference to compare with, good for the lab only.

usage: oracle.py [--mss N] MERGED.pcapng > packets.tsv
columns: packet, protocol, unique (1: the key occurs once), after>before>... as point:frame words
"""
import argparse
import hashlib
import struct
import sys

import capture

# No path in the lab takes this long, and retransmissions keep a longer distance (RTO >= 200 ms).
GAP_NS = 100_000_000
VXLAN_PORT = 4789


class Packet:
    """One transmission: its key, its sightings in time order, and an example of its headers."""

    __slots__ = ("number", "protocol", "unique", "sightings", "info")

    def __init__(self, protocol, info):
        self.number, self.protocol, self.unique = 0, protocol, True
        self.sightings, self.info = [], info

    def points(self):
        return [point for point, _ in self.sightings]

    def frames(self):
        return [frame for _, frame in self.sightings]


def digest(data):
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def network_layer(frame):
    """(point, ethertype, bytes) behind the link header. Cooked frames: a point per ifindex."""
    data, point = frame.data, frame.point
    if frame.link == capture.SLL2:
        ethertype, _, ifindex = struct.unpack_from("!HHI", data)
        return f"{point}/if{ifindex}", ethertype, data[20:]
    if frame.link == capture.RAW_IP:
        return point, 0x0800, data
    ethertype, data = struct.unpack_from("!H", data, 12)[0], data[14:]
    while ethertype in (0x8100, 0x88A8):
        ethertype, data = struct.unpack_from("!H", data, 2)[0], data[4:]
    return point, ethertype, data


def innermost(ethertype, data):
    """Peels VXLAN (RFC 7348): the lab's only tunnel."""
    while ethertype == 0x0800 and data[9] == 17 and len(data) > 50:
        header = (data[0] & 15) * 4
        if struct.unpack_from("!H", data, header + 2)[0] != VXLAN_PORT:
            break
        inner = data[header + 16 :]
        ethertype, data = struct.unpack_from("!H", inner, 12)[0], inner[14:]
    return ethertype, data


def tcp_pieces(ip_id, segment, mss):
    """A super-segment's pieces as the network would cut them: (key, info) each.

    Kernels count the IP ID up by one per piece and leave acknowledgement and options equal, so a
    piece's key is the same whether it travelled alone or inside a super-segment. PSH and FIN
    belong to the last piece only.
    """
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", segment)
    header = (offset >> 4) * 4
    payload, option_bytes = segment[header:], segment[20:header]
    info = {"protocol": "tcp", "src_port": sport, "dst_port": dport, "flags": flags & 0x3F,
            "payload": len(payload)}
    at, pieces = 0, []
    while True:
        piece = payload[at : at + mss]
        last = at + mss >= len(payload)
        own = flags & 0x3F if last else flags & 0x36
        # Of merged pieces GRO keeps the first window and the last PSH: data is told apart by the
        # rest.
        if piece:
            own, window = own & ~0x08, None
        key = ("tcp", (ip_id + len(pieces)) & 0xFFFF if ip_id else 0, (seq + at) & 0xFFFFFFFF,
               ack, own, window, digest(option_bytes), digest(piece))
        pieces.append((key, info))
        at += mss
        if last:
            return pieces


def icmp_key(ip_id, message):
    """ICMP without what NAT rewrites: the echo identifier, and in errors the quoted addresses."""
    kind, code = message[0], message[1]
    info = {"protocol": "icmp", "type": kind, "code": code}
    if kind in (0, 8):
        info["src_port"], info["seq"] = struct.unpack_from("!HH", message, 4)
        return ("icmp", ip_id, kind, info["seq"], digest(message[8:])), info
    quoted = message[8:]
    header = (quoted[0] & 15) * 4
    inner_id = struct.unpack_from("!H", quoted, 4)[0]
    # Of the quoted layer 4 header: the bytes behind ports (or type and checksum).
    return ("icmp", ip_id, kind, code, inner_id, quoted[9], digest(quoted[header + 6 : header + 8])
            if quoted[9] == 1 else digest(quoted[header + 4 : header + 6])), info


def keys_of(frame, mss):
    """(point, [(key, info), ...]): one entry per packet in the frame."""
    point, ethertype, data = network_layer(frame)
    ethertype, data = innermost(ethertype, data)
    if ethertype != 0x0800:
        return point, [((f"eth{ethertype:04x}", digest(data[:28])), {"protocol": "other"})]
    total, ip_id, fragment = struct.unpack_from("!HHH", data, 2)
    header, protocol = (data[0] & 15) * 4, data[9]
    source, destination = data[12:16], data[16:20]
    # Super-segments that are larger than 64 KiB carry 0 here; the capture's end is then theirs.
    l4 = data[header:total] if total else data[header:]
    if fragment & 0x3FFF:
        entry = (("frag", ip_id, fragment, protocol, digest(l4)), {"protocol": "fragment"})
        entries = [entry]
    elif protocol == 6:
        entries = tcp_pieces(ip_id, l4, mss)
    elif protocol == 17:
        sport, dport, length = struct.unpack_from("!HHH", l4)
        entries = [(("udp", ip_id, length, digest(l4[8:])),
                    {"protocol": "udp", "src_port": sport, "dst_port": dport})]
    elif protocol == 1:
        entries = [icmp_key(ip_id, l4)]
    else:
        entries = [((f"ip{protocol}", ip_id, digest(l4)), {"protocol": "other"})]
    for _, info in entries:
        info["src"] = ".".join(map(str, source))
        info["dst"] = ".".join(map(str, destination))
        info["ttl"] = data[8]
    return point, entries


def cluster(sightings):
    """Cuts one key's sightings, in time order, where a point repeats or time jumps."""
    group, seen, last = [], set(), None
    for time_ns, point, frame, info in sightings:
        if group and (point in seen or time_ns - last > GAP_NS):
            yield group
            group, seen = [], set()
        group.append((point, frame, info))
        seen.add(point)
        last = time_ns
    if group:
        yield group


def match(frames, mss=1448):
    """All packets, ordered by first frame."""
    by_key, order = {}, {}
    for frame in frames:
        point, entries = keys_of(frame, mss)
        for key, info in entries:
            by_key.setdefault(key, []).append((frame.time_ns, point, frame.number, info))
            order.setdefault(key, len(order))
    packets = []
    for key in sorted(by_key, key=order.get):
        groups = list(cluster(sorted(by_key[key], key=lambda s: (s[0], s[2]))))
        for group in groups:
            packet = Packet(group[0][2]["protocol"], group[0][2])
            packet.sightings = [(point, frame) for point, frame, _ in group]
            packet.unique = len(groups) == 1
            packets.append(packet)
    packets.sort(key=lambda p: p.frames()[0])
    return number(merge_pieces(packets))


def merge_pieces(packets):
    """Pieces that every point saw inside the same frames were never packets of their own."""
    merged, known = [], {}
    for packet in packets:
        same = tuple(packet.sightings)
        if packet.protocol == "tcp" and same in known:
            known[same].unique &= packet.unique
            continue
        known[same] = packet
        merged.append(packet)
    return merged


def number(packets):
    for count, packet in enumerate(packets, 1):
        packet.number = count
    return packets


def load(path):
    """Reads a packets.tsv back; info is empty."""
    packets = []
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith("#"):
                continue
            count, protocol, unique, words = line.rstrip("\n").split("\t")
            packet = Packet(protocol, {})
            packet.number, packet.unique = int(count), unique == "1"
            for word in words.split(" "):
                point, _, frame = word.rpartition(":")
                packet.sightings.append((point, int(frame)))
            packets.append(packet)
    return packets


def write(packets, file):
    print("#packet\tprotocol\tunique\tpoint:frame", file=file)
    for packet in packets:
        words = " ".join(f"{point}:{frame}" for point, frame in packet.sightings)
        print(packet.number, packet.protocol, int(packet.unique), words, sep="\t", file=file)


def main():
    parser = argparse.ArgumentParser(description="reference matcher for lab captures")
    parser.add_argument("--mss", type=int, default=1448, help="bytes per TCP segment on the wire")
    parser.add_argument("capture")
    arguments = parser.parse_args()
    write(match(capture.read(arguments.capture), arguments.mss), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
