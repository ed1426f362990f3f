# SPDX-License-Identifier: GPL-2.0-or-later
"""B: address translation and other rewriting, on T5 unless stated."""
from boxes import (Box, Nat, mss_clamp, pat_rule, random_ipid, remove_options,
                   seq_randomizer, set_tos, set_ttl)
from net import MS, SEC, US, Junction, Link, Router, Tap, chain
from hosts import Host
from packets import ip
from points import Point
from scenarios_a import t_conns
from tcp import serve_requests, transactions
from topo import Net, build, data_once, scenario, t5

PUBLIC = ip("192.0.2.7")
FW = ("fwi", "fwo")


def firewall(*makers, **kw):
    """fw argument of t5: a Box whose rewrites are made by callables (sim)."""
    return lambda net: Box(net.sim, *[m(net.sim) for m in makers], address=ip("192.0.2.1"), **kw)


def pat(sim):
    return Nat(sim, FW, "pat", outbound=pat_rule(sim, PUBLIC))


def udp_flows(net, count, requests, port=5353, gap=20 * MS, start=SEC):
    """UDP conversations with an answer to every datagram."""
    c, s = net.client, net.server
    s.udp_answer(port, 300 * US, size=200)
    for i in range(count):
        c.udp_stream(("u", i), c.address(), 40000 + i, s.address(), port, requests,
                     start + i * 7 * MS, gap, size=60)


@scenario("B01", "PAT", packets=2800, pairs=28000, drops=0, nat=100)
def b01(seed):
    net = t5(seed, fw=firewall(pat))
    t_conns(net, 50, 10, 500)
    udp_flows(net, 50, 10)
    return net.finish()


@scenario("B02", "PAT and IP ID scrub", packets=2800, pairs=28000, drops=0, nat=100)
def b02(seed):
    net = t5(seed, fw=firewall(pat, random_ipid))
    t_conns(net, 50, 10, 500)
    udp_flows(net, 50, 10)
    return net.finish()


def balanced(net, rules, servers=3):
    """Client, router, taps nic lbi lbo, box with rules, junction, taps s1..sn, servers."""
    sim = net.sim
    net.client = Host(sim, 1, "10.1.0.10")
    net.servers = [Host(sim, 0, "10.9.0.%d" % (i + 1)) for i in range(servers)]
    taps = {n: Tap(sim, Point(sim, n)) for n in ["nic", "lbi", "lbo"] +
            ["s%d" % (i + 1) for i in range(servers)]}
    addresses = [h.address() for h in net.servers]
    fork = Junction(sim, pick=lambda pkt, d: addresses.index(pkt.dst))
    chain(net.client, taps["nic"], Link(sim, 500 * US), Router(sim), taps["lbi"],
          Link(sim, 50 * US), Box(sim, *rules), taps["lbo"], fork)
    for i, host in enumerate(net.servers):
        chain(fork, Link(sim, (200 + 50 * i) * US), Router(sim), taps["s%d" % (i + 1)], host)


@scenario("B03", "load balancer", packets=1260, pairs=7560, drops=0, nat=60)
def b03(seed):
    net = Net(seed)
    turn = []

    def pick(proto, src, sport, dst, dport):
        turn.append(1)
        return (src, sport, ip("10.9.0.%d" % ((len(turn) - 1) % 3 + 1)), dport)
    balanced(net, [Nat(net.sim, ("lbi", "lbo"), "dnat", outbound=pick)])
    for host in net.servers:
        serve_requests(host, 80, response=500)
    for i in range(60):
        transactions(net.client, ("t", i), net.client.address(), 45000 + i, ip("198.51.100.80"),
                     80, 5, 500, SEC + i * 20 * MS)
    return net.finish()


@scenario("B04", "static 1:1 translation, both ways", packets=840, pairs=8400, drops=0, nat=40)
def b04(seed):
    outside, inside = ip("198.51.100.10"), ip("10.1.0.10")

    def one_to_one(sim):
        return Nat(sim, FW, "static",
                   outbound=lambda p, s, sp, d, dp: (outside, sp, d, dp),
                   inbound=lambda p, s, sp, d, dp: (s, sp, inside, dp))
    net = t5(seed, fw=firewall(one_to_one))
    t_conns(net, 20, 5, 500)
    serve_requests(net.client, 8080, response=500)
    for i in range(20):
        transactions(net.server, ("in", i), net.server.address(), 51000 + i, outside, 8080, 5, 500,
                     SEC + i * 25 * MS)
    return net.finish()


