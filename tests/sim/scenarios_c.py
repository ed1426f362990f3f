# SPDX-License-Identifier: GPL-2.0-or-later
"""C: segmentation, loss and repetition, on T5 unless stated."""
from boxes import Box, Coalescer, Fragmenter, Nat, Segmenter, fragments
from hosts import content, dns_answer, dns_query
from net import MS, SEC, US, Pkt
from packets import ACK, RST, SYN, TCP, ip
from scenarios_a import t_conns, u_stream
from scenarios_b import FW, PUBLIC, firewall, pat_rule, rexmit_pairs
from tcp import serve_bulk, serve_requests, transactions
from topo import build, data_once, packets_of, scenario, t5

V4 = dict(left=("10.1.0.10", "10.1.0.11", "2001:db8:1::10"),
          right=("203.0.113.5", "203.0.113.6", "2001:db8:2::5"))


def bulk(net, size, start=SEC, flow="b", port=80, sport=45000, version=4, think=MS, **kw):
    """B(size): one response of that size from server to client."""
    options = dict(iw=40, window=1 << 22)
    options.update(kw)
    serve_bulk(net.server, port, size, **options)
    transactions(net.client, flow, net.client.address(version), sport,
                 net.server.address(version), port, 1, size, start, quickack=False, think=think,
                 window=1 << 22, **({"ts": kw["ts"]} if "ts" in kw else {}))


def offload_net(seed, size, **kw):
    """T5 whose server segments in its network card, behind the tap srv."""
    net = build(seed, ["nic", 100 * US, "sw", 2 * MS, "router", "fwi", 50 * US,
                       lambda n: Box(n.sim), "fwo", 10 * MS, "router",
                       lambda n: Segmenter(n.sim, 0), "srv"], taps={"srv": {"partial": 0}}, **V4)
    net.l_nic, net.l_sw, net.l_fw, net.l_srv = net.links
    bulk(net, size, tso=45, pace=MS, iw=1400, **kw)
    return net


def data_pairs(number):
    """A check on the simulator: pairs between frames with TCP payload."""
    def check(truth, answer):
        pairs = set()
        for (tx, _), pid in truth.pids.items():
            t = truth.sim.txs[tx]
            if t["ctl"] == "DATA" and t["len"] > 100:
                rs = truth.seen[pid]
                pairs.update((a["frame"], b["frame"]) for i, a in enumerate(rs) for b in rs[i + 1:])
        return [] if len(pairs) == number else ["simulator: %d data pairs, catalogue %d" % (
            len(pairs), number)]
    return check


@scenario("C01", "server with TSO", drops=0, nat=0, checks=[data_pairs(13820)])
def c01(seed):
    return offload_net(seed, 2_000_000).finish()


@scenario("C02", "receiver with GRO", drops=0, nat=0)
def c02(seed):
    net = build(seed, ["nic", lambda n: Coalescer(n.sim, 0), 100 * US, "sw", 2 * MS, "router",
                       "fwi", 50 * US, lambda n: Box(n.sim), "fwo", 10 * MS, "router", "srv"], **V4)
    bulk(net, 1_000_000, pace=12 * US)
    return net.finish()


@scenario("C03", "TSO, two segments of one super-frame lost", drops=2, nat=0, checks=[rexmit_pairs])
def c03(seed):
    net = offload_net(seed, 2_000_000)
    net.l_fw.drop = data_once(0, (2 * 45 + 12, 2 * 45 + 13))
    return net.finish()


@scenario("C04", "UDP GSO, one datagram lost", drops=1, nat=0, latency=None, order="any",
          unordered=["nic", "sw"])
def c04(seed):
    net = build(seed, ["nic", 100 * US, "sw", 2 * MS, "router", "fwi", 50 * US,
                       lambda n: Box(n.sim), "fwo", 10 * MS, "router",
                       lambda n: Segmenter(n.sim, 0, udp_size=1200), "srv"], **V4)
    for link in net.links[2:3]:
        link.drop = lambda pkt, d, n: d == 0 and n == 29
    s, c = net.server, net.client
    for i in range(3):
        net.sim.at(SEC + i * 10 * MS, s.send_udp, "q", s.address(), 443, c.address(), 40000,
                   content("gso", i, size=24333))
    return net.finish()


