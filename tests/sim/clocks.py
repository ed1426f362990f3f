# SPDX-License-Identifier: GPL-2.0-or-later
"""How well the clocks are told: offsets, drift and steps of the points table, bounds of latencies.

A bound must hold the truth, and must be sharp: no wider than SHARP times half of the true least
round trip plus what time stamps are off by.  The round trip is the least that packets of both
directions show; where no packet goes both ways between two points, the least sum along other
points.  Where there is none either, nobody can know an offset, and none may be told.
"""
import bisect

from net import SEC

SHARP = 1.5
SOFTWARE_NS = 20_000    # software time stamps are off by so much
ROUNDING_NS = 2000
MOMENTS = (0, 0.5, 1)   # of the time that both points cover
DRIFT_PPM = 5           # one-way traffic shows drift to within this
SLEW = 500e-6           # a bend shows once the clock is off by the bound
PACKETS = 20            # of each direction, between two bends: fewer show no drift


def ancestors(record):
    """Sightings of the packet before this one on its way."""
    waiting, seen = list(record["prev"]), []
    while waiting:
        seen.append(waiting.pop())
        waiting += seen[-1]["prev"]
    return seen


class Clocks:
    """The truth: who could know what of whose clock."""

    def __init__(self, truth):
        self.truth, self.points = truth, truth.sim.points
        self.base = truth.frames[1]["stamp"] if len(truth.frames) > 1 else 0
        self.least, self.span, self.way_span, self.times = {}, {}, {}, {}
        for r in truth.frames[1:]:
            at = r["point"]
            low, high = self.span.get(at, (r["t"], r["t"]))
            self.span[at] = min(low, r["t"]), max(high, r["t"])
            if r["role"] != "first":
                continue
            for a in ancestors(r):
                if a["point"] != at:
                    key = (a["point"], at)
                    self.least[key] = min(self.least.get(key, r["t"] - a["t"]), r["t"] - a["t"])
                    self.times.setdefault(key, []).append(r["t"])
                    low, high = self.way_span.get(key, (r["t"], a["t"]))
                    self.way_span[key] = min(low, r["t"]), max(high, a["t"])
        for times in self.times.values():
            times.sort()
        self.joint = dict(self.least)
        ids = [p.id for p in self.points]
        for via in ids:
            for p in ids:
                for q in ids:
                    if p != q and (p, via) in self.joint and (via, q) in self.joint:
                        way = self.joint[p, via] + self.joint[via, q]
                        self.joint[p, q] = min(self.joint.get((p, q), way), way)

    def round_trip(self, p, q):
        """Least time from one point to the other and back; None: nobody can know the offset."""
        for table in (self.least, self.joint):
            if (p, q) in table and (q, p) in table:
                return table[p, q] + table[q, p]
        return None

    def both_ways(self, p, q):
        """When packets went both ways between two points: from, to."""
        ways = [self.way_span.get(key, self.overlap(p, q)) for key in ((p, q), (q, p))]
        return max(a for a, _ in ways), min(b for _, b in ways)

    def sharp(self, p, q, *times):
        """The widest bound that is sharp, for the offset or a latency between two points.

        A line that is known to within a bound for some time is known less well before and after.
        """
        slack = sum(self.points[i].res for i in (p, q)) + SOFTWARE_NS
        low, high = self.both_ways(p, q)
        away = max([0] + [max(low - t, t - high) for t in times])
        return SHARP * (self.round_trip(p, q) / 2 + slack) * (1 + 2 * away / max(high - low, 1))

    def bends(self, p, q):
        """(start, stop) in true time of what either clock does that is no straight line."""
        return sorted(bend for i in (p, q) for bend in self.points[i].bends())

    def is_straight(self, p, q, t, trip):
        """Is t so far from a bend, and so near to packets both ways, that a bound is sharp?"""
        low, high = self.both_ways(p, q)
        if self.bends(p, q) and not low - SEC <= t <= high + SEC:
            return False
        late = int(2 * trip / SLEW) if trip else 0
        if any(self.silent(p, q, t, when) for bend in self.bends(p, q) for when in bend):
            return False
        return not any(start - SEC <= t <= stop + SEC + (late if stop > start else 0) or
                       (stop > start and start - late <= t <= stop)
                       for start, stop in self.bends(p, q))

    def silent(self, p, q, t, when):
        """Do no packets pass both ways between two moments?"""
        low, high = min(t, when), max(t, when)
        return any(bisect.bisect_left(times, low) == bisect.bisect_right(times, high)
                   for times in (self.times.get(key, ()) for key in ((p, q), (q, p))))

    def overlap(self, p, q):
        low = max(self.span[p][0], self.span[q][0])
        return low, max(low, min(self.span[p][1], self.span[q][1]))

    def offset(self, q, p, t):
        return self.points[q].clock(t) - self.points[p].clock(t)


