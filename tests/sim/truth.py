# SPDX-License-Identifier: GPL-2.0-or-later
"""The truth about a simulated capture: packets, sightings, losses, translations.

A packet is the smallest unit that any point saw on its own (the common
refinement of all cuts), so the simulator's byte ranges are cut here, after the
run, where every sighting is known.  Rows are written as JSON lines.
"""
import bisect
import json

import story
from packets import ip_text


def endpoint(address, port):
    return [ip_text(address), port]


class Truth:
    """Rows by kind, and the tables the scorer needs."""

    def __init__(self, sim, merged):
        self.points = [p.name for p in sim.points]
        self.frames = [None] + merged          # by frame number
        self.sim = sim
        cuts = {}
        for r in merged:
            for (tx, a, b), _ in r["units"]:
                cuts.setdefault(tx, set()).update((a, b))
        self.cuts = {tx: sorted(c) for tx, c in cuts.items()}
        self.pids = {}
        for tx in sorted(self.cuts):
            for i in range(len(self.cuts[tx]) - 1):
                self.pids[(tx, i)] = len(self.pids)
        for r in merged:
            # One list of packet numbers per layer, outermost first.
            r["layers"] = [[] for _ in range(1 + max([d for _, d in r["units"]], default=0))]
            for x, depth in r["units"]:
                r["layers"][depth] += self.units_of(x)
            r["pids"] = [pid for layer in r["layers"] for pid in layer]
        self.link_trails(merged)
        self.seen = {}
        for r in merged:
            for pid in r["pids"]:
                self.seen.setdefault(pid, []).append(r)
        self.drops = self.find_drops()
        self.missed = self.find_missed()

    def units_of(self, x):
        """Packet numbers inside (transmission, a, b); only units that somebody saw."""
        tx, a, b = x
        cuts = self.cuts.get(tx)
        if not cuts:
            return []
        first = max(0, bisect.bisect_right(cuts, a) - 1)
        out = []
        for i in range(first, len(cuts) - 1):
            if cuts[i] >= b:
                break
            if cuts[i + 1] > a:
                out.append(self.pids[(tx, i)])
        return out

    def link_trails(self, merged):
        """Where each record was seen before: its previous record(s) and its hop."""
        for r in merged:
            r["prev"] = [self.sim.records[i] for i in r["trail"]]
        for r in sorted(merged, key=lambda r: r["t"]):
            r["hop"] = 1 + max([p.get("hop", 0) for p in r["prev"]], default=0)
            if r["role"] == "first" and r["prev"]:
                r["latency"] = r["t"] - max(p["t"] for p in r["prev"])
                r["first_t"] = min(p.get("first_t", p["t"]) for p in r["prev"])
            else:
                r["first_t"] = r["t"]

    def find_drops(self):
        """(frame, position in its layer or 0, after, before, cause, points left)."""
        out = []
        for d in self.sim.drops:
            if not d["trail"]:
                continue              # lost before any point saw it
            for i in d["trail"]:
                record = self.sim.records[i]
                lost = {pid for x in d["tx"] for pid in self.units_of(x)}
                before = None if d["before"] is None else self.points[d["before"]]
                subs = set()
                for layer in record["layers"]:
                    for n, pid in enumerate(layer):
                        if pid in lost:
                            subs.add(n if len(layer) > 1 else 0)
                for sub in sorted(subs):
                    out.append(dict(frame=record["frame"], sub=sub,
                                    after=self.points[record["point"]], before=before,
                                    cause=d["cause"], left=d["points_left"], flow=record["flow"],
                                    dir=record["dir"]))
        return out

    def find_missed(self):
        """Packets that a point's capture tool lost: {(packet, point): true time}."""
        return {(pid, self.points[point]): t for point, units, t in self.sim.caploss
                for x in units for pid in self.units_of(x)}

    def proved_missed(self):
        """Those of which sightings before and after the point exist."""
        out = set()
        for (pid, point), t in self.missed.items():
            times = [r["t"] for r in self.seen.get(pid, ())]
            if times and min(times) < t < max(times):
                out.add((pid, point))
        return out

    def rows(self):
        for p in self.sim.points:
            yield p.truth()
        txs = self.sim.txs
        first = {}
        for (tx, i), pid in self.pids.items():
            first.setdefault(tx, pid)
        for (tx, i), pid in self.pids.items():
            t = txs[tx]
            cuts = self.cuts[tx]
            whole = len(cuts) == 2
            yield dict(k="tx", pid=pid, flow=str(t["flow"]), dir="c2s" if t["dir"] else "s2c",
                       proto=t["proto"], range=None if whole else [cuts[i], cuts[i + 1]],
                       ctl=t["ctl"], rexmit_of=first.get(t["rexmit_of"]),
                       again=t["rexmit_of"] is not None,
                       path=[r["point"] for r in self.seen[pid]])
        for r in self.frames[1:]:
            for pid in r["pids"]:
                yield dict(k="obs", pid=pid, point=r["point"], frame=r["frame"],
                           t_true_ns=r["t"], role=r["role"], hop=r["hop"])
        for d in self.drops:
            yield dict(d, k="drop", flow=str(d["flow"]))
        for pid, point in sorted(self.missed):
            yield dict(k="caploss", pid=pid, point=point)
        for n in self.sim.nats:
            yield dict(k="nat", between=n["between"], type=n["type"], proto=n["proto"],
                       pre=endpoint(*n["pre"][:2]) + endpoint(*n["pre"][2:]),
                       post=endpoint(*n["post"][:2]) + endpoint(*n["post"][2:]))
        for x in self.sim.xforms:
            yield dict(x, k="xform", flow=str(x["flow"]))
        for error, of in self.sim.quotes:
            if (error, 0) in self.pids and self.units_of(of):
                yield dict(k="quote", pid=self.pids[(error, 0)], of=self.units_of(of)[0])
        yield from story.rows(self)

    def write(self, path):
        with open(path, "w") as f:
            for row in self.rows():
                f.write(json.dumps(row) + "\n")
