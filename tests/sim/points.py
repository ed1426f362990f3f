# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture points: clocks, capture defects, and the merged pcapng file."""
import heapq
import struct

BASE_NS = 1_750_000_000 * 10**9


class Point:
    """One capture point.

    offset, drift_ppb, steps    its clock against the true one; steps: [(t, delta), ...]
    res                         nanoseconds per tick of its time stamps
    snaplen                     bytes kept of each frame
    window, gaps                (start, stop) and [(start, stop), ...] in true time
    accept                      capture filter: callable(pkt, dir) -> bool
    miss                        tool drops: callable(pkt, dir, n, t) -> bool
    dup                         mirror copies: nanoseconds after the first, or callable(pkt, dir, n)
    stamp_noise                 callable(n) -> nanoseconds added to stamp n, may be negative
    """

    def __init__(self, sim, name, offset=0, drift_ppb=0, steps=(), res=1, snaplen=262144,
                 window=(None, None), gaps=(), accept=None, miss=None, dup=None,
                 stamp_noise=None):
        self.id = len(sim.points)
        self.name = name
        self.offset, self.drift_ppb, self.steps, self.res = offset, drift_ppb, steps, res
        self.snaplen = snaplen
        self.window, self.gaps = window, gaps
        self.accept, self.miss, self.dup = accept, miss, dup
        self.stamp_noise = stamp_noise
        self.slews = []
        self.interface = self.id          # points may share one: mirror sessions, routed SPAN
        self.if_name = name
        self.link = 1                     # LINKTYPE_ of the frames that are written
        self.wrap = None                  # callable(frame, stamp) -> frame: see wraps.py, brokers.py
        sim.points.append(self)

    def clock(self, t):
        """What this point's clock shows at true time t."""
        t_clock = BASE_NS + t + self.offset + t * self.drift_ppb // 10**9
        for when, delta in self.steps:
            if t >= when:
                t_clock += delta
        return t_clock

    def bends(self):
        """(start, stop) in true time between which it is set, or runs faster or slower."""
        return [(when, when) for when, _ in self.steps] + list(self.slews)

    def stamp(self, t):
        t_clock = self.clock(t)
        return t_clock - t_clock % self.res

    def true_time(self, stamp):
        """The true time at which the clock shows stamp (drift is small: iterate)."""
        t = stamp - BASE_NS - self.offset
        for _ in range(4):
            t += stamp - self.clock(t)
        return t

    def covers(self, t):
        start, stop = self.window
        if (start is not None and t < start) or (stop is not None and t >= stop):
            return False
        return not any(a <= t < b for a, b in self.gaps)

    def accepts(self, pkt, dir):
        return self.accept is None or self.accept(pkt, dir)

    def misses(self, pkt, dir, n, t):
        return self.miss is not None and self.miss(pkt, dir, n, t)

    def copies(self, pkt, dir, n):
        if self.dup is None:
            return ()
        if callable(self.dup):
            return self.dup(pkt, dir, n)
        return (self.dup,)

    def truth(self):
        return dict(k="point", id=self.id, name=self.name, offset_ns=self.offset,
                    drift_ppb=self.drift_ppb, steps=list(self.steps), res_ns=self.res,
                    snaplen=self.snaplen, start=self.window[0], stop=self.window[1],
                    gaps=list(self.gaps))


def number_frames(sim):
    """Merges the points' files by the time stamp at the head of each, as mergecap does.

    Sets "stamp" and "frame" of every record; returns the records in file order.
    """
    files = []
    for interface in sorted({p.interface for p in sim.points}):
        shared = {p.id for p in sim.points if p.interface == interface}
        own = [r for r in sim.records if r["point"] in shared]
        own.sort(key=lambda r: r["t"])    # stable: simultaneous records keep their order
        for n, record in enumerate(own):
            point = sim.points[record["point"]]
            record["stamp"] = point.stamp(record["t"])
            if point.stamp_noise is not None:
                record["stamp"] += point.stamp_noise(n)
                record["stamp"] -= record["stamp"] % point.res
        files.append(own)
    heads = [(own[0]["stamp"], i, 0) for i, own in enumerate(files) if own]
    heapq.heapify(heads)
    merged = []
    while heads:
        _, i, j = heapq.heappop(heads)
        record = files[i][j]
        merged.append(record)
        record["frame"] = len(merged)
        if j + 1 < len(files[i]):
            heapq.heappush(heads, (files[i][j + 1]["stamp"], i, j + 1))
    return merged


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def block(kind, body):
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def write_pcapng(path, sim, merged, collapse=False):
    """Writes the merged file: one interface per point, or one for all if collapse."""
    with open(path, "wb") as f:
        f.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        points = sim.points[:1] if collapse else [p for p in sim.points if p.interface == p.id]
        index = {p.id: n for n, p in enumerate(points)}
        for point in points:
            opts = b"" if collapse else option(2, point.if_name.encode())
            opts += option(9, b"\x09") + option(0, b"")
            f.write(block(1, struct.pack("<HHI", point.link, 0, 0 if collapse else point.snaplen) +
                          opts))
        for record in merged:
            point = sim.points[record["point"]]
            data = record["data"]
            if point.wrap is not None:
                data = point.wrap(data, record["stamp"])
            kept = data[:point.snaplen]
            stamp = record["stamp"]
            head = struct.pack("<IIIII", 0 if collapse else index[point.interface],
                               stamp >> 32, stamp & 0xFFFFFFFF, len(kept), len(data))
            f.write(block(6, head + kept + b"\0" * (-len(kept) % 4)))
