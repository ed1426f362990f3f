# SPDX-License-Identifier: GPL-2.0-or-later
"""The truth about transactions and their phases, and the scorer of the table `phases`.

A phase is a row of marks: moments at which bytes, or any of some packets, pass.  At each point
they have their own times; from these follow the phase's duration at the point nearest the client
and its exact split (no clock is compared with another):

    from a mark of the client to one of the server     a turn of the server: what point i sees
    longer than point i+1 is the segment between them, what the last point sees is the server
    from a mark of the server to one of the client     the first point's time is the client
    between two marks of the same side                 a transfer: as the server's turn if the
    server sends, all of it the client if the client does
"""
from packets import ip_text

CLIENT, SERVER = 1, 0
SLACK_NS = 2_000        # clock-free parts: this and drift times duration
BOUND_NS = 100_000      # durations: 0.1 ms


class Bytes:
    """The moment when the last missing one of the bytes [a, b) of a stream has passed, in whatever
    segments: the message is complete.  Of one byte: when it passes for the first time."""

    def __init__(self, flow, side, a, b):
        self.flow, self.side, self.a, self.b = flow, side, a, b

    def times(self, book):
        """{point: true time}."""
        out, missing = {}, {}
        for t, point, a, b, _ in book.streams.get((self.flow, self.side), ()):
            if point in out or a >= self.b or b <= self.a:
                continue
            left = []
            for x, y in missing.get(point, [(self.a, self.b)]):
                left += [(x, min(y, a))] if x < a else []
                left += [(max(x, b), y)] if y > b else []
            missing[point] = left
            if not left:
                out[point] = t
        return out


class Several:
    """The moment when the last of several messages has passed, such as the frames of a stream."""

    def __init__(self, *parts):
        self.parts, self.side = parts, parts[0].side

    def times(self, book):
        times = [p.times(book) for p in self.parts]
        return {p: max(t[p] for t in times) for p in set.intersection(*map(set, times))}


class Packets:
    """The moment when the first of some transmissions passes: tries of one message."""

    def __init__(self, side, *txs):
        self.side, self.txs = side, set(txs)

    def times(self, book):
        out = {}
        for tx in self.txs:
            for t, point in book.sightings.get(tx, ()):
                out[point] = min(t, out.get(point, t))
        return out


class Phase:
    def __init__(self, name, *marks, **info):
        self.name, self.marks, self.info = name, marks, info


class Story:
    """One transaction: phases in order.  flow: of its connection."""

    def __init__(self, kind, flow, *phases, **info):
        self.kind, self.flow, self.phases, self.info = kind, flow, list(phases), info

    def phase(self, name, *marks, **info):
        self.phases.append(Phase(name, *marks, **info))
        return self


def first_byte(dialog, step):
    return Bytes(dialog.flow, step.who, step.at[0], step.at[0] + 1)


def whole(dialog, step, of=None):
    """All bytes of a step, or its first `of` bytes."""
    return Bytes(dialog.flow, step.who, step.at[0], step.at[0] + of if of else step.at[1])


def part(dialog, step, a, b):
    """Marks of the first and of all of the bytes [a, b) of a step."""
    start = step.at[0]
    return (Bytes(dialog.flow, step.who, start + a, start + a + 1),
            Bytes(dialog.flow, step.who, start + a, start + b))


def handshake(sim, flow):
    """SYN, SYN-ACK, and the segment that completes the handshake."""
    syn, synack, ack = [], [], []
    for i, tx in enumerate(sim.txs):
        if tx["flow"] != flow or tx["proto"] != 6:
            continue
        if tx["ctl"] == "SYN":
            syn.append(i)
        elif tx["ctl"] == "SYN-ACK":
            synack.append(i)
        elif tx["dir"] == CLIENT and synack and not ack:
            ack.append(i)
    return Packets(CLIENT, *syn), Packets(SERVER, *synack), Packets(CLIENT, *ack)


def connect(sim, flow):
    return Phase("connect", *handshake(sim, flow))


def lookup(resolver, *flows):
    """The DNS phase: all queries of these flows, up to the answer of the last one."""
    queries = [tx for f in flows for tx in resolver.queries[f]]
    return Phase("dns", Packets(CLIENT, *queries), Packets(SERVER, *resolver.answers[flows[-1]]))


class Book:
    """Finds the times of marks at points, and the tuples of flows."""

    def __init__(self, truth):
        self.sim = truth.sim
        self.txs = truth.sim.txs
        self.by_flow, self.streams, self.sightings = {}, {}, {}
        for r in sorted(truth.sim.records, key=lambda r: r["t"]):
            if r["role"] != "first":
                continue
            self.by_flow.setdefault(r["flow"], []).append(r)
            for (tx, a, b), _ in r["units"]:
                self.sightings.setdefault(tx, []).append((r["t"], r["point"]))
                sent = self.txs[tx]
                if "stream" in sent:
                    at = sent["stream"][0]
                    self.streams.setdefault((sent["flow"], sent["dir"]), []).append(
                        (r["t"], r["point"], at + a, at + b, r["frame"]))

    def addresses(self, flow):
        """(client, port, server, port) at the point nearest the client."""
        rs = self.by_flow[flow]
        for r in rs:
            if r["dir"] == CLIENT:
                return r["tuple"][1:]
        _, a, b, c, d = rs[-1]["tuple"]
        return (c, d, a, b)


