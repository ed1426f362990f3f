# SPDX-License-Identifier: GPL-2.0-or-later
"""R: networks, traffic, losses and defects of the capture, all drawn from the seed.

Nothing here has an exact expectation but the one that matters: what the engine calls a
confirmed loss is one, at that place; what it calls probable nearly always is.  How much it
finds is not judged.  `score.py --seeds 30 R01 R02` runs more of them.
"""
from boxes import Nat, pat_rule, random_ipid, seq_randomizer
from hosts import Host, dns_answer, dns_query
from net import MS, SEC, US, Junction, Link, Router, Tap, chain
from packets import ACK, ICMP, ICMP6, TCP, UDP
from points import Point
from scenarios_a import t_conns, u_stream
from scenarios_b import PUBLIC, firewall
from scenarios_c import bulk
from tcp import transactions
from topo import Net, build, scenario

ENDS = dict(left=("10.1.0.10", "10.1.0.11", "2001:db8:1::10"),
            right=("203.0.113.5", "203.0.113.6", "2001:db8:2::5"))
LOOSE = dict(dP=None, dR=None, mP=None, mR=None, nP=None, nR=None, oR=None, P=0.999, R=0.9,
             segments=False, latency=None, order="any", ambiguous=0.2, dups=None)


class Draw:
    """Choices by the seed."""

    def __init__(self, seed):
        from net import Rng
        self.rng = Rng(seed * 7919 + 17)

    def upto(self, n):
        return self.rng.below(n + 1)

    def between(self, a, b):
        return a + self.rng.below(b - a + 1)

    def of(self, *choices):
        return choices[self.rng.below(len(choices))]

    def chance(self, percent):
        return self.rng.below(100) < percent


def clocks_of(draw, names):
    """Offsets of up to two seconds, drift up to 50 ppm, three resolutions."""
    clocks = {}
    for name in names:
        clocks[name] = dict(res=draw.of(1, 1, 1000))
        if draw.chance(60):
            clocks[name]["offset"] = draw.between(-2000, 2000) * MS
            clocks[name]["drift_ppb"] = draw.between(-50_000, 50_000)
    return clocks


def traffic(net, draw):
    """Some of everything, between the two hosts, in four seconds."""
    c, s = net.client, net.server
    version = draw.of(4, 4, 6) if not getattr(net, "only_v4", False) else 4
    if draw.chance(80):
        t_conns(net, draw.between(3, 25), draw.between(2, 15), draw.between(50, 1400), version,
                gap=draw.between(10, 150) * MS, think=draw.between(1, 20) * MS)
    if draw.chance(60):
        bulk(net, draw.between(50, 600) * 1000, start=SEC + draw.upto(1000) * MS,
             flow=("bulk",), version=version, pace=draw.between(20, 200) * US, sport=47000,
             port=81)
    if draw.chance(60):
        c.udp_stream("u", c.address(version), 40000, s.address(version), 5000,
                     draw.between(5, 400), SEC + draw.upto(500) * MS, draw.between(1, 30) * MS,
                     size=draw.between(12, 1200))
    if draw.chance(50):
        s.udp_answer(5353, 300 * US, size=200)
        for i in range(draw.between(1, 10)):
            c.udp_stream(("a", i), c.address(version), 42000 + i, s.address(version), 5353,
                         draw.between(1, 30), SEC + draw.upto(2000) * MS,
                         draw.between(5, 100) * MS, size=80)
    if draw.chance(50):
        c.ping("ping", c.address(version), s.address(version), 77, draw.between(3, 40),
               SEC + draw.upto(500) * MS, draw.between(20, 100) * MS)
    if draw.chance(40):
        s.udp[53] = lambda pkt: net.sim.after(MS, s.send_udp, pkt.flow, pkt.dst, 53, pkt.src,
                                              pkt.sport, dns_answer(pkt))
        for i in range(draw.between(1, 8)):
            for again in range(draw.of(1, 1, 2)):
                net.sim.at(SEC + i * 300 * MS + again * 100 * MS, c.send_udp, ("dns", i),
                           c.address(version), 50000 + i, s.address(version), 53,
                           dns_query(1000 + i, "host%d.example.org" % i))
    if draw.chance(30):
        # A sensor: the same bytes each time, nobody answers.
        c.udp_stream("same", c.address(version), 41000, s.address(version), 5001, 30,
                     SEC, 100 * MS, size=draw.of(4, 40), same=True)


