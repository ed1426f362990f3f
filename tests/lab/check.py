#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what the plug-ins say about a lab capture with the truth. Exit code 1: they differ.

check.py match   PACKETS.tsv FIELDS.tsv [POINT,...]     who is matched with whom
check.py hops    PACKETS.tsv FIELDS.tsv ORDER           corr.hop rises along the true way
check.py latency CAPTURE PACKETS.tsv FIELDS.tsv         corr.hop_latency within its bound
check.py drops   TRUTH.json REPORT.json                 every drop, no other, at its place
check.py nat     TRUTH.json REPORT.json                 every translation, no other
check.py cut     TRUTH.json PACKETS.tsv WHOLE CUT POINT REPORT.json drops when POINT covers less time
check.py same    CAPTURE FIELDS CAPTURE FIELDS          equal answers, clocks aside
check.py segments REPORT.json                           lost per segment agrees with the drops
check.py clock   REPORT.json POINT=SECONDS ...          offsets within their bounds; others are 0
check.py renumber SHIFTED FIELDS CAPTURE > FIELDS2      SHIFTED's fields by CAPTURE's frames

FIELDS.tsv is `tshark -2 -T fields -E occurrence=a -e` with the columns of FIELD_NAMES.
"""
import itertools
import json
import sys

import oracle
from capture import read

FIELD_NAMES = ("frame.number", "corr.match_id", "corr.hop", "corr.hop_latency",
               "corr.hop_latency.error", "corr.dropped", "corr.drop.after", "corr.drop.before")
VERDICTS = ("confirmed", "probable", "blocked")
# A cut makes the second around it uncertain: what may still be on its way is not judged.
MARGIN_NS = 500_000_000


class Failure(Exception):
    """The answers differ; the text shows the first few."""


def some(items, limit=5):
    items = list(items)
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(map(str, items[:limit])) + more


def load_fields(path):
    """{frame: {field: text}}; absent fields are left out."""
    rows = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.rstrip("\n").split("\t")
            words += [""] * (len(FIELD_NAMES) - len(words))
            row = {name: word for name, word in zip(FIELD_NAMES, words) if word}
            rows[int(words[0])] = row
    if not any("corr.match_id" in row for row in rows.values()):
        raise Failure(f"{path}: no frame has a corr.match_id: is the plug-in loaded?")
    return rows


def load_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def pairs(groups):
    """The set of frame pairs that share a packet."""
    return {pair for group in groups for pair in itertools.combinations(sorted(set(group)), 2)}


def check_match(packets_path, fields_path, inside=None):
    """Precision and recall of frame pairs, 1 where the oracle is sure.

    inside: only these points, where elsewhere frames hold more than the oracle's packet.
    """
    packets = oracle.load(packets_path)
    point_of = {frame: point for p in packets for point, frame in p.sightings}
    chosen = set(inside.split(",")) if inside else set(point_of.values())
    sure = {frame for p in packets if p.unique for frame in p.frames()
            if point_of[frame] in chosen}
    unsure = {frame for p in packets if not p.unique for frame in p.frames()}
    sure -= unsure
    truth = pairs([f for f in p.frames() if f in sure] for p in packets)
    by_id = {}
    for frame, row in load_fields(fields_path).items():
        for match_id in row.get("corr.match_id", "").split(","):
            if match_id and frame in sure:
                by_id.setdefault(int(match_id), []).append(frame)
    found = pairs(by_id.values())
    wrong, missing = found - truth, truth - found
    print(f"match: {len(truth)} true pairs, {len(wrong)} wrong, {len(missing)} missing, "
          f"{len(unsure)} frames without certain truth")
    if not truth:
        raise Failure("the truth is empty")
    if wrong or missing:
        raise Failure(f"wrong: {some(sorted(wrong))}; missing: {some(sorted(missing))}")


def check_hops(packets_path, fields_path, order):
    """Along every packet's true way corr.hop counts 1, 2, 3 ...; absent on less than 1 %."""
    rank = {name: place for place, name in enumerate(order.split(","))}
    rows, wrong, absent, judged = load_fields(fields_path), [], 0, 0
    for packet in oracle.load(packets_path):
        way = [(rank[point], frame) for point, frame in packet.sightings]
        if len(way) < 2 or not packet.unique:
            continue
        # Behind a tunnel's end both sightings have one time stamp; the lab's order decides.
        way.sort(reverse=way[0][0] > way[-1][0])
        for hop, (_, frame) in enumerate(way, 1):
            judged += 1
            said = rows[frame].get("corr.hop")
            absent += said is None
            if said is not None and int(said.split(",")[0]) != hop:
                wrong.append(f"frame {frame}: hop {said}, truly {hop}")
    print(f"hops: {judged} judged, {len(wrong)} wrong, {absent} absent")
    if not judged or wrong or absent * 100 > judged:
        raise Failure(some(wrong) or f"{absent} of {judged} are absent")