def tell(book, story, phase):
    """The truth of one phase as a dict, or None where no point saw all its marks."""
    times = [m.times(book) for m in phase.marks]
    everywhere = sorted(set.intersection(*(set(t) for t in times)))
    if not everywhere:
        return None
    # From the client to the server, by the time of the first mark of the client.
    lead = next((t for m, t in zip(phase.marks, times) if m.side == CLIENT), None)
    way = sorted(everywhere, key=lambda p: lead[p]) if lead else \
        sorted(everywhere, key=lambda p: -times[0][p])
    first = way[0]
    out = dict(name=phase.name, start=times[0][first], end=times[-1][first],
               duration=times[-1][first] - times[0][first], seg={}, server=0, client=0)
    for (a, ta), (b, tb) in zip(zip(phase.marks, times), zip(phase.marks[1:], times[1:])):
        if b.side == CLIENT:
            out["client"] += tb[first] - ta[first]
            continue
        # What shrinks on its way, because its first part was delayed, took no negative time.
        rest = tb[first] - ta[first]
        for p, q in zip(way, way[1:]):
            here = min(rest, max(0, tb[q] - ta[q])) if rest >= 0 else tb[q] - ta[q]
            out["seg"][(p, q)] = out["seg"].get((p, q), 0) + rest - here
            rest = here
        out["server"] += rest
    everyone = {p for t in times for p in t}
    out["merged"] = everyone != set(way)
    out["way"] = way
    return out


def repeats(book, story, told):
    """Per phase: repeated transmissions that were sent in it; and how many at its edge."""
    flows = {story.flow}
    for phase, _ in told:
        for m in phase.marks:
            flows |= {book.txs[tx]["flow"] for tx in getattr(m, "txs", ())}
    sent = {}
    for f in flows:
        for r in book.by_flow.get(f, ()):
            for (tx, _, _), _ in r["units"]:
                if book.txs[tx]["rexmit_of"] is not None:
                    sent[tx] = min(r["t"], sent.get(tx, r["t"]))
    counts = [0] * len(told)
    for tx, t in sent.items():
        for i, (phase, facts) in enumerate(told):
            if facts["start"] <= t <= facts["end"]:
                counts[i] += 1
                break
    return counts


def transactions(truth):
    """Every story of the run with its phases told: [(story, addresses, [(phase, facts)])]."""
    if hasattr(truth, "told"):
        return truth.told
    book = Book(truth)
    out = truth.told = []
    for story in getattr(truth.sim, "stories", ()):
        told = [(p, tell(book, story, p)) for p in story.phases]
        told = [(p, facts) for p, facts in told if facts is not None]
        if not told or story.flow not in book.by_flow:
            continue
        for (p, facts), n in zip(told, repeats(book, story, told)):
            facts["retransmissions"] = n
            facts["judge_split"] = p.info.pop("judge_split", True)
        out.append((story, book.addresses(story.flow), told))
    return out


def text_of(address, port):
    text = ip_text(address)
    return ("[%s]:%d" if ":" in text else "%s:%d") % (text, port)


def rows(truth):
    """The phase lines of the truth file."""
    for n, (story, addresses, told) in enumerate(transactions(truth)):
        for phase, f in told:
            yield dict(k="phase", txn=n, kind=story.kind, name=f["name"], start=f["start"],
                       end=f["end"],
                       seg={"%d-%d" % pair: t for pair, t in sorted(f["seg"].items())},
                       server=f["server"], client=f["client"],
                       retransmissions=f["retransmissions"],
                       client_end=text_of(*addresses[:2]), server_end=text_of(*addresses[2:]),
                       **phase.info)


def oracle_rows(truth):
    """The table as an engine without any fault would print it."""
    out = []
    names = truth.points
    for n, (story, addresses, told) in enumerate(transactions(truth)):
        phases = []
        for phase, f in told:
            phases.append({
                "name": f["name"], "duration_s": f["duration"] / 1e9,
                "retransmissions": f["retransmissions"],
                "split": {"segments": [{"from": names[p], "to": names[q], "time_s": t / 1e9}
                                       for (p, q), t in sorted(f["seg"].items())],
                          "server_s": f["server"] / 1e9, "client_s": f["client"] / 1e9}})
        out.append({"transaction": n + 1, "kind": story.kind, "client": text_of(*addresses[:2]),
                    "server": text_of(*addresses[2:]), "phases": phases})
    return out


def frames_of(truth):
    """(number of the transaction, frames that hold bytes of its request or response)."""
    book = Book(truth)
    for n, (story, _, told) in enumerate(transactions(truth)):
        marks = [part for p, _ in told if p.name in ("request", "download") for m in p.marks
                 for part in getattr(m, "parts", (m,)) if isinstance(part, Bytes)]
        frames = set()
        for m in marks:
            for t, point, a, b, frame in book.streams.get((m.flow, m.side), ()):
                if a < m.b and b > m.a:
                    frames.add(frame)
        yield n + 1, sorted(frames)