def at_piece(pieces, at_s):
    """(offset, error) in ns, as a reader of the table finds it: the piece, its middle, its drift."""
    piece = ([p for p in pieces if p["from_s"] <= at_s] or pieces[:1])[-1]
    middle = (piece["from_s"] + piece["to_s"]) / 2
    run = piece.get("drift_ppm", 0) * 1e-6 * (at_s - middle)
    return (piece["offset_s"] + run) * 1e9, piece["error_s"] * 1e9


class Judge:
    """Complaints about one answer; worst: how far an offset is off in us, bound over sharp bound."""

    def __init__(self, truth, answer):
        self.clocks, self.answer = Clocks(truth), answer
        self.wrong, self.off_us, self.blunt = [], None, None

    def complain(self, text, *values):
        self.wrong.append(text % values)

    def sharpness(self, what, error, p, q, *times):
        share = error / self.clocks.sharp(p, q, *times) * SHARP
        self.blunt = share if self.blunt is None else max(self.blunt, share)
        if share > SHARP:
            self.complain("%s: bound %.1f us for a round trip of %.1f us", what, error / 1e3,
                          self.clocks.round_trip(p, q) / 1e3)

    def judge_points(self):
        clocks = self.clocks
        names = {p.name: p.id for p in clocks.points}
        for row in self.answer.report.get("points", ()):
            clock = row.get("clock") or {}
            q, p = names.get(row.get("name")), names.get(clock.get("reference"))
            if p is None or q is None or p == q or not {p, q} <= set(clocks.span):
                continue
            trip = clocks.round_trip(p, q)
            if trip is None:
                if "offset_s" in clock:
                    self.complain("clock %s: nobody can know its offset", row["name"])
                self.judge_drift(row["name"], clock, p, q)
                continue
            if "offset_s" not in clock or not clock.get("pieces"):
                self.complain("clock %s: no offset, %s", row["name"], clock.get("status"))
                continue
            self.judge_offsets(row["name"], clock, p, q, trip)
            self.judge_pieces(row["name"], clock["pieces"], p, q, trip)

    def judge_drift(self, name, clock, p, q):
        """Packets in one direction show it, unless chance hides it."""
        clocks = self.clocks
        low, high = clocks.overlap(p, q)
        if high - low < SEC or clocks.bends(p, q):
            return
        true = (clocks.offset(q, p, high) - clocks.offset(q, p, low)) / (high - low) * 1e6
        for piece in clock.get("pieces", ()):
            if abs(piece.get("drift_ppm", true) - true) > DRIFT_PPM:
                self.complain("clock %s: drift %.2f ppm, truth %.2f", name, piece["drift_ppm"],
                              true)

    def judge_offsets(self, name, clock, p, q, trip):
        clocks, ref = self.clocks, self.clocks.points[p]
        slack = ROUNDING_NS + ref.res + clocks.points[q].res
        low, high = clocks.overlap(p, q)
        asked = [(clocks.base + round(clock["at_s"] * 1e9), clock["offset_s"] * 1e9,
                  clock["error_s"] * 1e9, ())]
        for share in MOMENTS:
            # A piece has one bound, for its ends, too.
            at = ref.clock(low + int((high - low) * share))
            asked.append((at,) + at_piece(clock["pieces"], (at - clocks.base) / 1e9) +
                         ((low, high),))
        for at, offset, error, ends in asked:
            # A clock that is set back shows one time twice; either is meant.
            times = {ref.true_time(at), clocks.points[q].true_time(at)}
            off = min(abs(offset - clocks.offset(q, p, t)) for t in times)
            self.off_us = max(self.off_us or 0, off / 1e3)
            if off > error + slack:
                self.complain("clock %s at %.3f s: %.1f us off, bound %.1f us", name,
                              (at - clocks.base) / 1e9, off / 1e3, error / 1e3)
            if all(clocks.is_straight(p, q, t, trip) for t in times):
                self.sharpness("clock %s at %.3f s" % (name, (at - clocks.base) / 1e9), error, p,
                               q, *times, *ends)

    def judge_pieces(self, name, pieces, p, q, trip):
        """Steps that are there are told, and no others; drift is right between them."""
        clocks = self.clocks
        low, high = clocks.overlap(p, q)
        bends = [b for b in clocks.bends(p, q) if low < b[0] < high]
        if not bends and len(pieces) > 1:
            self.complain("clock %s: %d pieces, but it ran straight", name, len(pieces))
        for start, stop in bends:
            jump = abs(clocks.offset(q, p, stop + 1) - clocks.offset(q, p, start - 1))
            if jump > clocks.sharp(p, q) and len(pieces) < 2:
                self.complain("clock %s: the change at %.3f s is not told", name, start / 1e9)
        ref = clocks.points[p]
        for piece in pieces:
            t = [ref.true_time(clocks.base + round(piece[k] * 1e9)) for k in ("from_s", "to_s")]
            if "drift_ppm" not in piece or t[1] - t[0] < SEC or \
                    any(a < t[1] and b > t[0] for a, b in bends):
                continue
            true = (clocks.offset(q, p, t[1]) - clocks.offset(q, p, t[0])) / (t[1] - t[0]) * 1e6
            allowed = 2 * piece["error_s"] * 1e9 / (t[1] - t[0]) * 1e6 + 0.1
            if abs(piece["drift_ppm"] - true) > allowed:
                self.complain("clock %s: drift %.2f ppm, truth %.2f", name, piece["drift_ppm"],
                              true)

    def judge_latencies(self):
        """The bound of most latencies between two points is sharp, too."""
        clocks, errors = self.clocks, {}
        for r in clocks.truth.frames[1:]:
            f = self.answer.frames[r["frame"]]
            if "latency" not in r or f.latency is None or f.error is None:
                continue
            p, q = r["prev"][0]["point"], r["point"]
            trip = clocks.round_trip(p, q)
            if trip is None:
                self.complain("frame %d: nobody can know this latency", r["frame"])
                return
            low, high = clocks.both_ways(p, q)
            if low <= r["t"] <= high and clocks.is_straight(p, q, r["t"], trip):
                errors.setdefault((p, q), []).append(f.error)
        for (p, q), list_ in sorted(errors.items()):
            if len(list_) >= PACKETS:
                names = clocks.points[p].name, clocks.points[q].name
                self.sharpness("latency %s > %s" % names, sorted(list_)[len(list_) // 2], p, q)


def oracle(truth):
    """The points table that an engine without any fault would make."""
    clocks = Clocks(truth)
    if not clocks.span:
        return []
    ref = min(clocks.span)
    rows = []
    for p in clocks.points:
        clock = {"reference": clocks.points[ref].name, "status": "unknown"}
        rows.append({"name": p.name, "clock": clock})
        if p.id == ref:
            clock.update(status="reference", offset_s=0, error_s=0)
            continue
        if p.id not in clocks.span or clocks.round_trip(ref, p.id) is None:
            continue
        low, high = clocks.overlap(ref, p.id)
        cuts = {low, high} | {t for bend in clocks.bends(ref, p.id) for t in bend}
        cuts = sorted(t for t in cuts if low <= t <= high)
        pieces = [piece(clocks, ref, p.id, a, b) for a, b in zip(cuts, cuts[1:] or cuts)]
        best = pieces[0]
        clock.update(status="bounded", pieces=pieces, offset_s=best["offset_s"],
                     error_s=best["error_s"], at_s=(best["from_s"] + best["to_s"]) / 2)
    return rows


def piece(clocks, p, q, start, stop):
    stop = max(stop - 1, start)
    at = [(clocks.points[p].clock(t) - clocks.base) / 1e9 for t in (start, stop)]
    offset = [clocks.offset(q, p, t) for t in (start, stop)]
    made = {"from_s": at[0], "to_s": at[1], "offset_s": sum(offset) / 2e9, "error_s": 1e-6}
    if stop > start:
        made["drift_ppm"] = (offset[1] - offset[0]) / (at[1] - at[0]) / 1e3
    return made
