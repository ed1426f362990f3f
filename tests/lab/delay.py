# SPDX-License-Identifier: GPL-2.0-or-later
"""A long wire: delay.py IF_A IF_B SECONDS hands every frame of one to the other, so much later.

For kernels without netem. How exact it is does not matter: capture points are on both sides.
"""
import collections
import select
import socket
import sys
import time

PACKET_IGNORE_OUTGOING = 23
SOL_PACKET = 263
SO_RCVBUFFORCE = 33

delay = float(sys.argv[3])
ends = []
for name in sys.argv[1:3]:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.bind((name, 0))
    ends.append(end)
waiting = collections.deque()  # equal delays: first come, first served
while True:
    pause = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for end in select.select(ends, [], [], pause)[0]:
        frame = end.recv(65536)
        waiting.append((time.monotonic() + delay, ends[end is ends[0]], frame))
    while waiting and waiting[0][0] <= time.monotonic():
        _, end, frame = waiting.popleft()
        end.send(frame)
