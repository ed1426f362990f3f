#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The answer depends on nothing but the packets: a table of scenarios by variants of their file.

Every variant holds the same packets, merged in another way: files in another order, frames of one
time stamp permuted, points renamed, one clock or all clocks wrong by hours; "pass" is the file
itself, read in one pass instead of two.  Frames, numbers and names are mapped back before answers
are compared.  A cell says "ok", what differs, or "-" if the variant would be the file itself.
"""
import argparse
import collections
import copy
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from answer import Tshark  # noqa: E402
from generate import generate, load  # noqa: E402
from variants import VARIANTS, Merged, Variant, one_frame_lost  # noqa: E402

SCENARIOS = "A02 B01 B10 C03 C08 C12 E01 E06 E09 E14 E18 E29 F07 F09 K07 K12".split()
SAMPLE = "sample"

# (scenario, variant) -> (what may differ, why): printed, and refused once it is equal.
OPEN = {}

ABSENT = "absent"
COUNTS = ("packets", "lost", "missed", "reordered", "duplicated")


def canonical(answer, keys, names):
    """aspect -> a value free of frame numbers, packet numbers and the variant's own names.

    keys: of the frames in file order.  names: this file's name of a point -> the original's.
    """
    frames = list(zip(keys, answer.frames[1:]))

    def name(text):
        return names.get(text, text)

    def stop(text):
        """A stop of a path: a point, or {points whose order nothing tells}."""
        if not text.startswith("{"):
            return name(text)
        return "{%s}" % ", ".join(sorted(name(part) for part in text[1:-1].split(", ")))

    def route(text):
        return text and " > ".join(stop(part) for part in text.split(" > "))

    sightings = collections.defaultdict(list)
    for key, f in frames:
        for number in f.ids:
            sightings[number].append(key)
    packets = {number: frozenset(seen) for number, seen in sightings.items()}
    report = answer.report
    return {
        "points": {key: name(f.point) for key, f in frames},
        "packets": collections.Counter(packets.values()),
        "ambiguous": {key for key, f in frames if f.ambiguous},
        "drops": collections.Counter(
            (key, frozenset(packets[n] for n in f.drop_ids or f.ids), name(f.after),
             name(f.before), f.verdict, f.cause) for key, f in frames if f.dropped),
        "undetermined": {(key, name(text)) for key, f in frames for text in f.undetermined},
        "missed": {(key, name(text)) for key, f in frames for text in f.missed},
        "duplicates": {key for key, f in frames if f.duplicate},
        "orders": {key: (f.hop, route(f.path)) for key, f in frames},
        "nat": (collections.Counter(nat_row(row, name) for row in report["nat"]),
                {key: f.nat for key, f in frames}),
        "quotes": {key: packets[f.quotes] for key, f in frames if f.quotes},
        "changes": {key: sorted(f.change) for key, f in frames},
        "segments": collections.Counter(
            (name(s["from"]), name(s["to"])) + tuple(s.get(c) for c in COUNTS)
            for s in report["segments"]),
        "latencies": {key: (f.latency, f.error) for key, f in frames},
    }


def nat_row(row, name):
    return (row["kind"], row["protocol"], name(row["from"]), name(row["to"]), row["packets"],
            json.dumps([row["before"], row["after"]]), row["confidence"])


def names_back(answer, keys, original):
    """This file's name of a point -> the original's, from the frames; original: key -> name."""
    names = {}
    for key, f in zip(keys, answer.frames[1:]):
        names.setdefault(f.point, original[key])
    return names


def compare(base, other, clocks_kept):
    """The aspects in which two canonical answers differ: {aspect: an example}."""
    found = {aspect: example(base[aspect], other[aspect]) for aspect in base
             if base[aspect] != other[aspect] and (clocks_kept or aspect != "latencies")}
    if "latencies" in found:
        apart = [key for key, a in base["latencies"].items()
                 if contradict(a, other["latencies"].get(key, (None, None)))]
        if apart:
            found["latencies' bounds"] = "%d contradict, as %s" % (len(apart), apart[0])
    return found


def contradict(a, b):
    """Is one latency unknown, or are they farther apart than both errors together?"""
    if None in a or None in b:
        return a != b
    return abs(a[0] - b[0]) > a[1] + b[1]


def example(a, b):
    if isinstance(a, tuple):
        a, b = next((x, y) for x, y in zip(a, b) if x != y)
    if isinstance(a, set):
        only = sorted(a ^ b, key=repr)
        return "%d differ, as %s" % (len(only), only[0])
    only = sorted((k for k in set(a) | set(b) if a.get(k, ABSENT) != b.get(k, ABSENT)), key=repr)
    return "%d differ, as %s: %s, %s" % (len(only), readable(only[0]), a.get(only[0], ABSENT),
                                         b.get(only[0], ABSENT))


def readable(value):
    if isinstance(value, frozenset):
        return sorted((readable(v) for v in value), key=repr)
    return tuple(readable(v) for v in value) if isinstance(value, tuple) else value


class Bench:
    """One file, its answer, and the answers of its variants."""

    def __init__(self, tshark, path, folder):
        self.tshark, self.path, self.folder = tshark, path, folder
        self.merged = Merged(path)
        self.keys = self.merged.keys()
        self.answer = tshark.ask(path, len(self.keys))
        self.points = {key: f.point for key, f in zip(self.keys, self.answer.frames[1:])}
        self.base = canonical(self.answer, self.keys, {})

    def differences(self, variant, clocks_kept):
        path = os.path.join(self.folder, "variant.pcapng")
        variant.write(path)
        keys = [key for key, _, _ in variant.frames]
        answer = self.tshark.ask(path, len(keys))
        names = names_back(answer, keys, self.points)
        return compare(self.base, canonical(answer, keys, names), clocks_kept)

    def one_pass(self):
        """The report of one pass: equal to the last figure, frame numbers and all."""
        done = self.tshark.run("-n", "-q", "-r", self.path, "-z", "corr,report,json")
        report = json.loads(done.stdout.decode())
        return {table: "not as with -2" for table in self.answer.report
                if report.get(table) != self.answer.report[table]}

    def matched(self):
        return sum(n for seen, n in self.base["packets"].items() if len(seen) > 1)


def damages(bench):
    """(aspect, a copy of the bench's answer in which it is wrong)."""
    def first(answer, test):
        return next(f for f in answer.frames[1:] if test(f))

    def damaged(change):
        answer = copy.deepcopy(bench.answer)
        change(answer)
        return answer

    def number_of_another(answer):
        a = first(answer, lambda f: f.ids)
        a.ids = first(answer, lambda f: f.ids and f.ids != a.ids).ids

    def other(attribute, value):
        def change(answer):
            setattr(first(answer, lambda f: getattr(f, attribute)), attribute, value)
        return change

    def one_more(answer):
        answer.report["segments"][0]["lost"] += 1

    def other_port(answer):
        answer.report["nat"][0]["after"]["src_port"] += 1

    yield "packets", damaged(number_of_another)
    yield "drops", damaged(other("verdict", "none such"))
    yield "drops", damaged(other("before", "nowhere"))
    yield "drops", damaged(other("dropped", False))
    yield "orders", damaged(other("hop", 99))
    yield "orders", damaged(other("path", "here > there"))
    yield "points", damaged(other("point", "elsewhere"))
    yield "latencies", damaged(other("latency", 1))
    yield "latencies' bounds", damaged(other("latency", -10**9))
    yield "latencies' bounds", damaged(other("latency", None))
    yield "segments", damaged(one_more)
    yield "nat", damaged(other_port)
    yield "nat", damaged(other("nat", "none such"))
    yield "ambiguous", damaged(lambda answer: setattr(answer.frames[1], "ambiguous", True))


def selftest(bench):
    """The comparison accepts the file itself, and refuses every damage and a lost frame."""
    failures = []
    found = bench.differences(Variant(bench.merged), True)
    if found:
        failures.append("the file itself: %s" % found)
    count = 0
    for aspect, answer in damages(bench):
        count += 1
        if aspect not in compare(bench.base, canonical(answer, bench.keys, {}), True):
            failures.append("damage %d, of %s, is not noticed" % (count, aspect))
    if "packets" not in bench.differences(one_frame_lost(bench.merged), True):
        failures.append("a frame that is not there is not noticed")
    for line in failures:
        print("selftest: FAILED: " + line)
    if not failures:
        print("selftest: %d damages and a lost frame are noticed" % count)
    return not failures


def row(ident, bench, only):
    """Prints a scenario's line; returns what differs without being known, and what is known."""
    cells, failed, known = [], [], []
    for column in only:
        if column == "pass":
            found, moved = bench.one_pass(), True
        else:
            make, clocks_kept = VARIANTS[column]
            variant = make(bench.merged)
            moved = variant.moved
            found = bench.differences(variant, clocks_kept) if moved else {}
        allowed, why = OPEN.get((ident, column), ((), None))
        unexpected = {aspect: text for aspect, text in found.items() if aspect not in allowed}
        stale = [aspect for aspect in allowed if aspect not in found]
        if unexpected or stale:
            cells.append("DIFFERS")
            failed += ["%s, %s: %s: %s" % (ident, column, aspect, text)
                       for aspect, text in unexpected.items()]
            failed += ["%s, %s: %s no longer differ: take them from OPEN" % (ident, column, aspect)
                       for aspect in stale]
        elif found:
            cells.append("open")
            known.append("%s, %s: %s: %s" % (ident, column, ", ".join(sorted(found)), why))
        else:
            cells.append("ok" if moved else "-")
    print("%-8s %7d %7d  %s" % (ident, len(bench.keys), bench.matched(),
                                " ".join(cell.rjust(8) for cell in cells)), flush=True)
    return failed, known


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0],
                                     epilog="example: invariance.py A02 sample")
    parser.add_argument("--build", default=os.environ.get("CORR_BUILD", "build"),
                        help="build folder (CORR_BUILD)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", action="append", choices=["pass"] + list(VARIANTS),
                        help="this one only; may be repeated")
    parser.add_argument("ids", nargs="*", metavar="ID", help="scenarios, or %s" % SAMPLE)
    args = parser.parse_args()
    scenarios = load()
    unknown = [i for i in args.ids if i not in scenarios and i != SAMPLE]
    if unknown:
        print("invariance.py: no such scenario: %s" % " ".join(unknown), file=sys.stderr)
        return 2
    columns = args.variant or ["pass"] + list(VARIANTS)
    sample = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sample",
                          "sample.pcapng")
    tshark = Tshark(args.build)
    failed, known, sound = [], [], True
    try:
        with tempfile.TemporaryDirectory(prefix="corr-sim-") as folder:
            os.chmod(folder, 0o755)
            path = os.path.join(folder, "file.pcapng")
            print("%-8s %7s %7s  %s" % ("ID", "frames", "matched",
                                        " ".join(column.rjust(8) for column in columns)))
            for ident in args.ids or [SAMPLE] + SCENARIOS:
                if ident == SAMPLE:
                    Variant(Merged(sample)).write(path)
                else:
                    generate(scenarios[ident], args.seed, path)
                os.chmod(path, 0o644)
                bench = Bench(tshark, path, folder)
                if not args.ids and ident == SAMPLE:
                    sound = selftest(bench)
                wrong, open_ = row(ident, bench, columns)
                failed += wrong
                known += open_
    finally:
        tshark.close()
    for line in known:
        print("open: " + line)
    for line in failed:
        print("DIFFERS: " + line)
    return 0 if sound and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
