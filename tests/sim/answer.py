# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine says about a file: asked from tshark, or made from the truth (the oracle)."""
import json
import os
import shutil
import subprocess
import tempfile

import clocks
import findings
import story
from packets import ip_text

FIELDS = ("frame.number corr.point corr.match_id corr.hop corr.ambiguous corr.dropped "
          "corr.drop.after corr.drop.before corr.drop.verdict corr.drop.cause corr.drop.match_id "
          "corr.undetermined corr.missed corr.duplicate corr.hop_latency corr.hop_latency.error "
          "corr.nat corr.path corr.quotes corr.change corr.method corr.originated corr.transaction "
          "corr.phase").split()


class Frame:
    """The values of one frame; absent ones are None or empty."""

    def __init__(self):
        self.point = self.hop = self.after = self.before = self.verdict = self.cause = None
        self.originated = None
        self.latency = self.error = self.nat = self.path = self.quotes = None
        self.ids, self.drop_ids, self.undetermined, self.missed, self.change = [], [], [], [], []
        self.method, self.transactions, self.phases = [], [], []
        self.ambiguous = self.dropped = self.duplicate = False


class Answer:
    """frames[n] for frame n; report: the JSON document; seconds: cost of asking."""

    def __init__(self, count):
        self.frames = [None] + [Frame() for _ in range(count)]
        self.report = {}
        self.made_from_truth = False


def ns(text):
    """Seconds with a decimal fraction -> nanoseconds, without floating point."""
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("-").partition(".")
    return sign * (int(whole) * 10**9 + int((part + "0" * 9)[:9]))


