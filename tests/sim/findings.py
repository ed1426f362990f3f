# SPDX-License-Identifier: GPL-2.0-or-later
"""What the table `findings` must say of each scenario, and that it says nothing else.

A line: identifier, then the rules that must speak; rule@where where the place matters, as
from>to or a point.  -rule: not this one.  "*": whatever it says.
"?" before the rules: known to be missed; a line that has become true must
lose its "?", so that it cannot grow stale.  A scenario without a line: nothing is worth saying.
The rule `nothing` must speak where no other one has more than a note to say; so must `time` in L.
"""
EXPECTED = {}
# Transactions at points with wrong clocks: so much is said of every one.
EVERY_L = ["clock_offset", "time"]
# Summaries, which speak wherever there is something to sum up.
FREE = ["nothing", "time"]


def read(text):
    for line in text.strip().split("\n"):
        ident, _, rest = line.partition(" ")
        EXPECTED[ident] = rest.split()


def expected(ident):
    if ident.startswith("R"):
        return ["*"]          # random networks: whatever is wrong there
    own = EXPECTED.get(ident, [])
    every = [w for w in EVERY_L if ident.startswith("L") and "-" + w not in own]
    return [w for w in own if not w.startswith("-")] + every


def said(answer):
    """Rules that spoke: {(rule, where)}."""
    return {(f.get("rule"), f.get("where", "").replace(" ", "")) for f in
            answer.report.get("findings", ())}


def complain(ident, answer):
    wanted = expected(ident)
    if "*" in wanted:
        return []
    known = "?" in wanted
    wanted = [w.partition("@") for w in wanted if w != "?"]
    got = said(answer)
    wrong = [f for f in answer.report.get("findings", ()) if f.get("severity") != "note"]
    out = []
    if len(answer.frames) > 1 and ("nothing" in [r for r, _ in got]) != (not wrong):
        out.append("findings: nothing is wrong, and something is" if wrong else
                   "findings: nothing is wrong, and nobody says so")
    for rule, _, where in wanted:
        if not any(r == rule and (not where or where == w) for r, w in got):
            out.append("findings: %s%s is silent" % (rule, where and " at " + where))
    for rule, where in sorted(got):
        if rule not in FREE + [r for r, _, _ in wanted]:
            out.append("findings: %s speaks at %s" % (rule, where or "no place"))
    if known and not answer.made_from_truth:
        return [] if out else ["findings are right: take the ? from tests/sim/findings.py"]
    return out


def check_rows(answer):
    """What holds for every finding."""
    out = []
    frames = len(answer.frames) - 1
    for f in answer.report.get("findings", ()):
        for key in ("layer", "severity", "what", "confidence", "rule"):
            if not f.get(key):
                out.append("findings: %s without %s" % (f.get("rule"), key))
        if any(not 1 <= n <= frames for n in f.get("evidence", ())):
            out.append("findings: %s names frames that are none" % f.get("rule"))
        if f.get("severity") != "note" and not f.get("filter") and not f.get("where"):
            out.append("findings: %s names neither place nor filter" % f.get("rule"))
    return out[:3]


def oracle(ident):
    rows = []
    for w in [w for w in expected(ident) if w not in ("?", "*")] or ["nothing"]:
        rule, _, where = w.partition("@")
        rows.append({"layer": "L3", "severity": "note" if rule == "nothing" else "warning",
                     "what": "-", "filter": "-", "confidence": "confirmed", "rule": rule,
                     "where": where})
    return rows


