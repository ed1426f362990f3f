# SPDX-License-Identifier: GPL-2.0-or-later
"""A merged file, and the same packets written as somebody else might have merged them.

A frame's key is (interface of the original file, index among that interface's frames): it names
the same frame in every variant, whatever number it has there.
"""
import heapq
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                                "tshark-scripts"))

import pcapng  # noqa: E402

HOUR = 3600


class Merged:
    """interfaces; frames: (key, time in ps, body of the enhanced block), in file order."""

    def __init__(self, path):
        self.interfaces, self.frames = [], []
        with open(path, "rb") as stream:
            for event in pcapng.Reader(stream).events():
                if event[0] == "interface":
                    self.interfaces.append(event[1])
                elif event[0] == "packet":
                    _, number, time, body = event
                    interface = self.interfaces[number]
                    self.frames.append(((number, interface.packets), time, body))
                    interface.saw(time)

    def keys(self):
        return [key for key, _, _ in self.frames]


class Variant:
    """frames: as in Merged; order: the interfaces as the file lists them; names, and shifts in
    seconds, by interface.  moved: how many frames, interfaces or names are not where they were."""

    def __init__(self, merged):
        self.merged, self.frames = merged, merged.frames
        self.order = list(range(len(merged.interfaces)))
        self.names, self.shifts, self.moved = {}, {}, 0

    def merge(self):
        """By the time stamp at the head of each interface, as mergecap does; ties by order."""
        queues = [[] for _ in self.order]
        for key, time, body in self.merged.frames:
            queues[key[0]].append((key, time + self.shifts.get(key[0], 0) * pcapng.PICO, body))
        heads = [(queues[i][0][1], rank, i, 0) for rank, i in enumerate(self.order) if queues[i]]
        heapq.heapify(heads)
        self.frames = []
        while heads:
            _, rank, i, at = heapq.heappop(heads)
            self.frames.append(queues[i][at])
            if at + 1 < len(queues[i]):
                heapq.heappush(heads, (queues[i][at + 1][1], rank, i, at + 1))
        self.count_moved()

    def count_moved(self):
        self.moved = sum(a[0] != b[0] for a, b in zip(self.frames, self.merged.frames))

    def write(self, path):
        place = {i: n for n, i in enumerate(self.order)}
        with open(path, "wb") as f:
            f.write(pcapng.section_header())
            for i in self.order:
                interface = self.merged.interfaces[i]
                options = interface.options
                copy = pcapng.Interface(interface.link, interface.snaplen, list(options))
                if i in self.names:
                    copy.set_text(pcapng.IF_NAME, self.names[i])
                f.write(copy.block())
            for (i, _), time, body in self.frames:
                interface = self.merged.interfaces[i]
                ticks = (time // pcapng.PICO - interface.offset) * interface.ticks_per_second
                ticks += time % pcapng.PICO * interface.ticks_per_second // pcapng.PICO
                head = ticks >> 32 & 0xFFFFFFFF, ticks & 0xFFFFFFFF
                f.write(pcapng.packet_block(place[i], b"".join(
                    n.to_bytes(4, "little") for n in head) + body[8:]))
        os.chmod(path, 0o644)


def other_file_order(merged):
    """The files named in the opposite order, so that every tie falls the other way."""
    v = Variant(merged)
    v.order.reverse()
    v.merge()
    v.moved += sum(place != i for place, i in enumerate(v.order))
    return v


def ties_permuted(merged):
    """Frames of one time stamp shuffled; those of one interface keep their order."""
    v, frames, start, dice = Variant(merged), [], 0, random.Random(7)
    while start < len(merged.frames):
        stop = start + 1
        while stop < len(merged.frames) and merged.frames[stop][1] == merged.frames[start][1]:
            stop += 1
        run = merged.frames[start:stop]
        waiting = {}
        for frame in run:
            waiting.setdefault(frame[0][0], []).append(frame)
        turns = [frame[0][0] for frame in run]
        dice.shuffle(turns)
        frames += [waiting[i].pop(0) for i in turns]
        start = stop
    v.frames = frames
    v.count_moved()
    return v


def points_renamed(merged):
    """Names that sort the other way round, with a blank, and no longer all ASCII."""
    v = Variant(merged)
    by_name = sorted(v.order, key=lambda i: merged.interfaces[i].text(pcapng.IF_NAME))
    if merged.interfaces[0].option(pcapng.IF_NAME) is not None:
        v.names = {i: "%c point é%d" % (ord("z") - n, n) for n, i in enumerate(by_name)}
    v.moved = len(v.names)
    return v


def one_clock_wrong(merged):
    """The clock of the point in the middle is five hours fast."""
    v = Variant(merged)
    if len(v.order) > 1:
        v.shifts = {len(v.order) // 2: 5 * HOUR}
        v.merge()
    return v


def all_clocks_wrong(merged):
    """No two clocks within an hour: the files follow each other, the last point's comes first."""
    v = Variant(merged)
    if len(v.order) > 1:
        v.shifts = {i: -i * (HOUR + 17) for i in v.order}
        v.merge()
    return v


def one_frame_lost(merged):
    """No variant but a change, which must be noticed: a frame in the middle is not there.

    The frame of most bytes in the middle third, so that it is no frame without any consequence.
    """
    v, third = Variant(merged), len(merged.frames) // 3
    gone = max(range(third, 2 * third), key=lambda n: len(merged.frames[n][2]))
    v.frames = merged.frames[:gone] + merged.frames[gone + 1:]
    v.moved = 1
    return v


# Column of the table -> (how to make the variant, whether clocks stay as they are).
VARIANTS = {
    "files": (other_file_order, True),
    "ties": (ties_permuted, True),
    "names": (points_renamed, True),
    "clock": (one_clock_wrong, False),
    "clocks": (all_clocks_wrong, False),
}