class Tshark:
    """Runs tshark with the plug-ins of a build tree, as an ordinary user.

    Wireshark ignores WIRESHARK_PLUGIN_DIR for root, so root steps down to another
    user, who needs a copy of the plug-ins in a folder that everybody can read.
    """

    def __init__(self, build):
        self.fields = None
        self.home = tempfile.mkdtemp(prefix="corr-sim-")
        os.chmod(self.home, 0o755)
        found = None
        for folder, _, files in os.walk(os.path.join(build, "wireshark")):
            if os.path.basename(folder) == "epan" and any(f.endswith(".so") for f in files):
                found = os.path.dirname(os.path.dirname(folder))
        if not found:
            self.close()
            raise SystemExit("score.py: no plug-ins below %s/wireshark: build first, or set "
                             "CORR_BUILD" % build)
        self.plugins = os.path.join(self.home, "plugins")
        shutil.copytree(found, self.plugins)
        for folder, _, files in os.walk(self.plugins):
            os.chmod(folder, 0o755)
            for name in files:
                os.chmod(os.path.join(folder, name), 0o755)
        self.user = os.path.join(self.home, "user")
        os.mkdir(self.user, 0o777)
        os.chmod(self.user, 0o777)
        self.prefix = []
        if os.getuid() == 0:
            self.prefix = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"]

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, *args):
        env = dict(os.environ, HOME=self.user, XDG_CONFIG_HOME=self.user,
                   WIRESHARK_PLUGIN_DIR=self.plugins)
        return subprocess.run(self.prefix + ["tshark"] + list(args), env=env, cwd=self.user,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def known_fields(self):
        """Those of FIELDS that this build registers."""
        if self.fields is None:
            listed = self.run("-G", "fields").stdout.decode(errors="replace").split("\n")
            known = {line.split("\t")[2] for line in listed if line.startswith("F\t")}
            self.fields = [f for f in FIELDS if f in known]
        return self.fields

    def ask(self, path, count):
        """Fields and report in one run: the report follows the last frame's line."""
        answer = Answer(count)
        args = ["-2", "-n", "-r", path, "-z", "corr,report,json", "-T", "fields",
                "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|"]
        fields = self.known_fields()
        for field in fields:
            args += ["-e", field]
        done = self.run(*args)
        if done.returncode != 0:
            raise RuntimeError("tshark: %d %s" % (done.returncode,
                                                  done.stderr.decode(errors="replace")[-300:]))
        lines = done.stdout.decode(errors="replace").split("\n")
        at = 0
        while at < len(lines) and lines[at][:1].isdigit():
            fill(answer, dict(zip(fields, lines[at].split("\t"))))
            at += 1
        if at != count:
            raise RuntimeError("tshark: %d frames, not %d" % (at, count))
        try:
            answer.report = json.loads("\n".join(lines[at:]))
        except ValueError:
            raise RuntimeError("report: no JSON: %s" % " ".join(lines[at:])[:100]) from None
        return answer


def many(text):
    return text.split("|") if text else []


def fill(answer, row):
    n = int(row["frame.number"])
    if n >= len(answer.frames):
        return
    f = answer.frames[n]
    f.point = row["corr.point"] or None
    f.ids = [int(x) for x in many(row["corr.match_id"])]
    f.hop = int(many(row["corr.hop"])[0]) if row["corr.hop"] else None
    f.ambiguous, f.dropped = bool(row["corr.ambiguous"]), bool(row["corr.dropped"])
    f.duplicate = bool(row["corr.duplicate"])
    f.after, f.before = row["corr.drop.after"] or None, row["corr.drop.before"] or None
    f.verdict, f.cause = row["corr.drop.verdict"] or None, row["corr.drop.cause"] or None
    f.drop_ids = [int(x) for x in many(row["corr.drop.match_id"])]
    f.undetermined, f.missed = many(row["corr.undetermined"]), many(row["corr.missed"])
    f.change, f.method = many(row["corr.change"]), many(row["corr.method"])
    f.nat, f.path = row["corr.nat"] or None, row["corr.path"] or None
    f.originated = row["corr.originated"] or None
    f.transactions = [int(x) for x in many(row.get("corr.transaction", ""))]
    f.phases = many(row.get("corr.phase", ""))
    if row["corr.hop_latency"]:
        f.latency = ns(many(row["corr.hop_latency"])[0])
    if row["corr.hop_latency.error"]:
        f.error = ns(many(row["corr.hop_latency.error"])[0])
    if row["corr.quotes"]:
        f.quotes = int(many(row["corr.quotes"])[0])


def oracle(truth, expect):
    """The answer that an engine without any fault would give: to test the scorer with."""
    answer = Answer(len(truth.frames) - 1)
    answer.made_from_truth = True
    two_way = expect.get("latency", "all") == "all"
    seen = {pid: {r["point"] for r in rs} for pid, rs in truth.seen.items()}
    unordered = set(expect.get("unordered", ()))
    for r in truth.frames[1:]:
        f = answer.frames[r["frame"]]
        f.point = truth.points[r["point"]]
        f.ids = [pid + 1 for pid in r["pids"]]
        f.duplicate = r["role"] == "dup"
        matched = any(len(seen[pid]) > 1 for pid in r["pids"])
        here = {truth.points[p] for pid in r["pids"] for p in seen[pid]} & unordered
        if matched and not (len(here) > 1 and f.point in unordered):
            f.hop = r["hop"]
        if two_way and "latency" in r:
            f.latency, f.error = r["latency"], 1000
        if r["prev"] and r["tuple"] != first_tuple(r):
            f.nat = "translated"
    for pid, point in truth.proved_missed():
        for r in truth.seen[pid]:
            if r["t"] > truth.missed[(pid, point)]:
                answer.frames[r["frame"]].missed.append(point)
    lost = {}
    for d in truth.drops:
        if d["before"] is None and d["left"]:
            answer.frames[d["frame"]].undetermined = ["tail"]
            continue
        f = answer.frames[d["frame"]]
        f.dropped, f.after, f.before, f.verdict = True, d["after"], d["before"], "probable"
        layer = next(x for x in truth.frames[d["frame"]]["layers"] if len(x) > d["sub"])
        if len(layer) > 1:
            f.drop_ids.append(layer[d["sub"]] + 1)
        key = (d["after"], d["before"])
        lost[key] = lost.get(key, 0) + 1
    rows = [{"from": a, "to": b, "lost": n} for (a, b), n in lost.items()]
    for pair, rtt in expect.get("rtt", {}).items():
        a, b = pair.split("-")
        rows.append({"from": a, "to": b, "lost": 0, "rtt_min_s": rtt / 1e9})
    answer.report = {"segments": rows,
                     "nat": [nat_row(n) for n in truth.sim.nats], "points": clocks.oracle(truth),
                     "phases": story.oracle_rows(truth),
                     "findings": findings.oracle(expect.get("ident"))}
    for number, frames in story.frames_of(truth):
        for n in frames:
            answer.frames[n].transactions.append(number)
    return answer


def first_tuple(r):
    while r["prev"]:
        r = r["prev"][0]
    return r["tuple"]


def nat_row(n):
    def side(t):
        return {"src": ip_text(t[0]), "src_port": t[1], "dst": ip_text(t[2]), "dst_port": t[3]}
    return {"kind": "any", "protocol": {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6"}[n["proto"]],
            "from": n["between"][0], "to": n["between"][1], "before": side(n["pre"]),
            "after": side(n["post"])}