def loss(net, draw):
    """One way of losing packets on a link: callable(pkt, dir, n)."""
    rng, sim = draw.rng, net.sim
    way = draw.of(0, 1)
    start, length = SEC + draw.upto(3000) * MS, draw.between(5, 500) * MS
    percent, every = draw.of(1, 3, 10, 30), draw.between(2, 12)
    kind = draw.of("random", "random", "burst", "blackout", "acks", "first", "last", "port",
                   "from", "size", "proto", "flow")
    state = {}

    def number(pkt, limit):
        key = (pkt.flow, pkt.proto)
        state[key] = state.get(key, 0) + 1
        return state[key] <= limit
    test = {
        "random": lambda pkt, n: rng.below(100) < percent,
        "burst": lambda pkt, n: n % 200 < every,
        "blackout": lambda pkt, n: start <= sim.now < start + length,
        "acks": lambda pkt, n: pkt.proto == TCP and not pkt.payload and rng.below(100) < percent,
        "first": lambda pkt, n: number(pkt, 1) and rng.below(100) < 40,
        "last": lambda pkt, n: pkt.proto == TCP and pkt.flags & 5 and rng.below(100) < 40,
        "port": lambda pkt, n: pkt.dport % every == 0 or pkt.sport % every == 0,
        "from": lambda pkt, n: sim.now >= start,
        "size": lambda pkt, n: len(pkt.payload) > 900,
        "proto": lambda pkt, n: pkt.proto == (UDP if every < 6 else ICMP if every < 9 else ICMP6),
        "flow": lambda pkt, n: hash_of(pkt.flow) % 7 == 0,
    }[kind]
    both = draw.chance(30)
    return lambda pkt, d, n: (both or d == way) and test(pkt, n)


def hash_of(flow):
    return sum(repr(flow).encode())


def defects(net, draw, names):
    """Capture loss, outages, other begin and end, filters, cut frames, mirror copies."""
    for name in names:
        p, rng = net.points[name], draw.rng
        if draw.chance(35):
            percent = draw.of(1, 3, 10, 30)
            p.miss = lambda pkt, d, n, t, percent=percent: rng_of(net, t, n) % 100 < percent
        elif draw.chance(20):
            size, every = draw.between(3, 60), draw.between(100, 400)
            p.miss = lambda pkt, d, n, t, size=size, every=every: n % every < size
        if draw.chance(15):
            at = SEC + draw.upto(2500) * MS
            p.gaps = [(at, at + draw.between(100, 2000) * MS)]
        if draw.chance(20):
            p.window = (SEC + draw.upto(800) * MS if draw.chance(50) else None,
                        SEC + draw.between(1500, 4000) * MS if draw.chance(50) else None)
        if draw.chance(10):
            proto = draw.of(TCP, UDP)
            p.accept = lambda pkt, d, proto=proto: pkt.proto == proto
        if draw.chance(10):
            way = draw.of(0, 1)
            p.accept = lambda pkt, d, way=way: d == way
        if draw.chance(10):
            p.snaplen = draw.of(64, 96, 128)
        if draw.chance(10):
            p.dup = draw.between(1, 9) * US
    return net


def rng_of(net, t, n):
    """A number for a frame, the same whenever it is asked for."""
    x = (t * 0x9E3779B97F4A7C15 + n * 0xBF58476D1CE4E5B9 + net.sim.seed) & (2**64 - 1)
    x ^= x >> 29
    return (x * 0x94D049BB133111EB & (2**64 - 1)) >> 32


