# SPDX-License-Identifier: GPL-2.0-or-later
"""K: identity in networks that the catalogue describes, put together in other ways."""
import wraps
from boxes import (Box, Bridge, Coalescer, Fragmenter, Nat, Segmenter, Tunnel, mss_clamp, pat_rule,
                   random_ipid, remove_options, seq_randomizer, vlan)
from hosts import content
from net import MS, SEC, US, Junction, Link, Tap
from packets import ip
from scenarios_a import t_conns, u_stream
from scenarios_b import PUBLIC, firewall, pat, rexmit_pairs, udp_flows
from scenarios_b2 import gateway
from scenarios_c import bulk
from tcp import serve_requests, transactions
from topo import build, data_once, scenario

V4 = dict(left=("10.1.0.10", "10.1.0.11", "10.1.0.12", "fd00:1::10"),
          right=("203.0.113.5", "203.0.113.6", "2001:db8:2::5"))
CLOCKS = {"a": dict(offset=1700 * MS, drift_ppb=30_000), "c": dict(offset=-5 * SEC),
          "d": dict(offset=3600 * SEC, drift_ppb=-40_000, res=1000)}


def box(*makers):
    return lambda net: Box(net.sim, *[m(net.sim) for m in makers], delay=20 * US)


def chain_of(net):
    element = net.client
    while element is not None:
        yield element
        element = element.nbr[1]


def after(net, point):
    """The link behind a point, on the way from the client to the server."""
    way = list(chain_of(net))
    at = next(i for i, e in enumerate(way) if isinstance(e, Tap) and e.point.name == point)
    return next(e for e in way[at:] if isinstance(e, Link))


def pat_at(left, right):
    return lambda sim: Nat(sim, (left, right), "pat", outbound=pat_rule(sim, PUBLIC))


def translation(left, right, kind, outbound=None, inbound=None):
    return lambda sim: Nat(sim, (left, right), kind, outbound, inbound)


def adjusted(prefix):
    """RFC 6296: another /48, and the word behind it keeps the checksum right."""
    def rule(address):
        def words(b):
            return sum(int.from_bytes(b[i:i + 2], "big") for i in range(0, len(b), 2))
        total = words(address[:6]) + int.from_bytes(address[6:8], "big") - words(prefix)
        return prefix + (total % 0xFFFF).to_bytes(2, "big") + address[8:]
    return rule


@scenario("K01", "NPTv6, conversations from both sides", drops=0)
def k01(seed):
    inside, outside = ip("fd00:1::")[:6], ip("2001:db8:77::")[:6]
    out, back = adjusted(outside), adjusted(inside)
    net = build(seed, ["a", MS, "router", "b", box(translation(
        "b", "c", "nptv6", lambda p, s, sp, d, dp: (out(s), sp, d, dp),
        lambda p, s, sp, d, dp: (s, sp, back(d), dp))), "c", 5 * MS, "router", "d"],
        clocks=CLOCKS, **V4)
    c, s = net.client, net.server
    t_conns(net, 10, 5, 700, version=6)
    serve_requests(c, 22, response=300)
    for i in range(10):
        transactions(s, ("in", i), s.address(6), 51000 + i, out(c.address(6)), 22, 5, 300,
                     SEC + i * 30 * MS)
    return net.finish()


@scenario("K02", "NAT64, and behind it a carrier's PAT", drops=0)
def k02(seed):
    prefix = ip("64:ff9b::")[:12]

    def nat64(sim):
        source = pat_rule(sim, ip("100.64.0.7"))

        def rule(p, s, sp, d, dp):
            new = source(p, s, sp, d, dp)
            return (new[0], new[1], d[12:], new[3])
        return Nat(sim, ("b", "c"), "nat64", outbound=rule)
    net = build(seed, ["a", MS, "router", "b", box(nat64), "c", 3 * MS,
                       box(lambda sim: Nat(sim, ("c", "d"), "pat",
                                           outbound=pat_rule(sim, PUBLIC)), random_ipid), "d",
                       8 * MS, "router", "e"], clocks=CLOCKS, **V4)
    serve_requests(net.server, 80, response=500)
    for i in range(20):
        transactions(net.client, ("t", i), net.client.address(6), 45000 + i,
                     prefix + ip("203.0.113.5"), 80, 5, 500, SEC + i * 20 * MS)
    net.client.ping("p", net.client.address(6), prefix + ip("203.0.113.5"), 900, 30, SEC, 11 * MS)
    net.client.udp_stream("u", net.client.address(6), 40000, prefix + ip("203.0.113.5"), 5000, 60,
                          SEC, 9 * MS, size=300)
    return net.finish()