read("""
A03 loss@sw>srv
A03b loss@sw>srv
A05 clock_offset@srv clock_offset@nic
A06 merged@if0 copies
A08 alone
A08b alone@empty window@srv
B01 nat@fwi>fwo
B02 nat@fwi>fwo
B03 nat@lbi>lbo
B04 nat@fwi>fwo nat@fwo>fwi
B05 nat@fwi>fwo
B06 nat@fwi>fwo
B08 nat@nic>cpe_o nat@cpe_o>cgn_o
B09 nat@fwi>fwo
B10 loss@srv>fwo repair@srv>fwo spurious slow_by_loss
B11 loss@srv>fwo repair@srv>fwo spurious slow_by_loss
B13 options@fwi>fwo mss@fwi>fwo mss@fwo>fwi
B14 congestion@fwi>fwo dscp@fwi>fwo
B16 nat@fwi>fwo cut@fwi cut@fwo cut@srv
B18 loss@u1>u2
B22 alone
B23b loss@fwo>srv nat@fwi>fwo repair@fwo>srv slow_by_loss@fwo>srv
B23c cut@fwo cut@srv
C03 loss@fwo>fwi repair@fwo>fwi
C04 loss@fwo>fwi
C04b loss@srv>fwo nat@fwi>fwo
C04c loss@srv>fwo
C06 loss@fwo>srv
C07 loss@fwo>fwi repair@fwo>fwi
C08 loss@fwo>fwi repair@fwo>fwi
C09 loss@sw>nic repair@sw>nic slow_by_loss@sw>nic
C10 loss@nic>sw spurious
C11 upstream@fwo
C15 receiver slow_reader
C12 loss@a>b
C12+ loss@a>b clock_offset
C12- loss@a>b clock_offset
C12b loss@a>b ambiguous
C13 loss@fwo>srv lookup_again
C14 spurious
C14b loss@fwi>fwo ambiguous spurious
C16 loss@fwo>srv loss@fwi>sw nat@fwi>fwo
C17 ttl@sw>fwi ttl@fwi>fwo ttl@fwo>srv
C18 mtu@fwo>srv
C19 rejected@fwi>fwo
C20 reset@fwi>fwo
C21 blocked@fwi>fwo
C22 corruption@srv>fwo repair@srv>fwo slow_by_loss@srv>fwo
E01 loss@rtr>m2
E05 loss@r1>srv
E05c slow_by_loss
E06 copies@sw
E08 merged@a
E09 loop merged@r1r2
E10 ambiguous storm
E11 window@srv
E12 pause@srv
E13 ? window@srv
E14 capture_loss@sw
E15 loss@nic>srv capture_loss@sw repair@nic>srv
E16 capture_loss@sw
E18 clock_step@srv
E20 clock_offset@srv
E21 one_way@nic one_way@sw one_way@srv
E23 asymmetric
E24 loss@fw1>srv route@fw1,fw2
E24b slow_by_loss syn_again
E27 clock_step@srv
E29 clock_offset@nic loss@tap/dev17-port2>tap/dev17-port3 nat@tap/dev17-port2>tap/dev17-port3
E29b clock_offset@nic loss@tap/port2>tap/port3 nat@tap/port2>tap/port3
E29c clock_offset@nic loss@tap/dev2-port9>tap/dev3-port9 nat@tap/dev2-port9>tap/dev3-port9
E29d clock_offset@nic loss@tap/port2>tap/port3 nat@tap/port2>tap/port3
F06 nat@fwi>fwo
F07b *
F09 nat@fwi>fwo
F10 loss@nic>srv loss@sw>srv ambiguous
F12 loss@a>b ambiguous
F13 nat@fwi>fwo cut@nic cut@sw cut@fwi cut@fwo cut@srv
F15 loss@pout>srv repair@pout>srv slow_by_loss@pout>srv spurious server@pin
F16 clock_offset@srv clock_offset@nic
F17 thinned@sw>fwi
F17b thinned@sw>fwi
F17c loss@sw>fwi
F19 *
F18 slow_by_loss repair@fwi>sw spurious loss@fwi>sw capture_loss@fwo nat@fwi>fwo copies@fwo
G01 delay queue@fwo>srv
G01b clock_offset delay queue@fwo>srv
G02 *
G03 policer@fwi>fwo
G04 *
G05 *
G06 *
G07 loss@fwi>fwo
G08 loss@fwi>fwo
G09 blocked@srv
F20 *
K15 clock_offset nat@b>c
K01 clock_offset nat@b>c nat@c>b
K02 clock_offset nat@b>c nat@c>d
K03 clock_offset nat@b>c
K04 clock_offset loss@v3>v2 repair@v3>v2 slow_by_loss@v3>v2 spurious
K05 clock_offset nat@b>c
K06 clock_offset nat@b>c cut@a cut@b cut@c cut@d
K07 clock_offset loss@r1>c nat@r1>c repair@r1>c slow_by_loss@r1>c syn_again
K08 clock_offset loss@cni>eth1 loss@eth2>eth1 nat@pod>cni repair@cni>eth1 repair@eth2>eth1 slow_by_loss spurious syn_again
K09 clock_offset nat@b>c
K10 nat@b>c one_way@a one_way@b one_way@c one_way@d
K11 clock_offset loss@e>d nat@c>d repair@e>d slow_by_loss@e>d
K12 clock_offset loss@b>c
K13 clock_offset loss@c>d loss@d>c nat@b>c repair@c>d repair@d>c slow_by_loss spurious
K14 clock_offset ambiguous loss@d>c mss@b>c nat@b>c options@b>c repair@d>c slow_by_loss spurious
J01 expired@fwi>fwo nat@fwi>fwo
J01n loss@fwi>fwo repair@fwi>fwo slow_by_loss@fwi>fwo nat@fwi>fwo
J02 exhausted@fwi>fwo blocked@fwi>fwo nat@fwi>fwo
J02n blocked@fwi>fwo nat@fwi>fwo
J03 first_packet@fwi>fwo delay@fwi>fwo
J04 refused
J05 spurious reordering@srv>fwo
J06 sack@fwi>fwo loss@fwi>sw repair@fwi>sw slow_by_loss@fwi>sw
J06n loss@fwi>sw repair@fwi>sw
J07 slow_accept@nic
J08 reuse
J09 unreadable
J10 ttl@sw>fwi ttl@fwi>fwo ttl@fwo>srv
L05 tls_turns
L06 resolver@srv
L06b lookup_again loss@fw>srv
L06d lookup_again loss@fw>srv
L07 server@srv
L08 receiver slow_reader
L08b receiver slow_reader
L09 loss@fw>nic repair@fw>nic slow_by_loss@fw>nic
L09b loss@srv>fw repair@srv>fw
L09c loss@nic>fw repair@nic>fw slow_by_loss@nic>fw
L10 server@srv pipelined
L11 loss@fw>nic repair@fw>nic
L13 syn_again slow_by_loss loss@nic>fw repair@nic>fw
L14 middlebox
L15 delayed_ack
L17b small_window slow_reader
L19 nat@fwi>fwo
L19b nat@fwi>fwo
L20a slow_by_loss loss@srv>fwo loss@nic>fwi loss@fwi>nic loss@fwo>srv nat@fwi>fwo repair@nic>fwi repair@srv>fwo repair@fwo>srv repair@fwi>nic spurious
L20b slow_by_loss loss@srv>fwo loss@nic>fwi loss@fwi>nic loss@fwo>srv nat@fwi>fwo repair@nic>fwi repair@srv>fwo repair@fwo>srv repair@fwi>nic
L20c slow_by_loss loss@fwi>nic loss@nic>fwi loss@fwo>srv loss@srv>fwo nat@fwi>fwo repair@nic>fwi repair@srv>fwo repair@fwo>srv repair@fwi>nic
L21 nat@fwi>fwo cut@fwi cut@fwo cut@srv
L21b nat@fwi>fwo cut@nic cut@fwi cut@fwo cut@srv
L23 one_way@srv
L23b -clock_offset -time one_way@nic one_way@fw one_way@srv
L24b alone@nic
L25a *
L25b *
L25c *
L26a *
L26b *
L26c *
""")
