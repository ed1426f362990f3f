#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends UDP datagrams at a steady rate, and watches the memory of a process.

  live.py send ADDRESS PORT RATE SECONDS    prints how many were sent
  live.py answer ADDRESS PORT               answers one of sixteen
  live.py watch PID                         prints "seconds kilobytes" each half second until it ends
"""
import socket
import struct
import sys
import time


def send(address, port, rate, seconds):
    """Each datagram differs; a hundred bytes, in batches of a millisecond."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((address, int(port)))
    pad = bytes(range(92))
    begin = time.monotonic()
    n = 0
    while (now := time.monotonic() - begin) < float(seconds):
        while n < now * float(rate):
            try:
                out.send(struct.pack(">Q", n) + pad)
            except OSError:  # nobody listens: an ICMP error for an earlier one
                pass
            n += 1
        time.sleep(0.001)
    print(n)


def answer(address, port):
    both = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    both.bind((address, int(port)))
    while True:
        data, peer = both.recvfrom(2000)
        if data[7] % 16 == 0:
            both.sendto(data[:8] + bytes(8), peer)


def watch(pid):
    begin = time.monotonic()
    while True:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                rss = [line.split()[1] for line in status if line.startswith("VmRSS")]
        except OSError:
            return
        if not rss:
            return
        print(f"{time.monotonic() - begin:.1f} {rss[0]}", flush=True)
        time.sleep(0.5)


if len(sys.argv) == 6 and sys.argv[1] == "send":
    send(*sys.argv[2:])
elif len(sys.argv) == 4 and sys.argv[1] == "answer":
    answer(*sys.argv[2:])
elif len(sys.argv) == 3 and sys.argv[1] == "watch":
    watch(sys.argv[2])
else:
    sys.exit(__doc__)