@scenario("B05", "both addresses translated", packets=630, pairs=6300, drops=0, nat=30)
def b05(seed):
    def full(sim):
        source = pat_rule(sim, PUBLIC)
        real = ip("203.0.113.5")

        def rule(p, s, sp, d, dp):
            new = source(p, s, sp, d, dp)
            return (new[0], new[1], real, 8000)
        return Nat(sim, FW, "full", outbound=rule)
    net = t5(seed, fw=firewall(full))
    serve_requests(net.server, 8000, response=500)
    for i in range(30):
        transactions(net.client, ("t", i), net.client.address(), 45000 + i, ip("192.0.2.80"), 80,
                     5, 500, SEC + i * 20 * MS)
    return net.finish()


@scenario("B06", "NAT64", packets=630, pairs=6300, drops=0, nat=30)
def b06(seed):
    prefix = ip("64:ff9b::")[:12]

    def nat64(sim):
        source = pat_rule(sim, PUBLIC)

        def rule(p, s, sp, d, dp):
            new = source(p, s, sp, d, dp)
            return (new[0], new[1], d[12:], dp)
        return Nat(sim, FW, "nat64", outbound=rule)
    net = t5(seed, fw=firewall(nat64))
    serve_requests(net.server, 80, response=500)
    for i in range(30):
        transactions(net.client, ("t", i), net.client.address(6), 45000 + i,
                     prefix + ip("203.0.113.5"), 80, 5, 500, SEC + i * 20 * MS)
    return net.finish()


def hairpin_pairs(truth, answer):
    """Both passes at lan carry the same number; neither is a duplicate."""
    bad = 0
    for rs in truth.seen.values():
        ids = {tuple(answer.frames[r["frame"]].ids) for r in rs}
        bad += len(ids) != 1
    return ["%d of %d packets torn apart" % (bad, len(truth.seen))] if bad else []


@scenario("B07", "hairpin: A to B by B's public address", packets=100, pairs=200, drops=0,
          order="any", latency=None, checks=[hairpin_pairs])
def b07(seed):
    net = Net(seed)
    sim = net.sim
    host_a, host_b = Host(sim, 1, "10.1.0.10"), Host(sim, 0, "10.1.0.20")
    lan = Point(sim, "lan")

    def rule(p, s, sp, d, dp):
        return (PUBLIC, 30000, ip("10.1.0.20"), dp)
    # Twice the same capture point: before and behind the router that turns the packet round.
    chain(host_a, Link(sim, 50 * US), Tap(sim, lan), Link(sim, 100 * US),
          Box(sim, Nat(sim, ("lan", "lan"), "hairpin", outbound=rule)), Link(sim, 100 * US),
          Tap(sim, lan), Link(sim, 60 * US), Tap(sim, Point(sim, "hostb")), host_b)
    host_a.udp_stream("u", host_a.address(), 40000, ip("192.0.2.20"), 5000, 100, SEC, 5 * MS)
    net.expect = dict(nR=None, nP=None)
    return net.finish()


@scenario("B08", "carrier-grade NAT in two stages", packets=840, pairs=5040, drops=0, nat=80)
def b08(seed):
    def cpe(net):
        return Box(net.sim, Nat(net.sim, ("nic", "cpe_o"), "pat",
                                outbound=pat_rule(net.sim, ip("100.64.0.9"))))

    def cgn(net):
        return Box(net.sim, Nat(net.sim, ("cpe_o", "cgn_o"), "pat",
                                outbound=pat_rule(net.sim, PUBLIC)))
    net = build(seed, ["nic", 200 * US, cpe, "cpe_o", 3 * MS, cgn, "cgn_o", 8 * MS, "router",
                       "srv"],
                left=("192.168.1.10",), right=("203.0.113.5",))
    t_conns(net, 40, 5, 500)
    return net.finish()


@scenario("B09", "an external port used again by another host", packets=132, pairs=1320, drops=0,
          nat=2)