def offloaded_udp(seed, sizes, slice_size, lost, v6=False, fw=None, **kw):
    """The server's card cuts super-datagrams of these sizes; slices `lost` are lost on the way."""
    net = build(seed, ["nic", 100 * US, "sw", 2 * MS, "router", "fwi", 50 * US,
                       fw or (lambda n: Box(n.sim)), "fwo", 10 * MS, "router",
                       lambda n: Segmenter(n.sim, 0, udp_size=slice_size), "srv"],
                taps={"srv": {"partial": 0}}, **kw,
                **(dict(left=("2001:db8:1::10",), right=("2001:db8:2::5",)) if v6 else V4))
    net.links[3].drop = lambda pkt, d, n: d == 0 and n in lost
    c, s = net.client, net.server

    def answer(pkt):
        i = net.asked = getattr(net, "asked", -1) + 1
        net.sim.after(300 * US, s.send_udp, "q", pkt.dst, 443, pkt.src, pkt.sport,
                      content("gso", i, size=sizes[i]))
    s.udp[443] = answer
    version = 6 if v6 else 4
    c.udp_stream("q", c.address(version), 40000, s.address(version), 443, len(sizes), SEC, 30 * MS,
                 size=90)
    return net.finish()


@scenario("C04b", "super-datagrams of all sizes, PAT; a first, a middle and the last slice lost",
          drops=4, nat=1)
def c04b(seed):
    from scenarios_b import FW, PUBLIC
    from boxes import Nat, pat_rule

    def fw(n):
        return Box(n.sim, Nat(n.sim, FW, "pat", outbound=pat_rule(n.sim, PUBLIC)))
    # 1350 + 50, 700, 4 slices, 18, 1, 2, 1, 30
    return offloaded_udp(seed, [1400, 700, 5000, 24000, 1350, 2700, 40, 40000], 1350,
                         {3, 9, 24, 26}, fw=fw)


@scenario("C04c", "super-datagrams, IPv6: no identification", drops=3, nat=0)
def c04c(seed):
    return offloaded_udp(seed, [9000, 2000, 1210, 30000, 1300, 64000], 1200, {0, 9, 30}, v6=True)


def fragment_source(net, count, size, mtu, gap=5 * MS):
    """Fragmented datagrams from the client."""
    c, s = net.client, net.server

    def one(i):
        pkt = Pkt(src=c.address(), dst=s.address(), proto=17, sport=40000, dport=5000, df=False,
                  payload=content("frag", i, size=size), flow="frag", ipid=1000 + i)
        pkt.n = i
        net.sim.new_tx(pkt, size + 8, 1)
        pkt.smac = c.mac
        pkt.dmac = b"\2\0\x5e\0\0\x63"
        for part in fragments(pkt, mtu):
            c.out(part, 1)
    for i in range(count):
        net.sim.at(SEC + i * gap, one, i)


@scenario("C05", "fragments", packets=300, pairs=3000, drops=0, nat=0, latency="none",
          unordered=["nic", "sw"])
def c05(seed):
    net = t5(seed)
    fragment_source(net, 100, 4000, 1500)
    return net.finish()


@scenario("C06", "fragments cut again, one piece lost", drops=1, nat=0, latency="none",
          unordered=["nic", "sw"])
def c06(seed):
    net = build(seed, ["nic", 100 * US, "sw", 2 * MS, lambda n: Fragmenter(n.sim, 1450), "fwi",
                       50 * US, lambda n: Box(n.sim), "fwo", 10 * MS, "router", "srv"], **V4)
    # Datagram 17 is the 18th; its second piece of 1424 bytes begins at 1480.
    net.links[3].drop = lambda pkt, d, n: pkt.n == 17 and pkt.frag_off == 1480
    fragment_source(net, 100, 4000, 1500)
    return net.finish()


@scenario("C08", "fast retransmit, three losses", drops=3, nat=0, verdicts={"confirmed": 3},
          checks=[data_pairs(6913 + 0), rexmit_pairs])
def c08(seed):
    net = t5(seed)
    net.l_fw.drop = data_once(0, (100, 101, 350))
    bulk(net, 1_000_000, pace=50 * US)
    return net.finish()


@scenario("C09", "tail loss, retransmission timer", drops=1, nat=0, verdicts={"confirmed": 1},
          checks=[rexmit_pairs])
def c09(seed):
    net = t5(seed)
    net.l_nic.drop = data_once(0, (69,))
    bulk(net, 70 * 1448, pace=50 * US)
    return net.finish()


