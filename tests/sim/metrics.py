# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions of the measures, and the bounds that a scenario sets on them.

A scenario's expectation (keywords of topo.scenario) may hold

packets pairs drops caploss nat dups    exact numbers in the truth: the simulator against the
                                        catalogue
P R dP dR mP mR nP nR oP oR cover phP phR
                                        least values of the engine's measures; default 1, but
                                        cover 0.999
unordered       points whose order relative to each other nobody can know
order           "any": the order is not judged
latency         "all" (default), "none": must be absent, None: not judged
rtt             {"p-q": ns}: the least clock-free round trip in the segments table
clock           {"p-q": ns}: the bound of the latency between two points, at most
verdicts        {verdict: number} of drops
cause           what corr.drop.cause must say of every loss
corrupt         True: losses with the cause corruption are not judged
segments        False: the counts of the segments table are not judged
undetermined    number of frames with corr.undetermined
ambiguous       share of frames that may be ambiguous (default 0)
names           False: names of points are not judged (collapsed files)
findings        False: which rules of findings speak is not judged
fconf fprob     wrong losses that may be called confirmed (default 0), or something else (any number)
loose           True: the file is damaged; only what holds for any bytes is judged
checks          callables (truth, answer) -> list of complaints
"""
import clocks
import findings
import story
from packets import ip_text

SLACK_NS = 60_000     # time stamp slack that the clock bound may contain


def ratio(hit, total):
    return 1.0 if total == 0 else hit / total


def true_pairs(truth):
    pairs = set()
    for rs in truth.seen.values():
        rs = [r for r in rs if r["role"] == "first"]
        for i, a in enumerate(rs):
            for b in rs[i + 1:]:
                if a["point"] != b["point"]:
                    pairs.add((min(a["frame"], b["frame"]), max(a["frame"], b["frame"])))
    return pairs


def engine_pairs(truth, answer):
    """Pairs of frames that share a number; at one point only where that is wrong."""
    groups = {}
    for r in truth.frames[1:]:
        if r["role"] == "first":
            for ident in answer.frames[r["frame"]].ids:
                groups.setdefault(ident, []).append(r)
    pairs = set()
    for rs in groups.values():
        if len(rs) > 2000:
            rs = rs[:2000]
        for i, a in enumerate(rs):
            for b in rs[i + 1:]:
                if a["point"] != b["point"] or not set(a["pids"]) & set(b["pids"]):
                    pairs.add((min(a["frame"], b["frame"]), max(a["frame"], b["frame"])))
    return pairs


def drop_events(truth, answer):
    """Engine's losses as (frame, position in its layer or 0, after, before)."""
    events = {}
    for r in truth.frames[1:]:
        f = answer.frames[r["frame"]]
        if not f.dropped:
            continue
        subs = [0]
        if len(f.ids) > 1 and f.drop_ids and len(r["layers"]) == 1:
            subs = [f.ids.index(i) if i in f.ids else -1 for i in f.drop_ids]
        for sub in subs:
            events[(r["frame"], sub, f.after, f.before)] = f.verdict
    return events


def measure(truth, answer, expect):
    """(measures, failures)."""
    out, failures = {}, []

    def fail(text):
        failures.append(text)

    def exact(name, got):
        if name in expect and expect[name] != got:
            fail("simulator: %s %s, catalogue %s" % (name, got, expect[name]))

    def least(name, default=1.0):
        bound = expect.get(name, default)
        if out.get(name) is not None and bound is not None and out[name] < bound:
            fail("%s %.4f < %.4f" % (name, out[name], bound))

    names = expect.get("names", True)
    exact("packets", len(truth.pids))
    judge_pairs(truth, answer, out, exact)
    least("P")
    least("R")
    allowed = expect.get("ambiguous", 0)
    share = ratio(sum(f.ambiguous for f in answer.frames[1:]), len(answer.frames) - 1)
    if len(answer.frames) > 1 and share > allowed:
        fail("ambiguous %.4f of all frames" % share)

    judge_drops(truth, answer, expect, out, fail, exact, names)
    for name in ("dP", "dR", "mP", "mR"):
        least(name)
    judge_nat(truth, answer, out, exact, fail, expect)
    for name in ("nP", "nR"):
        least(name)
    judge_order(truth, answer, expect, out, fail)
    least("oP")
    least("oR")
    judge_latency(truth, answer, expect, out, fail)
    least("cover", 0.999)
    if names and not expect.get("loose") and expect.get("latency", "all") is not None:
        failures += judge_clock(truth, answer, expect, out)
    judge_rtt(answer, expect, fail)
    if expect.get("dups", 0) is not None and not expect.get("loose"):
        judge_duplicates(truth, answer, fail, exact)
    if getattr(truth.sim, "stories", None):
        judge_phases(truth, answer, expect, out, fail)
        least("phP")
        least("phR")
    if not expect.get("loose") and "findings" in answer.report:
        failures += findings.check_rows(answer)
        if expect.get("findings", True):
            failures += findings.complain(expect.get("ident"), answer)
    for check in expect.get("checks", ()):
        failures += check(truth, answer)
    return out, failures