def b09(seed):
    def rule(sim):
        return Nat(sim, FW, "pat", outbound=lambda p, s, sp, d, dp: (PUBLIC, 30000, d, dp))
    net = t5(seed, fw=firewall(rule))
    box = net.fw.rewrites[0]
    serve_requests(net.server, 80, response=500)
    c, s = net.client, net.server
    for i, start in ((0, 0), (1, 12 * SEC)):
        transactions(c, ("t", i), c.address(n=i), 45000 + i, s.address(), 80, 20, 500,
                     SEC + start, think=450 * MS)
    # The first mapping ends before the second conversation begins.
    net.sim.at(11 * SEC + 500 * MS, box.maps.clear)
    return net.finish()


def rexmit_pairs(truth, answer):
    """A retransmission never carries a number of another transmission."""
    groups = {}
    for (tx, _), pid in truth.pids.items():
        if truth.sim.txs[tx]["ctl"] in ("DATA", "SYN", "FIN"):
            ids = groups.setdefault(tx, set())
            for r in truth.seen[pid]:
                if len(r["pids"]) == 1:
                    ids.update(answer.frames[r["frame"]].ids)
    total, union = sum(len(x) for x in groups.values()), set().union(*groups.values())
    return [] if total == len(union) else ["%d transmissions share numbers" % (total - len(union))]


def b10_net(seed, sack):
    def randomizer(sim):
        return seq_randomizer(sim, FW, translate_sack=sack)
    net = t5(seed, fw=firewall(randomizer))
    drops = [data_once(0, (9, 29), flow=("t", 80, i)) for i in range(20)]
    net.l_srv.drop = lambda pkt, d, n: any(f(pkt, d, n) for f in drops)
    t_conns(net, 20, 50, 1448, gap=50 * MS)
    return net.finish()


@scenario("B10", "sequence numbers randomised, 40 losses", drops=40, nat=0, checks=[rexmit_pairs])
def b10(seed):
    return b10_net(seed, True)


@scenario("B11", "as B10, SACK blocks not translated", drops=40, nat=0, checks=[rexmit_pairs])
def b11(seed):
    return b10_net(seed, False)


def said_changes(*words, where):
    """A check: corr.change at a point speaks of all these words somewhere."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        frames = [f for f in answer.frames[1:] if f.point == where]
        text = " | ".join(c for f in frames for c in f.change).lower()
        return ["corr.change at %s lacks '%s'" % (where, w) for w in words if w not in text]
    return check


@scenario("B13", "MSS clamped, options removed from SYN", packets=630, pairs=6300, drops=0, nat=0,
          checks=[said_changes("mss 1460 -> 1400", "sack", "timestamp", where="fwo")])
def b13(seed):
    def options(sim):
        clamp, gone = mss_clamp(1400), remove_options("sackok", "ts")

        def rewrite(pkt, dir):
            clamp(pkt, dir)
            gone(pkt, dir)
        return rewrite
    net = t5(seed, fw=firewall(options))
    t_conns(net, 30, 5, 500)
    return net.finish()


@scenario("B14", "DSCP cleared, CE set, TTL raised at fw", packets=606, pairs=6060, drops=0, nat=0,
          checks=[said_changes("dscp 46 -> 0", "ttl", where="fwo")])
def b14(seed):
    def marks(sim):
        clear, raise_ttl = set_tos(0, 1), set_ttl(255, 1)
        seen = []

        def rewrite(pkt, dir):
            if dir == 1:
                clear(pkt, dir)
                raise_ttl(pkt, dir)
                seen.append(1)
                if 50 <= len(seen) < 81:
                    pkt.tos |= 3
        return rewrite
    net = t5(seed, fw=firewall(marks))
    net.client.tos = 46 << 2 | 2
    t_conns(net, 1, 200, 1000)
    return net.finish()


@scenario("B15", "checksum offload at both ends", packets=606, pairs=6060, drops=0, nat=0)
def b15(seed):
    net = t5(seed, taps={"nic": {"partial": 1}, "srv": {"partial": 0}})
    t_conns(net, 1, 200, 1000)
    return net.finish()


@scenario("B16", "68 bytes kept behind the firewall, PAT", drops=0, packets=1800, R=0.999, nat=50)
def b16(seed):
    short = dict(snaplen=68)
    net = t5(seed, fw=firewall(pat), clocks={"fwi": short, "fwo": short, "srv": short})
    t_conns(net, 50, 10, 500)
    return net.finish()