class Judge:
    """Compares the table with the truth.  said, right and wanted count phases; wrong: complaints.

    lenient     what is not said is no fault: parts of the capture are missing
    """

    def __init__(self, truth, table, lenient=False):
        self.truth, self.lenient = truth, lenient
        self.said = self.right = self.wanted = 0
        self.wrong, self.rows = [], []
        pools = {}
        for row in table:
            pools.setdefault((row.get("client"), row.get("server")), []).append(row)
        for n, (story, addresses, told) in enumerate(transactions(truth)):
            key = (text_of(*addresses[:2]), text_of(*addresses[2:]))
            self.wanted += len(told)
            pool = pools.get(key, [])
            if not pool and self.lenient:
                continue
            if not pool:
                self.complain("%s %s > %s: no row" % (story.kind, *key))
                continue
            if story.info.get("anywhere"):
                self.judge_anywhere(story, told, [p for row in pool for p in row["phases"]])
                pool.clear()
            else:
                row = pool.pop(0)
                self.rows.append((n, row))
                self.judge_row(story, told, row)
        for key, pool in pools.items():
            for row in pool:
                self.said += len(row.get("phases", ())) or 1
                self.complain("%s %s > %s: a transaction too many" % (row.get("kind"), *key))

    def judge_frames(self, answer):
        """Every point's frames of a request or response carry its transaction's number."""
        frames = dict(frames_of(self.truth))
        for n, row in self.rows:
            bare = [f for f in frames[n + 1]
                    if row.get("transaction") not in answer.frames[f].transactions]
            if bare:
                self.complain("frame %d has no corr.transaction %s" % (bare[0],
                                                                      row.get("transaction")))

    def complain(self, text):
        self.wrong.append(text)

    def judge_row(self, story, told, row):
        said = {}
        for phase in row.get("phases", ()):
            said.setdefault(phase["name"], []).append(phase)
        self.said += len(row.get("phases", ()))
        where = "%s #%s" % (story.kind, row.get("transaction"))
        order = [p["name"] for p in row.get("phases", ())]
        known = [n for n in order if n in {p.name for p, _ in told}]
        if known != [p.name for p, _ in told] and not self.lenient:
            self.complain("%s: phases %s, not %s" % (where, " ".join(order) or "none",
                                                     " ".join(p.name for p, _ in told)))
        for phase, facts in told:
            if not said.get(phase.name):
                continue
            got = said[phase.name].pop(0)
            bad = self.judge_phase(facts, got)
            self.right += not bad
            for text in bad[:1]:
                self.complain("%s %s: %s" % (where, phase.name, text))
        for name, rest in said.items():
            if rest:
                self.complain("%s: phase %s invented" % (where, name))
        total = sum(f["retransmissions"] for _, f in told)
        got = sum(p.get("retransmissions", 0) for p in row.get("phases", ()))
        if got != total and not self.lenient:
            self.complain("%s: %d retransmissions, not %d" % (where, got, total))

    def judge_anywhere(self, story, told, phases):
        """The phases must be among these, in order; others may be between."""
        self.said += len(phases)
        at = 0
        for phase, facts in told:
            bad = ["absent"]
            for i in range(at, len(phases)):
                if phases[i]["name"] == phase.name:
                    bad = self.judge_phase(facts, phases[i])
                    if not bad:
                        at, self.right = i + 1, self.right + 1
                        break
            for text in bad[:1]:
                self.complain("%s %s: %s" % (story.kind, phase.name, text))

    def judge_phase(self, facts, got):
        bad = []

        def near(what, said, true, bound):
            if said is None or abs(said * 1e9 - true) > bound:
                bad.append("%s %s ms, not %.4f" % (
                    what, "-" if said is None else "%.4f" % (said * 1e3), true / 1e6))
        def drift(*points):
            """Each clock that takes part may be off by its own drift."""
            return sum(abs(self.truth.sim.points[p].drift_ppb) for p in points) * \
                facts["duration"] // 10**9

        near("duration", got.get("duration_s"), facts["duration"],
             BOUND_NS + drift(facts["way"][0]))
        if bad or facts["merged"] or not facts.get("judge_split", True):
            return bad
        split = got.get("split") or {}
        names = self.truth.points
        segments = {(s["from"], s["to"]): s["time_s"] for s in split.get("segments", ())}
        # No segment takes negative time: what a clock nearer the client tells too much or too
        # little is found further on.
        for (p, q), t in facts["seg"].items():
            near("%s-%s" % (names[p], names[q]), segments.get((names[p], names[q])), t,
                 SLACK_NS + drift(*facts["way"][:facts["way"].index(q) + 1]))
        near("server", split.get("server_s", 0), facts["server"],
             SLACK_NS + drift(*facts["way"]))
        near("client", split.get("client_s", 0), facts["client"],
             SLACK_NS + drift(facts["way"][0]))
        return bad