def chained(seed, lossy=1, faulty=False, box=False):
    draw = Draw(seed)
    count = draw.between(2, 6)
    names = ["p%d" % i for i in range(count)]
    layout = [names[0]]
    wall = draw.between(1, count - 1) if box else 0
    for i in range(1, count):
        layout.append(draw.of(50 * US, 300 * US, 2 * MS, 10 * MS))
        if i == wall:
            extra = [[], [random_ipid], [lambda sim, b=("p%d" % (i - 1), "p%d" % i):
                                         seq_randomizer(sim, b)]][draw.upto(2)]
            layout.append(firewall(lambda sim, b=("p%d" % (i - 1), "p%d" % i): Nat(
            sim, b, "pat", outbound=pat_rule(sim, PUBLIC)),
                                   *extra))
        elif draw.chance(70):
            layout.append("router")
        layout.append(names[i])
    taps = {names[0]: {"partial": 1}} if draw.chance(30) else {}
    net = build(seed, layout, clocks=clocks_of(draw, names), taps=taps, **ENDS)
    net.only_v4 = box
    traffic(net, draw)
    for _ in range(lossy):
        draw.of(*net.links).drop = loss(net, draw)
    if faulty:
        defects(net, draw, names)
    return net.finish(SEC * 20)


@scenario("R01", "random chain, one lossy link", **LOOSE)
def r01(seed):
    return chained(seed)


@scenario("R02", "random chain, losses, faulty captures", **LOOSE)
def r02(seed):
    return chained(seed, lossy=2, faulty=True)


@scenario("R03", "random chain with translation, losses", **LOOSE)
def r03(seed):
    return chained(seed, box=True)


@scenario("R04", "random chain with translation, losses, faulty captures", **LOOSE)
def r04(seed):
    return chained(seed, lossy=2, faulty=True, box=True)


def forked(seed, faulty=False):
    """nic, junction, one to three branches with or without points, junction, srv."""
    draw = Draw(seed)
    net = Net(seed)
    sim = net.sim
    net.client = Host(sim, 1, *ENDS["left"])
    net.server = Host(sim, 0, *ENDS["right"])
    branches = draw.between(2, 3)
    names = ["nic", "srv"]
    how = draw.of("flow", "packet", "direction", "time")
    change = SEC + draw.upto(2000) * MS

    def pick(pkt, d):
        if how == "flow":
            return hash_of(pkt.flow) % branches
        if how == "packet":
            return pkt.n % branches
        if how == "direction":
            return d % branches
        return int(sim.now >= change)
    clocks = clocks_of(draw, names + ["b0", "b1", "b2"])
    a, b = Junction(sim, pick=pick), Junction(sim, pick=pick)
    net.points = {n: Point(sim, n, **clocks[n]) for n in names}
    lead, tail = Link(sim, draw.of(50 * US, MS)), Link(sim, draw.of(50 * US, MS))
    chain(net.client, Tap(sim, net.points["nic"]), lead, Router(sim), a)
    net.links = [lead, tail]
    for i in range(branches):
        ins, outs = Link(sim, draw.of(100 * US, MS, 3 * MS)), Link(sim, draw.of(100 * US, MS))
        net.links += [ins, outs]
        middle = []
        if i == 0 or draw.chance(60):
            net.points["b%d" % i] = Point(sim, "b%d" % i, **clocks["b%d" % i])
            middle = [Tap(sim, net.points["b%d" % i])]
        chain(a, ins, Router(sim), *middle, outs, b)
    chain(b, tail, Router(sim), Tap(sim, net.points["srv"]), net.server)
    traffic(net, draw)
    for _ in range(draw.between(1, 2)):
        draw.of(*net.links).drop = loss(net, draw)
    if faulty:
        defects(net, draw, list(net.points))
    return net.finish(SEC * 20)


@scenario("R05", "random branches, some with a point, losses", **LOOSE)
def r05(seed):
    return forked(seed)


@scenario("R06", "random branches, losses, faulty captures", **LOOSE)
def r06(seed):
    return forked(seed, True)
