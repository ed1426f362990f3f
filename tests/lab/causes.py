#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What causes.sh needs beside the kernel: traffic, other clocks, a judge of causes.

causes.py serve                                 takes TCP on 5000 and UDP on 5001-5009, until killed
causes.py udp ADDRESS PORT COUNT GAP_MS SIZE,...  datagrams that all differ, sizes in turn
causes.py tcp ADDRESS PORT BYTES SECONDS        connects and sends; gives up, with a reset, in time
causes.py clock IN OUT SECONDS PPM              time stamps shifted, and skewed from the first on
causes.py judge REPORT.json AFTER BEFORE PACKETS CAUSE,...
        so many packets are lost there, none elsewhere, and each row has one of the causes; none:
        a row without. BEFORE none: behind the last point that shows them
causes.py ends MERGED.pcapng REPORT.json POINT PORT
        the rows of the drops are what the point saw towards the port, frame by frame

Exit code 1: the answer is wrong.
"""
import json
import selectors
import socket
import struct
import sys
import time

import capture
import oracle


def serve():
    waiting, tcp = selectors.DefaultSelector(), socket.create_server(("", 5000))
    waiting.register(tcp, selectors.EVENT_READ)
    for port in range(5001, 5010):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("", port))
        waiting.register(udp, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is tcp:
                waiting.register(tcp.accept()[0], selectors.EVENT_READ)
                continue
            try:
                gone = not key.fileobj.recv(65536) and key.fileobj.type == socket.SOCK_STREAM
            except ConnectionError:
                gone = True
            if gone:
                waiting.unregister(key.fileobj)
                key.fileobj.close()


def send_udp(address, port, count, gap_ms, sizes):
    sizes = [int(size) for size in sizes.split(",")]
    udp, start = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.monotonic()
    for i in range(int(count)):
        time.sleep(max(0, start + i * float(gap_ms) / 1000 - time.monotonic()))
        payload = struct.pack("!QI", time.time_ns(), i) * (sizes[i % len(sizes)] // 12 + 1)
        udp.sendto(payload[: sizes[i % len(sizes)]], (address, int(port)))


def send_tcp(address, port, size, seconds):
    """What cannot be sent in time is given up by a reset, so that nothing comes later."""
    tcp, end = socket.socket(), time.monotonic() + float(seconds)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    tcp.settimeout(float(seconds))
    try:
        tcp.connect((address, int(port)))
        tcp.sendall(b"".join(b"%011d\n" % i for i in range(int(size) // 12)))
        tcp.shutdown(socket.SHUT_WR)
        tcp.settimeout(max(0.1, end - time.monotonic()))
        tcp.recv(1)
    except OSError:
        pass
    tcp.close()


def change_clock(source, target, seconds, ppm):
    with open(source, "rb") as file:
        data = bytearray(file.read())
    per_second, first, at = [], None, 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == capture.IDB:
            found = dict(capture.options("<", bytes(data[at + 16 : at + length - 4])))
            power = found.get(9, b"\x06")[0]
            per_second.append(2 ** (power & 127) if power & 128 else 10 ** power)
        elif kind == capture.EPB:
            which, high, low = struct.unpack_from("<III", data, at + 8)
            ticks = high << 32 | low
            first = ticks if first is None else first
            ticks += round(float(seconds) * per_second[which] +
                           (ticks - first) * float(ppm) / 1e6)
            struct.pack_into("<II", data, at + 12, ticks >> 32, ticks & 0xFFFFFFFF)
        at += length
    with open(target, "wb") as file:
        file.write(data)


def fail(text):
    print(f"causes.py {sys.argv[1]}: {text}", file=sys.stderr)
    return 1


def load_drops(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["drops"]


def judge(report, after, before, packets, causes):
    rows, said, total = load_drops(report), {}, 0
    for row in rows:
        number = row.get("packets", 1)
        if (row.get("after"), row.get("before", "none")) != (after, before):
            return fail(f"lost elsewhere: {row}")
        cause = row.get("cause", "none")
        said[cause] = said.get(cause, 0) + number
        total += number
    print(f"causes: {after} > {before}: the kernel counted {packets}, reported {said}")
    if not int(packets) or total != int(packets):
        return fail(f"{total} instead of {packets}")
    if set(said) - set(causes.split(",")):
        return fail(f"causes {said}, truly {causes}")
    return 0


def judge_ends(merged, report, point, port):
    true = {frame for packet in oracle.match(capture.read(merged))
            for where, frame in packet.sightings
            if where == point and packet.info.get("dst_port") == int(port)}
    said = [row.get("frame") for row in load_drops(report)]
    print(f"ends: {len(true)} frames at {point}, {len(said)} reported")
    if not true or sorted(said, key=str) != sorted(true, key=str):
        return fail(f"frames {said}, truly {sorted(true)}")
    return 0


COMMANDS = {"serve": serve, "udp": send_udp, "tcp": send_tcp, "clock": change_clock,
            "judge": judge, "ends": judge_ends}


def main():
    words = sys.argv[1:]
    if not words or words[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    return COMMANDS[words[0]](*words[1:])


if __name__ == "__main__":
    sys.exit(main())