@scenario("K03", "CGN that gives one external port to one client after the other, at once", drops=0)
def k03(seed):
    state = {"n": 0}

    def rule(sim):
        def one(p, s, sp, d, dp):
            state["n"] += 1
            return (PUBLIC, 30000 + state["n"] % 4, d, dp)
        return Nat(sim, ("b", "c"), "pat", outbound=one)
    net = build(seed, ["a", MS, "router", "b", box(rule), "c", 4 * MS, "router", "d"],
                clocks=CLOCKS, **V4)
    nat = next(e for e in chain_of(net) if isinstance(e, Box)).rewrites[0]
    serve_requests(net.server, 80, response=200)
    for i in range(30):
        # Each one ends some milliseconds before the next one begins, on the same external port.
        start = SEC + i * 60 * MS
        transactions(net.client, ("t", i), net.client.address(n=i % 3), 45000 + i,
                     net.server.address(), 80, 2, 200, start, think=MS)
        net.sim.at(start + 58 * MS, nat.maps.clear)
    return net.finish()


def ends(kind, ident, i, routed=False):
    """Two ends of a tunnel: makers for a layout."""
    a, b = ip("172.16.%d.1" % i), ip("172.16.%d.2" % i)
    return (lambda net: Tunnel(net.sim, kind, ident, a, b, 1, routed=routed),
            lambda net: Tunnel(net.sim, kind, ident, b, a, 0, routed=routed))


@scenario("K04", "VXLAN in VXLAN, the same tuples in a plain network beside it", drops=1, nat=0)
def k04(seed):
    (i1, o1), (i2, o2) = ends("vxlan", 10, 1), ends("vxlan", 20, 2)
    net = build(seed, ["a", 200 * US, i1, "v1", 300 * US, i2, "v2", 4 * MS, "router", "v3", o2,
                       300 * US, "v4", o1, 200 * US, "b"],
                clocks={"v2": dict(offset=2 * SEC), "v3": dict(offset=-SEC, drift_ppb=50_000)}, **V4)
    after(net, "v2").drop = lambda pkt, d, n: d == 0 and n == 50
    t_conns(net, 4, 30, 900)
    return net.finish()


@scenario("K05", "GRE over labels, then PAT and random numbers", drops=0, nat=6)
def k05(seed):
    into, out = ends("gre", 0, 3, routed=True)
    q = 0x8100
    net = build(seed, ["a", 100 * US, into, "g1", 2 * MS, "router", "g2", out, 100 * US, "b",
                       box(lambda sim: Nat(sim, ("b", "c"), "pat", outbound=pat_rule(sim, PUBLIC)),
                           lambda sim: seq_randomizer(sim, ("b", "c"))), "c",
                       lambda n: Bridge(n.sim, vlan(((q, 30),), ())), 3 * MS, "router", "d"],
                clocks=CLOCKS, **V4)
    t_conns(net, 6, 20, 1000)
    return net.finish()


@scenario("K06", "mid-flow: no handshake in the capture, PAT, random numbers, 96 bytes", nat=12,
          drops=0)
def k06(seed):
    """Everything begins before the captures do."""
    short = dict(snaplen=96, window=(3 * SEC, None))
    net = build(seed, ["a", MS, "router", "b",
                       box(lambda sim: Nat(sim, ("b", "c"), "pat", outbound=pat_rule(sim, PUBLIC)),
                           lambda sim: seq_randomizer(sim, ("b", "c")), random_ipid),
                       "c", 5 * MS, "router", "d"],
                clocks={n: dict(CLOCKS.get(n, {}), **short) for n in "abcd"}, **V4)
    t_conns(net, 12, 60, 800, think=100 * MS)
    return net.finish()


@scenario("K07", "two paths by packet, behind them PAT; both have points", drops=4)
def k07(seed):
    from hosts import Host
    from net import Link, Router, Tap, chain
    from points import Point
    from topo import Net
    net = Net(seed)
    sim = net.sim
    net.client, net.server = Host(sim, 1, *V4["left"]), Host(sim, 0, *V4["right"])
    points = {n: Point(sim, n, **CLOCKS.get(n, {})) for n in ("a", "r1", "r2", "c", "d")}
    tap = {n: Tap(sim, p) for n, p in points.items()}
    split = Junction(sim, pick=lambda pkt, d: pkt.n % 2)
    merge = Junction(sim, pick=lambda pkt, d: pkt.n % 2)
    chain(net.client, tap["a"], Link(sim, MS), Router(sim), split)
    loss = Link(sim, 2 * MS, drop=lambda pkt, d, n: d == 1 and n in (40, 41, 60, 90))
    chain(split, Link(sim, MS), Router(sim), tap["r1"], loss, merge)
    chain(split, Link(sim, 3 * MS), Router(sim), tap["r2"], Link(sim, 2 * MS), merge)
    chain(merge, Box(sim, Nat(sim, ("r1", "c"), "pat", outbound=pat_rule(sim, PUBLIC)),
                     delay=20 * US), tap["c"],
          Link(sim, 4 * MS), Router(sim), tap["d"], net.server)
    net.expect = dict(nP=None, nR=None)
    u_stream(net, 600, gap=MS)
    t_conns(net, 6, 20, 500)
    return net.finish()


