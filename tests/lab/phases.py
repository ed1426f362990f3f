# SPDX-License-Identifier: GPL-2.0-or-later
"""Judges phases and findings of -z corr,report,json by what the makers of the traffic themselves measured.

phases.py timings REPORT CURL [REPORT CURL] -- TLS...
    phases against curl's -w %{json}; TLS of each request: "1.3", "1.2+" (resumed), "-" (none). Where
    curl was late in one measurement, the other one decides; a wrong answer is wrong in either.
phases.py lookups REPORT DIG...          lookups alone against dig's "Query time", in ms
phases.py first REPORT RULE [CAUSE...]   the first finding of the report, captures aside ("a|b": one of
    these rules), and findings that it follows from
phases.py quiet REPORT                   no finding worse than a note
phases.py again REPORT SENT_AGAIN        segments sent again, over all phases: the kernel's count
"""
import json
import re
import sys
import time

CLOCK_REALTIME_COARSE = 5
# curl prints microseconds, cut off, and takes a difference of two. Nothing else can make a phase
# longer than curl's figure: its frames were captured between the two moments that curl noted.
ROUNDING_S = 2e-6
CURL_WORK_S = 3e-3
ANSWER_S = 1e-3
LOOKUP_S = 5e-3  # the way there and back is longer: a faster answer came from curl's own cache


def fail(text):
    sys.exit("phases.py %s: %s" % (sys.argv[1], text))


def load(path):
    with open(path) as file:
        return json.load(file)


def durations(row):
    found = {}
    for phase in row["phases"]:
        found[phase["name"]] = found.get(phase["name"], 0) + phase["duration_s"]
    return found


def figures(line):
    """What curl says: seconds per phase; none that it did not do."""
    at = {name: line["time_" + name] for name in
          ("namelookup", "connect", "appconnect", "pretransfer", "starttransfer", "total")}
    phases = {"server": at["starttransfer"] - at["pretransfer"],
              "download": at["total"] - at["starttransfer"]}
    if line["num_connects"]:
        if at["namelookup"] > LOOKUP_S:
            phases["dns"] = at["namelookup"]
        phases["connect"] = at["connect"] - at["namelookup"]
        if at["appconnect"] > 0:
            phases["tls"] = at["appconnect"] - at["connect"]
    return phases


def compare(row, line, version, most):
    """What is wrong with one transaction: [what no busy machine excuses], [curl was late]."""
    wrong, late = [], []
    said = "-" if "tls" not in row else re.sub("[^0-9.]", "", row["tls"])
    said += "+" if row.get("tls_resumed") else ""
    if line["num_connects"] and said != version:
        wrong.append("TLS %s, not %s" % (said, version))
    ours, theirs = durations(row), figures(line)
    for name, truth in theirs.items():
        if name not in ours:
            wrong.append("no phase " + name)
            continue
        diff = ours[name] - truth
        text = "%s took %.6f s, curl says %.6f" % (name, ours[name], truth)
        if abs(diff) > abs(most.get(name, 0)):
            most[name] = diff
        if name in ("server", "download"):
            late += [text] if abs(diff) > ANSWER_S else []
        elif diff > ROUNDING_S:
            wrong.append(text)
        elif diff < -CURL_WORK_S:
            late.append(text)
    wrong += ["a phase %s that curl did not have" % name
              for name in ("dns", "connect", "tls") if name in ours and name not in theirs]
    return wrong, late


def timings(*arguments):
    cut = arguments.index("--")
    files, tls = arguments[:cut], arguments[cut + 1:]
    wrong, late, most = [], {}, {}
    for report, curl in zip(files[::2], files[1::2]):
        with open(curl) as file:
            lines = [json.loads(text) for text in file]
        if len(lines) != len(tls):
            fail("curl made %d requests, not %d" % (len(lines), len(tls)))
        by_port = {}
        for row in load(report)["phases"]:
            if row["kind"] != "dns":
                by_port.setdefault(int(row["client"].rpartition(":")[2]), []).append(row)
        for number, (line, version) in enumerate(zip(lines, tls)):
            where = "request %d (%s): " % (number + 1, line["url"])
            rows = by_port.get(line["local_port"])
            if not rows:
                wrong.append(where + "no transaction")
                continue
            bad, slow = compare(rows.pop(0), line, version, most)
            wrong += [where + text for text in bad]
            late.setdefault(number, []).append([where + text for text in slow])
        for port, left in sorted(by_port.items()):
            wrong += ["a transaction that nobody made, from port %d" % port for _ in left]
    for tries in late.values():
        wrong += min(tries, key=len)
    if wrong:
        fail("; ".join(wrong))
    print("%d requests; farthest from curl's figures: %s" % (len(tls), ", ".join(
        "%s %+.3f ms" % (name, diff * 1e3) for name, diff in most.items())))


def lookups(report, *dig):
    rows = [durations(row).get("dns") for row in load(report)["phases"] if row["kind"] == "dns"]
    truths = [float(ms) / 1e3 for ms in dig]
    # dig reads the kernel's coarse clock twice, and cuts milliseconds off.
    tick = time.clock_getres(CLOCK_REALTIME_COARSE)
    if len(rows) != len(truths) or any(
            row is None or not -CURL_WORK_S - tick <= row - truth <= tick + 1e-3
            for row, truth in zip(rows, truths)):
        fail("lookups %s, dig says %s" % (rows, truths))
    print("%d lookups agree with dig" % len(rows))


def judged(report):
    return [row for row in load(report)["findings"] if row["layer"] != "capture"]


def first(report, rule, *causes):
    rows = judged(report)
    below, chain = {row["finding"] for row in rows[:1]}, set()
    for row in rows:
        if row.get("parent") in below:
            below.add(row["finding"])
            chain.add(row["rule"])
    if not rows or rows[0]["rule"] not in rule.split("|") or \
            not set(causes) <= chain | {rows[0]["rule"]}:
        fail("the first finding is not %s because of %s: %s" % (
            rule, ", ".join(causes) or "nothing",
            "; ".join("%s: %s" % (row["rule"], row["what"]) for row in rows)))
    print(rows[0]["what"])


def quiet(report):
    bad = [row["what"] for row in load(report)["findings"] if row["severity"] != "note"]
    if bad:
        fail("; ".join(bad))
    print("nothing is wrong")


def again(report, count):
    total = sum(phase.get("retransmissions", 0) for row in load(report)["phases"]
                for phase in row["phases"])
    if int(count) == 0 or total != int(count):
        fail("%d segments were sent again in phases, the kernel says %s" % (total, count))
    print("%d segments sent again, as the kernel says" % total)


if __name__ == "__main__":
    {"timings": timings, "lookups": lookups, "first": first, "quiet": quiet,
     "again": again}[sys.argv[1]](*sys.argv[2:])