def check_latency(capture, packets_path, fields_path):
    """The true latency is inside hop_latency +- error on all frames that have one.

    capture has the true clock; fields of one with shifted clocks are to be renumbered first.
    """
    times = {frame.number: frame.time_ns for frame in read(capture)}
    rows, outside, judged, expected = load_fields(fields_path), [], 0, 0
    for packet in oracle.load(packets_path):
        if not packet.unique:
            continue
        for before, frame in zip(packet.frames(), packet.frames()[1:]):
            expected += 1
            row = rows[frame]
            if "corr.hop_latency" not in row:
                continue
            judged += 1
            true = (times[frame] - times[before]) / 1e9
            said = float(row["corr.hop_latency"].split(",")[0])
            error = float(row.get("corr.hop_latency.error", "0").split(",")[0])
            # Half of the last printed digit is not the engine's error.
            if said < 0 or abs(said - true) > error + 2e-9:
                outside.append(f"frame {frame}: {said} +- {error}, truly {true:.9f}")
    print(f"latency: {judged} of {expected} hops judged, {len(outside)} outside their bound")
    if outside or judged * 100 < expected * 95:
        raise Failure(some(outside) or "too few hops have a latency")


def count(row):
    """Rows of ambiguous groups stand for several packets."""
    return row.get("packets", 1)


def is_expired(row):
    return row.get("cause") == "ttl"


def check_drops(truth_path, report_path):
    """The kernel's counters, the frames, and the places; expired TTLs apart, cause ttl."""
    truth, rows = load_json(truth_path), load_json(report_path)["drops"]
    problems = []
    for row in rows:
        if row.get("verdict") not in VERDICTS:
            problems.append(f"verdict of {row}")
    for after, before in (truth["between"], truth["between"][::-1]):
        counted = sum(d["packets"] for d in truth["drops"]
                      if (d["after"], d["before"]) == (after, before))
        said = sum(count(r) for r in rows if not is_expired(r)
                   and (r["after"], r.get("before")) == (after, before))
        print(f"drops: {after} > {before}: nft counted {counted}, reported {said}")
        if counted != said:
            problems.append(f"{after} > {before}: {said} instead of {counted}")
    for title, expired in (("dropped", False), ("expired", True)):
        true = {(d["frame"], d["after"], d["before"]) for d in truth[title + "_frames"]}
        said = {(r["frame"], r["after"], r.get("before")) for r in rows
                if "frame" in r and is_expired(r) == expired}
        grouped = sum(count(r) for r in rows if "frame" not in r and is_expired(r) == expired)
        if said - true:
            problems.append(f"not {title}: {some(sorted(said - true, key=str))}")
        if len(true - said) != grouped:
            problems.append(f"{title} unseen: {some(sorted(true - said))}")
    if problems:
        raise Failure("; ".join(problems))


def check_segments(report_path):
    """Two tables of one report must not contradict each other."""
    report = load_json(report_path)
    lost, dropped = {}, {}
    for row in report["segments"]:
        lost[row["from"], row["to"]] = row["lost"]
    for row in report["drops"]:
        where = row["after"], row.get("before")
        dropped[where] = dropped.get(where, 0) + count(row)
    lost = {where: packets for where, packets in lost.items() if packets}
    print(f"segments: lost {sum(lost.values())}, drops {sum(dropped.values())}")
    if lost != dropped:
        raise Failure(f"segments say {lost}, drops say {dropped}")


def check_clock(report_path, *shifts):
    """Every point's offset to the reference, given what was added to its clock."""
    added = {name: float(value) for name, value in (s.split("=") for s in shifts)}
    problems, judged = [], 0
    for point in load_json(report_path)["points"]:
        clock, name = point.get("clock", {}), point["name"]
        if "offset_s" not in clock or "reference" not in clock:
            problems.append(f"{name} has no offset")
            continue
        judged += 1
        true = added.get(name, 0) - added.get(clock["reference"], 0)
        error = clock.get("error_s", 0)
        if abs(clock["offset_s"] - true) > error + 2e-9 or error > 0.001:
            problems.append(f"{name}: {clock['offset_s']} +- {error}, truly {true}")
    print(f"clock: {judged} offsets, {len(problems)} wrong")
    if problems or not judged:
        raise Failure("; ".join(problems))


def translation(entry):
    """A hashable form of a nat row; without what only one side knows."""
    ends = []
    for side in ("before", "after"):
        end = entry[side]
        ports = ("src_port",) if entry["protocol"] == "icmp" else ("src_port", "dst_port")
        ends.append((end["src"], end["dst"]) + tuple(end.get(port) for port in ports))
    return (entry["kind"], entry["protocol"], entry["from"], entry["to"]) + tuple(ends)