def judge_pairs(truth, answer, out, exact):
    true, found = true_pairs(truth), engine_pairs(truth, answer)
    out["pairs"] = len(true)
    exact("pairs", len(true))
    out["P"] = ratio(len(true & found), len(found))
    out["R"] = ratio(len(true & found), len(true))


def judge_drops(truth, answer, expect, out, fail, exact, names):
    blank = {p.name for p in truth.sim.points} - \
        {truth.points[r["point"]] for r in truth.frames[1:]}   # shows nothing: it may not exist
    lost = {(d["frame"], d["sub"], d["after"], None if d["before"] in blank else d["before"]):
            d["before"] is not None or not d["left"] for d in truth.drops}
    true = {d for d, told in lost.items() if told}   # the others may be told, or be `tail`
    found = drop_events(truth, answer)
    if expect.get("corrupt"):
        found = {e: v for e, v in found.items() if answer.frames[e[0]].cause != "corruption"}
    if not names:
        true = {(f, s, None, None) for f, s, _, _ in true}
        found = {(f, s, None, None): v for (f, s, _, _), v in found.items()}
    out["drops"] = len(true)
    exact("drops", len(true))
    found = {e: v for e, v in found.items() if e in true or e not in lost}
    out["dP"] = ratio(len(true & set(found)), len(found))
    out["dR"] = ratio(len(true & set(found)), len(true))
    out["fconf"] = sum(1 for e, v in found.items() if v == "confirmed" and e not in true)
    out["fprob"] = sum(1 for e, v in found.items() if v != "confirmed" and e not in true)
    out["frames"] = len(truth.frames) - 1
    out["wrong"] = sorted((e, v) for e, v in found.items() if e not in true)
    if out["fconf"] > expect.get("fconf", 0):
        fail("%d false confirmed losses" % out["fconf"])
    if out["fprob"] > expect.get("fprob", len(truth.frames)):
        fail("%d false losses" % out["fprob"])
    if expect.get("cause") and not answer.made_from_truth:
        wrong = [f.cause for f in answer.frames[1:] if f.dropped and f.cause != expect["cause"]]
        if wrong:
            fail("cause of %d losses is %s, not %s" % (len(wrong), wrong[0], expect["cause"]))
    for verdict, number in expect.get("verdicts", {}).items():
        if answer.made_from_truth:
            break
        got = sum(v == verdict for v in found.values())
        if got != number:
            fail("%d %s, not %d" % (got, verdict, number))
    if "undetermined" in expect:
        got = sum(bool(f.undetermined) for f in answer.frames[1:])
        if got != expect["undetermined"]:
            fail("%d undetermined, not %d" % (got, expect["undetermined"]))
    if names and true and expect.get("segments", True):
        judge_segments(true, answer, fail)
    judge_missed(truth, answer, out, exact)


def judge_missed(truth, answer, out, exact):
    """Capture loss.  A point that does not cover the time is no error to name."""
    points = {p.name: p for p in truth.sim.points}
    said, wrong = set(), set()
    for r in truth.frames[1:]:
        for point in answer.frames[r["frame"]].missed:
            right = {(pid, point) for pid in r["pids"] if (pid, point) in truth.missed}
            said |= right
            if not right and (point not in points or points[point].covers(r["t"])):
                wrong.add((r["frame"], point))
    proved = truth.proved_missed()
    exact("caploss", len(truth.missed))
    out["miss"] = len(truth.missed)
    out["mP"] = ratio(len(said), len(said) + len(wrong))
    out["mR"] = ratio(len(said & proved), len(proved))


def judge_segments(true, answer, fail):
    """The counts of the segments table are exact even where identities are not."""
    lost = {}
    for _, _, after, before in true:
        lost[(after, before)] = lost.get((after, before), 0) + 1
    rows = answer.report.get("segments")
    if rows is None:
        fail("no segments table")
        return
    said = {}
    for row in rows:
        key = (row.get("from"), row.get("to"))
        said[key] = said.get(key, 0) + row.get("lost", 0)
    for key in sorted(lost, key=str):
        if key[1] is not None and said.get(key, 0) != lost[key]:
            fail("segments: %s > %s lost %d, not %d" % (key + (said.get(key, 0), lost[key])))


def endpoints(t, proto):
    port = None if proto in (1, 58) else t[3]
    return (ip_text(t[0]), t[1], ip_text(t[2]), port)