def service(sim):
    """A cluster's service: the virtual address becomes a pod, the source this node."""
    ports = {"n": 20000}

    def rule(p, s, sp, d, dp):
        if d != ip("10.96.0.1"):
            return None
        ports["n"] += 7
        return (ip("10.244.1.1"), ports["n"], ip("10.244.2.5"), 8080)
    return Nat(sim, ("pod", "cni"), "full", outbound=rule)


@scenario("K08", "cluster: service address and source translated, overlay between the nodes", drops=3)
def k08(seed):
    into, out = ends("vxlan", 1, 5)
    net = build(seed, ["pod", 20 * US, box(service), "cni", 10 * US, into, "eth1", 200 * US,
                       "router", "eth2", out, 10 * US, "cni2", 15 * US, "pod2"],
                clocks={"eth2": dict(offset=4 * SEC), "cni2": dict(offset=4 * SEC),
                        "pod2": dict(offset=4 * SEC)},
                left=("10.244.1.9", "10.244.1.10"), right=("10.244.2.5",),
                taps={"pod": {"partial": 1}})
    wraps.link(net.points["cni"], "cooked")
    wraps.link(net.points["cni2"], "cooked")
    after(net, "eth1").drop = lambda pkt, d, n: d == 0 and n in (30, 31)
    after(net, "cni").drop = data_once(1, [3], flow=("s", 7))
    serve_requests(net.server, 8080, response=600)
    for i in range(15):
        transactions(net.client, ("s", i), net.client.address(n=i % 2), 33000 + i,
                     ip("10.96.0.1"), 80, 6, 600, SEC + i * 40 * MS)
    return net.finish()


@scenario("K09", "every point has another link type", drops=0, nat=16)
def k09(seed):
    net = build(seed, ["a", MS, "router", "b", box(lambda sim: Nat(
        sim, ("b", "c"), "pat", outbound=pat_rule(sim, PUBLIC))), "c", 3 * MS, "router", "d",
        2 * MS, "router", "e"], clocks=CLOCKS, **V4)
    for name, kind in (("a", "raw"), ("b", "cooked"), ("d", "ppp"), ("e", "loopback")):
        wraps.link(net.points[name], kind)
    t_conns(net, 10, 10, 500)
    udp_flows(net, 6, 10)
    return net.finish()


@scenario("K10", "acknowledgements only: one direction of a download, PAT", drops=0, nat=1,
          latency=None, order="any", R=0.99)
def k10(seed):
    one_way = dict(accept=lambda pkt, d: d == 1)
    net = build(seed, ["a", MS, "router", "b", box(lambda sim: Nat(
        sim, ("b", "c"), "pat", outbound=pat_rule(sim, PUBLIC))), "c", 5 * MS, "router", "d"],
        clocks={n: dict(CLOCKS.get(n, {}), **one_way) for n in "abcd"}, **V4)
    bulk(net, 600_000, iw=10)
    return net.finish()


@scenario("K11", "segmented by the server, coalesced by the client, random numbers between", nat=8,
          checks=[rexmit_pairs])
def k11(seed):
    net = build(seed, ["a", 5 * US, lambda n: Coalescer(n.sim, 0), "b", 2 * MS, "router", "c",
                       box(lambda sim: Nat(sim, ("c", "d"), "pat", outbound=pat_rule(sim, PUBLIC)),
                           lambda sim: seq_randomizer(sim, ("c", "d"))), "d", 6 * MS, "router",
                       lambda n: Segmenter(n.sim, 0), "e"],
                clocks={"c": dict(offset=-SEC), "e": dict(offset=7 * SEC)},
                taps={"e": {"partial": 0}, "a": {"partial": 1}}, **V4)
    drops = [data_once(0, (7 + i, 30 + i), flow=("t", 80, i)) for i in range(8)]
    after(net, "d").drop = lambda pkt, d, n: any(f(pkt, d, n) for f in drops)
    t_conns(net, 8, 6, 20_000, gap=70 * MS, tso=10, mss=1400)
    return net.finish()


@scenario("K12", "fragments of several sizes, echo and datagrams mixed, an own ID after fw", drops=2,
          nat=0, R=0.999)