def check_nat(truth_path, report_path):
    true = {translation(entry) for entry in load_json(truth_path)["nat"]}
    said = {translation(entry) for entry in load_json(report_path)["nat"]}
    print(f"nat: conntrack knows {len(true)}, reported {len(said)}, common {len(true & said)}")
    if not true:
        raise Failure("the truth is empty")
    if true != said:
        raise Failure(f"missing: {some(sorted(true - said))}; wrong: {some(sorted(said - true))}")


def identities(frames):
    """{frame number: (point, record time)}: the same frame in another cut of the capture."""
    return {frame.number: (frame.point, frame.time_ns) for frame in frames}


def check_cut(truth_path, packets_path, whole_path, cut_path, point, report_path):
    """A point that starts late or ends early: no false drop, all true ones that it covered.

    Where the point was not looking, a loss beside it is placed between its neighbours: the row is
    true if the packet was lost, after the point that the row names, and never seen at the other.
    """
    truth, rows = load_json(truth_path), load_json(report_path)["drops"]
    whole, cut = read(whole_path), read(cut_path)
    names, cut_names = identities(whole), identities(cut)
    numbers = {name: number for number, name in names.items()}
    ways = {}
    with open(packets_path, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                way = [s.rsplit(":", 1) for s in line.rstrip("\n").split("\t")[3].split(" ")]
                for _, frame in way:
                    ways[int(frame)] = [(name, int(number)) for name, number in way]
    times = [frame.time_ns for frame in cut if frame.point == point]
    first, last = min(times) + MARGIN_NS, max(times) - MARGIN_NS
    lost = {d["frame"] for d in truth["dropped_frames"] + truth["expired_frames"]}
    due = {names[frame] for frame in lost if first <= names[frame][1] <= last}
    said, false = set(), []
    for row in rows:
        if "frame" not in row:
            continue
        name = cut_names[row["frame"]]
        way = ways[numbers[name]]
        said.add(names[way[-1][1]])
        if way[-1][1] not in lost or row.get("before") in [seen for seen, _ in way]:
            false.append(name)
    unseen = due - said
    print(f"cut at {point}: {len(lost)} true drops, {len(due)} covered, {len(said)} reported, "
          f"{len(false)} false, {len(unseen)} unseen")
    if false or unseen:
        raise Failure(f"false: {some(sorted(false))}; unseen: {some(sorted(unseen))}")


def places(path):
    """{frame number: (point, which of the point's frames)}: the same for all clocks."""
    counters, found = {}, {}
    for frame in read(path):
        counters[frame.point] = counters.get(frame.point, 0) + 1
        found[frame.number] = (frame.point, counters[frame.point])
    return found


def check_same(capture_a, fields_a, capture_b, fields_b):
    """The same groups and drop flags, frame by frame of each point, whatever the clocks say."""
    answers = []
    for path, fields in ((capture_a, fields_a), (capture_b, fields_b)):
        records, groups, flags = places(path), {}, {}
        for number, row in load_fields(fields).items():
            for match_id in row.get("corr.match_id", "").split(","):
                if match_id:
                    groups.setdefault(match_id, set()).add(records[number])
            if "corr.dropped" in row:
                flags[records[number]] = (row.get("corr.drop.after"),
                                          row.get("corr.drop.before"))
        answers.append(({frozenset(group) for group in groups.values()}, flags))
    (groups_a, flags_a), (groups_b, flags_b) = answers
    differ = groups_a ^ groups_b
    moved = sorted(set(flags_a.items()) ^ set(flags_b.items()), key=str)
    print(f"same: {len(groups_a)} packets, {len(differ)} differ; {len(flags_a)} drops, "
          f"{len(moved)} differ")
    if differ or moved:
        raise Failure(f"packets: {some(sorted(map(sorted, differ)))}; drops: {some(moved)}")


def renumber(shifted, fields, whole):
    """Prints the fields with the frame numbers that the other merge has."""
    target = {place: number for number, place in places(whole).items()}
    from_ = places(shifted)
    for number, row in sorted(load_fields(fields).items()):
        row["frame.number"] = str(target[from_[number]])
        print("\t".join(row.get(name, "") for name in FIELD_NAMES))


CHECKS = {"match": check_match, "hops": check_hops, "latency": check_latency,
          "drops": check_drops, "nat": check_nat, "cut": check_cut, "same": check_same,
          "segments": check_segments, "clock": check_clock, "renumber": renumber}


def main():
    words = sys.argv[1:]
    if not words or words[0] not in CHECKS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        CHECKS[words[0]](*words[1:])
    except Failure as failure:
        print(f"check.py {words[0]}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