def judge_nat(truth, answer, out, exact, fail, expect):
    true = {(tuple(n["between"]), endpoints(n["pre"], n["proto"]), endpoints(n["post"], n["proto"]))
            for n in truth.sim.nats}
    found = set()
    kinds = expect.get("kinds")
    for row in answer.report.get("nat", ()):
        icmp = str(row.get("protocol", "")).lower().startswith("icmp")
        sides = []
        for side in ("before", "after"):
            t = row.get(side, {})
            sides.append((t.get("src"), t.get("src_port"), t.get("dst"),
                          None if icmp else t.get("dst_port")))
        found.add(((row.get("from"), row.get("to")), sides[0], sides[1]))
        if kinds and row.get("kind") not in kinds and row.get("kind") != "any":
            fail("nat kind %s" % row.get("kind"))
    exact("nat", len(true))
    out["nat"] = len(true)
    out["nP"] = ratio(len(true & found), len(found))
    out["nR"] = ratio(len(true & found), len(true))
    # The field: present where the packet looks different from its first sighting.
    for r in truth.frames[1:]:
        if r["role"] != "first" or not r["prev"] or len(r["layers"]) > 1:
            continue
        start = r
        while start["prev"]:
            start = start["prev"][0]
        want = start["tuple"] != r["tuple"]
        if want != (answer.frames[r["frame"]].nat is not None) and expect.get("nR", 1) == 1:
            fail("frame %d: corr.nat %s" % (r["frame"], "absent" if want else "present"))
            return


def judge_order(truth, answer, expect, out, fail):
    if expect.get("order") == "any":
        return
    loose = set(expect.get("unordered", ()))
    said = right = wanted = 0
    for r in truth.frames[1:]:
        if r["role"] != "first" or not r["pids"]:
            continue
        f = answer.frames[r["frame"]]
        lead = r["layers"][-1][0] if len(r["layers"]) > 1 else r["pids"][0]
        if f.ambiguous or len({x["point"] for x in truth.seen[lead]}) < 2:
            continue
        if loose:
            points = {truth.points[x["point"]] for x in truth.seen[lead]}
            if len(points & loose) > 1:
                if f.hop is not None and truth.points[r["point"]] in loose:
                    said += 1         # nobody can know this
                continue
        wanted += 1
        if f.hop is not None:
            said += 1
            right += f.hop == r["hop"]
    out["oP"], out["oR"] = ratio(right, said), ratio(right, wanted)


def judge_latency(truth, answer, expect, out, fail):
    mode = expect.get("latency", "all")
    points = truth.sim.points
    present = wanted = covered = 0
    errors = {}
    for r in truth.frames[1:]:
        f = answer.frames[r["frame"]]
        if f.latency is not None and f.latency < 0:
            fail("frame %d: negative latency" % r["frame"])
        if "latency" not in r:
            continue
        wanted += 1
        if f.latency is None:
            continue
        present += 1
        prev = r["prev"][0]
        slack = points[r["point"]].res + points[prev["point"]].res
        covered += f.error is not None and abs(f.latency - r["latency"]) <= f.error + slack
        pair = tuple(sorted((prev["point"], r["point"])))
        errors.setdefault(pair, []).append(f.error or 0)
    out["lat"] = ratio(present, wanted)
    if mode == "none":
        if present:
            fail("latency invented on %d frames" % present)
        return
    if mode is None:
        return
    out["cover"] = ratio(covered, present)
    if out["lat"] < expect.get("lat", 0.95):
        fail("latency on only %.3f of the sightings" % out["lat"])
    for pair, bound in expect.get("clock", {}).items():
        a, b = (truth.points.index(n) for n in pair.split("-"))
        got = sorted(errors.get((min(a, b), max(a, b)), [0]))
        if got[len(got) // 2] > bound + SLACK_NS:
            fail("latency bound %s is %d us" % (pair, got[len(got) // 2] // 1000))


def judge_rtt(answer, expect, fail):
    """The clock-free round trip of a segment is exact but for drift and the path's own jitter."""
    for pair, rtt in expect.get("rtt", {}).items():
        ends = set(pair.split("-"))
        said = [row["rtt_min_s"] for row in answer.report.get("segments") or ()
                if {row.get("from"), row.get("to")} == ends and "rtt_min_s" in row]
        if not said or abs(min(said) * 1e9 - rtt) > 3000:
            fail("segment RTT %s %s, not %d us" % (pair, said[:1], rtt // 1000))


def judge_clock(truth, answer, expect, out):
    """Clocks of the points table, and the bounds of latencies; see clocks.py."""
    judge = clocks.Judge(truth, answer)
    judge.judge_points()
    if expect.get("latency", "all") == "all":
        judge.judge_latencies()
    out["clk_us"] = None if judge.off_us is None else round(judge.off_us, 1)
    out["blunt"] = None if judge.blunt is None else round(judge.blunt, 2)
    return judge.wrong


def judge_phases(truth, answer, expect, out, fail):
    """Durations, splits and events of the table `phases`; see story.py."""
    judge = story.Judge(truth, answer.report.get("phases", ()), expect.get("phR", 1) < 1)
    if answer.report.get("phases"):
        judge.judge_frames(answer)
    out["ph"] = judge.wanted
    out["phP"] = ratio(judge.right, judge.said)
    out["phR"] = ratio(judge.right, judge.wanted)
    for text in judge.wrong:
        fail(text)


def judge_duplicates(truth, answer, fail, exact):
    true = {r["frame"] for r in truth.frames[1:] if r["role"] == "dup"}
    found = {n for n, f in enumerate(answer.frames) if f is not None and f.duplicate}
    exact("dups", len(true))
    if true != found:
        fail("duplicates: %d missed, %d wrong" % (len(true - found), len(found - true)))