def k12(seed):
    net = build(seed, ["a", MS, lambda n: Fragmenter(n.sim, 1500), "b", MS,
                       lambda n: Fragmenter(n.sim, 1000), "c", 2 * MS,
                       lambda n: Fragmenter(n.sim, 576), "d"], clocks=CLOCKS, **V4)
    after(net, "b").drop = lambda pkt, d, n: d == 1 and n in (25, 66)
    c, s = net.client, net.server
    s.echo = False
    for i in range(3):
        c.udp_stream(("u", i), c.address(n=i), 40000 + i, s.address(), 5000, 20, SEC + i * MS,
                     17 * MS, size=2800 + 400 * i)
    c.ping("p", c.address(), s.address(), 77, 20, SEC, 13 * MS, size=1800)
    s.udp_stream("back", s.address(), 5001, c.address(), 41000, 100, SEC, 5 * MS, size=900)
    return net.finish()


@scenario("K13", "heartbeats of twelve sensors, all alike, through PAT", nat=15)
def k13(seed):
    """The same 16 bytes every second, IPv4 without identification; the answers are alike, too."""
    net = build(seed, ["a", MS, "router", "b", box(lambda sim: Nat(
        sim, ("b", "c"), "pat", outbound=pat_rule(sim, PUBLIC))), "c", 20 * MS, "router", "d"],
        clocks=CLOCKS, **V4)
    c, s = net.client, net.server
    s.udp[5683] = lambda pkt: net.sim.after(MS, s.send_udp, pkt.flow, pkt.dst, 5683, pkt.src,
                                            pkt.sport, b"acknowledge-----")
    for i in range(12):
        c.udp_stream(("beat", i), c.address(n=i % 3), 40000 + i, s.address(), 5683, 20,
                     SEC + i * 67 * MS, SEC, size=16, same=True)
    after(net, "c").drop = lambda pkt, d, n: n in (31, 32, 77, 90, 150)
    t_conns(net, 3, 20, 500)
    return net.finish()


@scenario("K14", "options stripped, MSS clamped, IDs and numbers random, marks: all at one box", nat=20,
          drops=20, nR=0.99, R=0.92, ambiguous=0.08, latency=None, checks=[rexmit_pairs])
def k14(seed):
    net = build(seed, ["a", MS, "router", "b",
                       box(lambda sim: Nat(sim, ("b", "c"), "pat", outbound=pat_rule(sim, PUBLIC)),
                           lambda sim: seq_randomizer(sim, ("b", "c"), translate_sack=False),
                           random_ipid, lambda sim: mss_clamp(1200),
                           lambda sim: remove_options("sackok", "ts", nop=False)),
                       "c", 5 * MS, "router", "d"], clocks=CLOCKS, **V4)
    drops = [data_once(0, (3 + i % 11,), flow=("t", 80, i)) for i in range(20)]
    after(net, "c").drop = lambda pkt, d, n: any(f(pkt, d, n) for f in drops)
    t_conns(net, 20, 15, 1000, gap=70 * MS, ts=False)
    return net.finish()


@scenario("K15", "a helper lengthens two commands; after each the same command is repeated", drops=0,
          nat=3)
def k15(seed):
    net = build(seed, ["a", MS, "router", "b", box(gateway({2: 4, 4: 4}), pat_at("b", "c")), "c",
                       5 * MS, "router", "d"], clocks=CLOCKS, **V4)
    serve_requests(net.server, 21, response=60)
    for i in range(3):
        conn = transactions(net.client, ("ftp", i), net.client.address(), 45000 + i,
                            net.server.address(), 21, 6, 60, SEC + i * 100 * MS)
        conn.cache += b"".join(content("PORT", i, k, size=100) if k % 2 == 0 else
                               b"RETR file".ljust(100) for k in range(6))
    return net.finish()


@scenario("F20", "scale: 16 points, five stages, all kinds of traffic; tests/bench has the millions",
          nat=80)
def f20(seed):
    """What is exact for thousands of frames must be for tens of thousands."""
    names = ["p%02d" % i for i in range(16)]
    layout = []
    for i, name in enumerate(names):
        if i == 5:
            layout.append(box(lambda sim: Nat(sim, ("p04", "p05"), "pat",
                                              outbound=pat_rule(sim, PUBLIC)), random_ipid))
        elif i == 10:
            layout.append(box(lambda sim: seq_randomizer(sim, ("p09", "p10"))))
        elif i:
            layout += ["router", (100 + 37 * i) * US]
        layout.append(name)
    clocks = {n: dict(offset=(i * 7919 % 4001 - 2000) * MS, drift_ppb=(i * 31 % 81 - 40) * 1000)
              for i, n in enumerate(names)}
    net = build(seed, layout, clocks=clocks, **V4)
    net.client.ttl = net.server.ttl = 128
    lost = set(range(40, 9000, 211))
    after(net, "p07").drop = lambda pkt, d, n: d == 1 and n in lost
    t_conns(net, 60, 8, 900, gap=25 * MS)
    udp_flows(net, 20, 8)
    return net.finish()