def one_spurious(truth, answer):
    again = [t for t in truth.sim.txs if t["rexmit_of"] is not None and t["ctl"] == "DATA"]
    return [] if len(again) == 1 else ["simulator: %d retransmissions, catalogue 1" % len(again)]


@scenario("C10", "ACKs lost, one spurious retransmission", drops=21, nat=0,
          dR=0.0, segments=False, checks=[rexmit_pairs, one_spurious])
def c10(seed):
    net = t5(seed)
    # Packets 0, 1, 2 of the client are SYN, ACK and request; then come 21 pure ACKs.
    net.l_nic.drop = lambda pkt, d, n: d == 1 and 3 <= n < 24
    bulk(net, 42 * 1448, iw=42, think=2 * SEC)
    return net.finish()


def lost_upstream(number):
    """The drops table counts losses that no point shows."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        rows = [r for r in answer.report.get("drops", ()) if "after" not in r]
        said = sum(r["packets"] for r in rows)
        if said == number and all(r["before"] == "fwo" for r in rows):
            return []
        return ["%d segments lost upstream, not %d" % (said, number)]
    return check


@scenario("C11", "losses before the first point", drops=0, nat=0,
          checks=[rexmit_pairs, lost_upstream(2)])
def c11(seed):
    net = build(seed, ["nic", 100 * US, "sw", 2 * MS, "router", "fwi", 50 * US,
                       lambda n: Box(n.sim), "fwo", 10 * MS, "router"], **V4)
    net.links[3].drop = data_once(0, (40, 41))
    bulk(net, 200_000, pace=50 * US)
    return net.finish()


LOST36 = [3, 4, 17, 29, 30, 31, 48, 60, 77, 78, 90, 101, 115, 116, 130, 144, 159, 160, 161, 162,
          180, 199, 213, 214, 230, 247, 260, 275, 290, 300, 301, 320, 341, 355, 370, 388]


def keepalive_net(seed, gap, jitter, clock, anchors):
    """400 identical IPv6 datagrams, 36 lost, between a and b (20 ms and exponential jitter)."""
    net = build(seed, ["a", 20 * MS, "router", "b"], clocks={"b": dict(offset=clock)},
                left=("2001:db8:1::10", "10.1.0.10"), right=("2001:db8:2::5", "203.0.113.5"))
    rng = net.sim.rng
    delays = [rng.exp(jitter) for _ in range(400)]
    link, lost = net.links[0], set(LOST36)
    link.fifo = False
    link.extra = lambda pkt, d, n: delays[pkt.n] if pkt.flow == "k" else 0
    link.drop = lambda pkt, d, n: pkt.flow == "k" and pkt.n in lost
    c, s = net.client, net.server
    c.udp_stream("k", c.address(6), 40000, s.address(6), 5000, 400, SEC, gap, size=20, same=True)
    if anchors:
        t_conns(net, 4, 20, 500, gap=gap * 100, think=gap * 4, c_addr=c.address(4),
                s_addr=s.address(4))
    return net.finish()


def c12(ident, clock):
    @scenario(ident, "identical keep-alives, clock %+.1f s, other traffic" % (clock / SEC),
              drops=36, nat=0)
    def make(seed):
        return keepalive_net(seed, SEC, 5 * MS, clock, True)
    return make


c12("C12", 0)
c12("C12+", 600 * MS)
c12("C12-", -3200 * MS)


@scenario("C12b", "identical keep-alives only, clock -3.2 s", drops=36, nat=0, R=0.0, dR=0.0,
          ambiguous=1.0, latency=None, order="any")
def c12b(seed):
    return keepalive_net(seed, SEC, 5 * MS, -3200 * MS, False)


def attempts(truth, answer):
    """The lost packet is the first attempt, the answered one is the second."""
    lost = [r for r in truth.frames[1:] if answer.frames[r["frame"]].dropped]
    return [] if len(lost) == 1 and lost[0]["t"] < 2 * SEC else ["the wrong attempt was lost"]


@scenario("C13", "DNS query repeated", drops=1, nat=0, checks=[attempts])
def c13(seed):
    net = t5(seed)
    c, s = net.client, net.server
    s.udp_answer(53, 400 * US, reply=dns_answer)
    query = dns_query(0x1234, "www.example.com")
    net.l_srv.drop = packets_of("dns", 1, (0,))
    for i in range(2):
        net.sim.at(SEC + 500 * MS + i * SEC, c.send_udp, "dns", c.address(), 41000, s.address(), 53,
                   query)
    for i in range(40):
        net.sim.at(SEC + i * 70 * MS, c.send_udp, ("o", i), c.address(), 42000 + i, s.address(), 53,
                   dns_query(0x2000 + i, "host%d.example.com" % i))
    return net.finish()


def dup_acks(seed, lost):
    """20 identical ACKs 12 us apart, IPv6, without time stamps or SACK."""
    net = t5(seed)
    c, s = net.client, net.server
    net.l_fw.drop = lambda pkt, d, n: pkt.flow == "acks" and pkt.n in lost
    serve_requests(s, 80, response=500, ts=False, sack=False)
    conn = transactions(c, "t", c.address(6), 45000, s.address(6), 80, 20, 500, SEC, ts=False,
                        sack=False)

    def burst(i):
        keep, conn.flow = conn.flow, "acks"
        conn.emit(conn.nxt, conn.nxt, ACK)
        conn.flow = keep
    for i in range(20):
        net.sim.at(SEC + 200 * MS + i * 12 * US, burst, i)
    return net.finish()


@scenario("C14", "20 identical ACKs, none lost", drops=0, nat=0)
def c14(seed):
    return dup_acks(seed, ())


@scenario("C14b", "20 identical ACKs, three lost", drops=3, nat=0, R=0.79, dR=0.0, ambiguous=0.22,
          dP=0.0, oR=0.8, lat=0.7, verdicts={"confirmed": 0})
def c14b(seed):
    return dup_acks(seed, (4, 9, 15))


@scenario("C16", "two pings through PAT", drops=2, nat=2)
def c16(seed):
    def pat(sim):
        return Nat(sim, FW, "pat", outbound=pat_rule(sim, PUBLIC))
    net = t5(seed, fw=firewall(pat))
    net.l_srv.drop = packets_of("pa", 1, (4,))
    net.l_sw.drop = packets_of("pb", 0, (8,))
    c, s = net.client, net.server
    c.ping("pa", c.address(), s.address(), 1111, 100, SEC, 100 * MS)
    c.ping("pb", c.address(n=1), s.address(), 1111, 100, SEC + 33 * MS, 100 * MS)
    return net.finish()


def quotes_right(truth, answer):
    """Every ICMP error names the packet it quotes."""
    bad = []
    for error, of in truth.sim.quotes:
        pid = truth.pids.get((error, 0))
        units = truth.units_of(of)
        if pid is None or not units:
            continue
        ids = {i for r in truth.seen[units[0]] for i in answer.frames[r["frame"]].ids}
        bad += [r["frame"] for r in truth.seen[pid]
                if answer.frames[r["frame"]].quotes not in ids]
    if answer.made_from_truth:
        return []
    return ["corr.quotes wrong in frames %s" % bad[:4]] if bad else []


@scenario("C17", "traceroute probes", drops=30, nat=0, cause="ttl", checks=[quotes_right])
def c17(seed):
    net = t5(seed)
    for i, r in enumerate(net.routers):
        r.address = ip("10.200.0.%d" % (i + 1))
    c, s = net.client, net.server
    for ttl in (1, 2, 3, 9):
        c.ping("ping%d" % ttl, c.address(), s.address(), 500 + ttl, 10, SEC + ttl * 7 * MS,
               100 * MS, ttl=ttl)
    return net.finish()


@scenario("C18", "PMTU black hole", drops=12, nat=0, cause="mtu")
def c18(seed):
    net = t5(seed)
    net.l_srv.drop = lambda pkt, d, n: "mtu" if d == 1 and len(pkt.payload) > 1360 else None
    t_conns(net, 10, 5, 500)
    c, s = net.client, net.server
    c.udp_stream("big", c.address(), 40000, s.address(), 5000, 12, SEC, 50 * MS, size=1400)
    c.udp_stream("small", c.address(), 40001, s.address(), 5000, 60, SEC, 15 * MS, size=300)
    return net.finish()


@scenario("C19", "rejected by policy", drops=12, nat=0, cause="policy", checks=[quotes_right])
def c19(seed):
    class Reject(Box):
        def transform(self, pkt, dir):
            if dir == 1 and pkt.proto == 17 and pkt.dport == 9999:
                self.sim.lost(pkt, self, dir, "policy")
                self.icmp_error(pkt, dir, 3, 13)
                return ()
            return (pkt,)
    net = t5(seed, fw=lambda n: Reject(n.sim, address=ip("192.0.2.1")))
    c, s = net.client, net.server
    t_conns(net, 5, 5, 500)
    u_stream(net, 60, gap=10 * MS)
    c.udp_stream("bad", c.address(), 40002, s.address(), 9999, 12, SEC, 50 * MS, size=200)
    return net.finish()


def made_by_firewall(truth, answer):
    """Both resets were made between fwi and fwo, nothing else was."""
    if answer.made_from_truth:
        return []
    said = {(truth.points[r["point"]], answer.frames[r["frame"]].originated)
            for r in truth.frames[1:] if answer.frames[r["frame"]].originated}
    right = {("fwo", "between fwi and fwo"), ("srv", "between fwi and fwo"),
             ("fwi", "between fwo and fwi"), ("sw", "between fwo and fwi"),
             ("nic", "between fwo and fwi")}
    return [] if said == right else ["originated: %s" % sorted(said)]


@scenario("C20", "RST injected by the firewall", drops=0, nat=0, checks=[made_by_firewall])
def c20(seed):
    net = t5(seed)
    conns = []
    serve_requests(net.server, 80, response=500)
    c, s = net.client, net.server
    for i in range(6):
        conns.append(transactions(c, ("t", i), c.address(), 45000 + i, s.address(), 80, 10, 500,
                                  SEC + i * 30 * MS, think=20 * MS))

    def inject():
        one = conns[3]
        peer = s.tcp[(one.remote, one.rport, one.local, one.lport)]
        for conn, dir in ((one, 1), (peer, 0)):
            rst = Pkt(src=conn.local, dst=conn.remote, proto=TCP, sport=conn.lport,
                      dport=conn.rport, seq=(conn.isn + 1 + conn.nxt) & 0xFFFFFFFF, flags=RST,
                      ttl=64, flow=("rst", dir), ipid=0)
            net.sim.new_tx(rst, 0, dir, ctl="RST")
            net.fw.forward(rst, dir)
    # Halfway between two requests, with nothing on its way.
    net.sim.at(SEC + 3 * 30 * MS + 24 * MS * 4 + 20 * MS * 3 + 10 * MS, inject)
    return net.finish()


def blocked_findings(truth, answer):
    if answer.made_from_truth:
        return []
    wrong = [f.verdict for f in answer.frames[1:] if f.dropped and f.verdict != "blocked"]
    return ["%d of the drops not called blocked" % len(wrong)] if wrong else []


@scenario("C21", "SYN black hole: 5 flows blocked, 20 pass", drops=20, nat=0,
          checks=[blocked_findings])
def c21(seed):
    net = t5(seed)
    net.l_fw.drop = lambda pkt, d, n: "policy" if pkt.dport == 444 else None
    t_conns(net, 20, 5, 500, gap=500 * MS)
    c, s = net.client, net.server
    conns = [transactions(c, ("blocked", i), c.address(), 47000 + i, s.address(), 444, 1, 500,
                          SEC + i * 300 * MS) for i in range(5)]
    # Four SYNs each: 0, 1, 3 and 7 s.
    for conn in conns:
        net.sim.at(SEC + 13 * SEC, setattr, conn, "closed", True)
    u_stream(net, 40, gap=400 * MS)
    return net.finish()


def corruption_said(truth, answer):
    """Seven losses with the cause corruption."""
    said = sum(f.cause == "corruption" for f in answer.frames[1:])
    if answer.made_from_truth:
        return []
    return [] if said == 7 else ["%d losses by corruption, not 7" % said]


@scenario("C22", "payload corrupted in seven segments", nat=0, corrupt=True,
          checks=[corruption_said])
def c22(seed):
    net = t5(seed)
    bad = {20, 50, 51, 90, 120, 180, 230}
    sent = set()

    def corrupt(pkt, d, n):
        if d == 0 and pkt.data_n in bad:
            sent.add(pkt.data_n)
            return True
        return False
    net.l_srv.corrupt = corrupt
    # The receiving stack refuses a segment whose checksum is wrong.
    inner = net.client.recv

    def recv(pkt, dir):
        if pkt.psum is None:
            inner(pkt, dir)
    net.client.recv = recv
    bulk(net, 400_000, pace=50 * US)
    return net.finish()
