#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares corr.tcp.* of a merged file with Wireshark's TCP analysis of each point's own file.

Every difference is printed, and must be Wireshark's mistake: by the simulator's
truth where there is one, else because Wireshark contradicts itself about the
same packet at another point.
"""
import argparse
import collections
import json
import sys

# Wireshark's fields, in the order of the columns, and whether ours must say the same.
EVENTS = [("retransmission", False), ("fast_retransmission", None),
          ("spurious_retransmission", None), ("out_of_order", False), ("duplicate_ack", True),
          ("zero_window", True), ("window_full", True), ("keep_alive", True),
          ("lost_segment", True), ("ack_lost_segment", None)]
NAMES = [name for name, _ in EVENTS]


def read_points(path):
    """Lines `frame, event ...` of the single files, already with the merged file's numbers."""
    return {int(row[0]): {n for n, v in zip(NAMES, row[1:]) if v} for row in rows(path)}


def rows(path):
    with open(path) as f:
        return [line.rstrip("\n").split("\t") for line in f]


def read_corr(path):
    """frame -> (point, packet numbers, events)."""
    out = {}
    for row in rows(path):
        out[int(row[0])] = (row[1], tuple(row[2].split(",")),
                            {n for n, v in zip(NAMES, row[3:]) if v})
    return out


def read_truth(path):
    """frame -> whether it holds a packet that repeats an earlier one."""
    repeats, frames = set(), collections.defaultdict(bool)
    with open(path) as f:
        for line in f:
            row = json.loads(line)
            if row["k"] == "tx" and row["again"]:
                repeats.add(row["pid"])
            elif row["k"] == "obs" and row["role"] == "first":
                frames[row["frame"]] |= row["pid"] in repeats
    return frames


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     epilog="example: wireshark.py C08.points C08.corr C08.truth.jsonl")
    parser.add_argument("points", help="table: frame, Wireshark's events")
    parser.add_argument("corr", help="table: frame, point, packets, our events")
    parser.add_argument("truth", nargs="?", help="the simulator's truth")
    args = parser.parse_args()
    theirs, ours = read_points(args.points), read_corr(args.corr)
    truth = read_truth(args.truth) if args.truth else None
    if set(theirs) != set(ours) or not ours:
        sys.exit("%d frames in the single files, %d in the merged one" % (len(theirs), len(ours)))

    said = collections.defaultdict(set)    # packet -> what Wireshark says of it anywhere
    for frame, (_, packets, _) in ours.items():
        for packet in packets:
            said[packet] |= theirs[frame]
    equal, excused, faults = collections.Counter(), [], []
    for frame, (point, packets, mine) in sorted(ours.items()):
        for name, strict in EVENTS:
            his, own = name in theirs[frame], name in mine
            if his == own:
                equal[name] += own
                continue
            if strict is None:
                continue               # a matter of names for what is compared above
            where = "frame %d at %s, packet %s: %s says %s" % (
                frame, point, ",".join(packets), "Wireshark" if his else "only corr", name)
            if truth is not None and name == "retransmission":
                wrong = truth[frame] == own
            elif truth is not None and name == "out_of_order":
                wrong = truth[frame] and his
            elif name in ("retransmission", "out_of_order"):
                # What he calls overtaken here he calls repeated elsewhere.
                wrong = "retransmission" in said[packets[0]] and "retransmission" in mine
            else:
                wrong = not strict
            (excused if wrong else faults).append(where)
    if truth is not None:
        for frame, (point, _, mine) in sorted(ours.items()):
            if truth[frame] != ("retransmission" in mine):
                faults.append("frame %d at %s: %s by the truth" % (
                    frame, point, "a retransmission" if truth[frame] else "no retransmission"))
    print("equal: " + (", ".join("%d %s" % (equal[n], n) for n in NAMES if equal[n]) or "no event"))
    for line in excused:
        print("Wireshark's mistake: " + line)
    for line in faults:
        print("DIFFERS: " + line)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
