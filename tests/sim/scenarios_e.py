# SPDX-License-Identifier: GPL-2.0-or-later
"""E: topology, capture defects and clocks.  T3 unless stated."""
from hosts import Host
from net import MS, SEC, US, Junction, Link, Pkt, Router, Tap, chain
from points import Point
from scenarios_a import t_conns, u_stream
from tcp import serve_requests, transactions
from topo import Net, build, scenario, t3

ENDS = dict(left=("10.1.0.10", "10.1.0.11"), right=("203.0.113.5",))


@scenario("E01", "multicast tree", packets=1000, pairs=7970, drops=10,
          latency=None, order="any", nat=0)
def e01(seed):
    net = Net(seed)
    sim = net.sim
    src = Host(sim, 1, "10.1.0.10")
    lost = set(range(40, 490, 45))
    joined = 500
    fork = Junction(sim, copies=lambda pkt, d: (0, 1, 2) if pkt.n >= joined else (0, 1))
    names = ["src", "rtr", "m1", "m2", "m3"]
    taps = {n: Tap(sim, Point(sim, n)) for n in names}
    chain(src, taps["src"], Link(sim, 300 * US), Router(sim), taps["rtr"], fork)
    for i in (1, 2, 3):
        drop = (lambda pkt, d, n: pkt.n in lost) if i == 2 else None
        chain(fork, Link(sim, (200 + 100 * i) * US, drop=drop), Router(sim), taps["m%d" % i],
              Host(sim, 0, "10.2.0.%d" % i))
    src.udp_stream("mc", src.address(), 5004, b"\xe8\1\2\3", 5004, 1000, SEC, 5 * MS)
    return net.finish()


@scenario("E02", "unknown unicast flooded to another port", drops=0, nat=0, latency=None,
          order="any")
def e02(seed):
    net = Net(seed)
    sim = net.sim
    net.client, net.server = Host(sim, 1, "10.1.0.10"), Host(sim, 0, "10.1.0.20")
    taps = {n: Tap(sim, Point(sim, n)) for n in ("nic", "srv", "other")}
    bridge = Junction(sim, copies=lambda pkt, d: (0, 1) if d == 1 and pkt.n < 5 and
                      pkt.flow == "u" else (0,))
    chain(net.client, taps["nic"], Link(sim, 50 * US), bridge)
    chain(bridge, Link(sim, 60 * US), taps["srv"], net.server)
    chain(bridge, Link(sim, 70 * US), taps["other"], Host(sim, 0, "10.1.0.30"))
    u_stream(net, 100, gap=5 * MS)
    t_conns(net, 1, 30, 500)
    return net.finish()


def forked(seed, pick, delays=(1 * MS, 1 * MS), drops=(None, None), extra_taps=("r1", "r2"),
           **kw):
    """nic, junction, r1 | r2, junction, srv; both directions by pick."""
    net = Net(seed)
    sim = net.sim
    net.client, net.server = Host(sim, 1, "10.1.0.10"), Host(sim, 0, "203.0.113.5")
    taps = {n: Tap(sim, Point(sim, n)) for n in ("nic",) + extra_taps + ("srv",)}
    a, b = Junction(sim, pick=pick), Junction(sim, pick=pick)
    chain(net.client, taps["nic"], a)
    for i, name in enumerate(extra_taps):
        chain(a, Link(sim, delays[i]), Router(sim), taps[name],
              Link(sim, delays[i] // 2, drop=drops[i]), b)
    chain(b, Router(sim), taps["srv"], net.server)
    net.taps = taps
    return net


@scenario("E04", "ECMP per flow", packets=2100, pairs=6300, drops=0, nat=0)
def e04(seed):
    net = forked(seed, lambda pkt, d: (pkt.flow[2] if isinstance(pkt.flow, tuple) else 0) % 2)
    t_conns(net, 100, 5, 500, gap=10 * MS)
    return net.finish()


@scenario("E05", "load balancing per packet, 100 lost behind r1", drops=100, nat=0, latency="none")
def e05(seed):
    lost = set(range(14, 4000, 40))

    def drop(pkt, d, n):
        return pkt.n in lost
    net = forked(seed, lambda pkt, d: pkt.n % 2, delays=(1 * MS, 3 * MS), drops=(drop, None))
    u_stream(net, 4400, gap=500 * US)
    return net.finish()


@scenario("E06", "mirror port doubles every frame", packets=606, pairs=1818, drops=0, dups=606,
          nat=0)
def e06(seed):
    net = t3(seed)
    net.points["sw"].dup = 3 * US
    t_conns(net, 1, 200, 1000)
    return net.finish()


@scenario("E11", "capture windows differ (100 packets a second)", packets=7000, pairs=11000,
          drops=0, nat=0, latency="none", unordered=["nic", "sw"])
def e11(seed):
    net = t3(seed)
    for name, window in (("nic", (0, 60)), ("sw", (10, 50)), ("srv", (20, 70))):
        net.points[name].window = (SEC + window[0] * SEC - 5 * MS, SEC + window[1] * SEC - 5 * MS)
    u_stream(net, 7000, gap=10 * MS)
    return net.finish()


@scenario("E12", "a ring buffer lost five seconds at srv", drops=0, nat=0, latency="none",
          unordered=["nic", "sw"])
def e12(seed):
    net = t3(seed)
    net.points["srv"].gaps = [(5 * SEC, 10 * SEC)]
    u_stream(net, 1400, gap=10 * MS)
    return net.finish()


@scenario("E13", "srv captures TCP only", drops=0, nat=0)
def e13(seed):
    net = t3(seed)
    net.points["srv"].accept = lambda pkt, d: pkt.proto == 6
    t_conns(net, 10, 10, 500, gap=100 * MS)
    net.server.udp_answer(5000, 300 * US)
    u_stream(net, 300, gap=4 * MS)
    return net.finish()


@scenario("E14", "the capture tool at sw loses 3 %", drops=0, nat=0)
def e14(seed):
    net = t3(seed)
    lost = {i * 33 + i * i % 7 for i in range(1, 80)}    # not before sw saw anything
    net.points["sw"].miss = lambda pkt, d, n, t: n in lost
    t_conns(net, 4, 100, 500, gap=40 * MS, think=2 * MS)
    return net.finish()


@scenario("E15", "sw blind for 200 ms, six real losses inside", drops=6, nat=0,
          verdicts={"confirmed": 6})
def e15(seed):
    net = t3(seed)
    start = SEC + 60 * MS
    net.points["sw"].miss = lambda pkt, d, n, t: start <= t < start + 200 * MS
    counted = []

    def drop(pkt, d, n):
        if d == 1 and pkt.data_n is not None and start + 20 * MS <= net.sim.now < \
                start + 160 * MS and isinstance(pkt.flow, tuple) and pkt.flow[0] == "up":
            counted.append(n)
            return len(counted) in (5, 6, 20, 33, 47, 60)
        return None
    net.l_nic.drop = drop
    # An upload, so that data travels nic -> sw; other flows beside it.
    serve_requests(net.server, 81, request=600_000, response=100)
    transactions(net.client, ("up", 0), net.client.address(), 46000, net.server.address(), 81, 1,
                 100, SEC, request=600_000, pace=500 * US, iw=20, window=1 << 22)
    t_conns(net, 4, 100, 500, gap=10 * MS, think=3 * MS)
    return net.finish()


@scenario("E16", "mirror port oversubscribed: bursts missing at sw", drops=0, nat=0)
def e16(seed):
    net = t3(seed)
    bursts = [(200 + 150 * i, 200 + 150 * i + 12) for i in range(8)]
    net.points["sw"].miss = lambda pkt, d, n, t: any(a <= n < b for a, b in bursts)
    t_conns(net, 4, 100, 500, gap=10 * MS, think=2 * MS)
    return net.finish()


@scenario("E17", "reordering: jitter 20 ms, spacing 5 ms", packets=1000, pairs=3000, drops=0, nat=0,
          latency="none", unordered=["nic", "sw"])
def e17(seed):
    net = t3(seed)
    delays = [net.sim.rng.exp(20 * MS) for _ in range(1000)]
    net.l_srv.fifo = False
    net.l_srv.extra = lambda pkt, d, n: delays[n]
    u_stream(net, 1000, gap=5 * MS)
    return net.finish()


def stepped(seed, rtt, drift, steps):
    net = build(seed, ["nic", rtt // 2, "router", "srv"],
                clocks={"srv": dict(drift_ppb=drift, steps=steps)}, **ENDS)
    t_conns(net, 60, 10, 400, gap=SEC, think=30 * MS)
    return net.finish()


@scenario("E18", "drift 40 ppm and a step of 5 ms, RTT 0.5 ms", drops=0, nat=0)
def e18(seed):
    return stepped(seed, 500 * US, 40_000, [(30 * SEC + 900 * MS, 5 * MS)])


@scenario("E19", "a step hidden in the RTT: 5 ms of 20 ms", drops=0, nat=0)
def e19(seed):
    return stepped(seed, 20 * MS, 0, [(30 * SEC + 900 * MS, 5 * MS)])


@scenario("E20", "asymmetric delay 9 ms / 1 ms", drops=0, nat=0, clock={"nic-srv": 5 * MS},
          rtt={"nic-srv": 10 * MS})
def e20(seed):
    net = build(seed, ["nic", (9 * MS, 1 * MS), "router", "srv"],
                clocks={"srv": dict(offset=700 * MS)}, **ENDS)
    t_conns(net, 10, 20, 500, gap=300 * MS)
    return net.finish()


def drift_told(truth, answer):
    """That there is one: whether it is right is judged in clocks.py."""
    if answer.made_from_truth:
        return []
    clocks = [row["clock"] for row in answer.report["points"]]
    return ["no drift: %s" % c for c in clocks
            if c["status"] != "reference" and "drift_ppm" not in c]


@scenario("E21", "only one direction is mirrored", drops=0, nat=0, latency="none",
          unordered=["nic", "sw"], checks=(drift_told,))
def e21(seed):
    only = dict(accept=lambda pkt, d: d == 1)
    net = t3(seed, clocks={"nic": dict(only), "sw": dict(only, drift_ppb=20_000),
                           "srv": dict(only, offset=40 * MS)})
    t_conns(net, 10, 20, 500, gap=300 * MS)
    return net.finish()


@scenario("E22", "dirty time stamps", packets=606, pairs=1818, drops=0, nat=0)
def e22(seed):
    noise = [-(i * 7919 % 20) * US if i % 5 == 0 else 0 for i in range(997)]
    net = t3(seed, clocks={"nic": dict(res=1000, stamp_noise=lambda n: noise[n % 997]),
                           "sw": dict(res=1000)})
    t_conns(net, 1, 200, 1000)
    return net.finish()


@scenario("E23", "forward through fw1, back through fw2", drops=0, nat=0, lat=0.0)
def e23(seed):
    net = forked(seed, lambda pkt, d: 0 if d == 1 else 1, delays=(2 * MS, 3 * MS),
                 extra_taps=("fw1", "fw2"))
    t_conns(net, 40, 5, 500)
    return net.finish()


@scenario("E24", "failover from fw1 to fw2, 40 lost", drops=40, nat=0, latency="none")
def e24(seed):
    net = forked(seed, lambda pkt, d: 0 if pkt.n < 2500 else 1, delays=(2 * MS, 3 * MS),
                 extra_taps=("fw1", "fw2"),
                 drops=(lambda pkt, d, n: pkt.n >= 2460, None))
    u_stream(net, 5000, gap=MS)
    return net.finish()


@scenario("E27", "clock slewed by 500 ppm for ten seconds", drops=0, nat=0)
def e27(seed):
    net = build(seed, ["nic", 500 * US, "router", "srv"], **ENDS)
    net.points["srv"].clock = slewed(net.points["srv"].clock, 20 * SEC, 30 * SEC, 500)
    net.points["srv"].slews.append((20 * SEC, 30 * SEC))
    t_conns(net, 60, 10, 400, gap=SEC, think=30 * MS)
    return net.finish()


def slewed(clock, start, stop, ppm):
    """A clock that runs ppm faster between start and stop."""
    return lambda t: clock(t) + max(0, min(t, stop) - start) * ppm // 10**6


@scenario("E28", "two taps on the same host", drops=0, nat=0)
def e28(seed):
    net = build(seed, ["a", 800, "b", 3 * MS, "router", "srv"], **ENDS)
    t_conns(net, 10, 20, 500, gap=300 * MS)
    return net.finish()


@scenario("E03", "ARP broadcast at six ports", pairs=10 * 15, drops=0, nat=0, latency=None,
          order="any")
def e03(seed):
    net = Net(seed)
    sim = net.sim
    hosts = [Host(sim, 1 if i == 0 else 0, "10.1.0.%d" % (10 + i)) for i in range(6)]
    taps = [Tap(sim, Point(sim, "port%d" % i)) for i in range(6)]
    bridge = Junction(sim, copies=lambda pkt, d: range(5) if d == 1 else (0,))
    chain(hosts[0], taps[0], Link(sim, 20 * US), bridge)
    for i in range(1, 6):
        chain(bridge, Link(sim, (20 + i) * US), taps[i], hosts[i])

    def who_has(i):
        body = b"\0\1\x08\0\6\4\0\1" + hosts[0].mac + hosts[0].address() + b"\0" * 6 + \
            bytes([10, 1, 0, 50 + i])
        pkt = Pkt(ethertype=0x0806, payload=body, flow="arp", smac=hosts[0].mac, dmac=b"\xff" * 6)
        sim.new_tx(pkt, 0, 1, ctl="l2")
        hosts[0].out(pkt, 1)
    for i in range(10):
        sim.at(SEC + i * 300 * MS, who_has, i)
    return net.finish()


@scenario("E09", "routing loop: the tap sees the packet until its TTL ends", drops=0, nat=0,
          latency=None, order="any", undetermined=0)
def e09(seed):
    net = Net(seed)
    sim = net.sim
    src = Host(sim, 1, "10.1.0.10")
    entry = Tap(sim, Point(sim, "in"))
    loop = Tap(sim, Point(sim, "r1r2"))
    one, two = Router(sim), Router(sim)
    chain(src, entry, Link(sim, 100 * US), one)
    # one -> loop tap -> two -> back to the tap, endlessly; the TTL stops it.
    chain(one, Link(sim, 500 * US), loop, Link(sim, 500 * US), two)
    two.nbr[1] = loop_back = Link(sim, 500 * US)
    loop_back.nbr[1] = loop
    src.udp_stream("lost", src.address(), 40000, b"\xcb\0\x71\5", 5000, 20, SEC, 200 * MS)

    return net.finish()


@scenario("E08", "routed mirror port: both sides of the router on one interface", drops=0, nat=0,
          names=False)
def e08(seed):
    net = build(seed, ["a", 300 * US, "router", "b", 2 * MS, "router", "srv"], **ENDS)
    net.points["b"].interface = net.points["a"].interface
    t_conns(net, 1, 100, 500)
    return net.finish()


@scenario("E10", "an ARP request 5000 times in 50 ms", nat=0, latency=None, order="any", P=None,
          R=None, dP=None, dR=None, mP=None, mR=None, ambiguous=1.0, dups=None)
def e10(seed):
    net = build(seed, ["a", 20 * US, "b"], left=("10.1.0.10",), right=("10.1.0.20",))
    c = net.client
    pkt = Pkt(ethertype=0x0806, payload=b"\0\1\x08\0\6\4\0\1" + c.mac + c.address() + b"\0" * 6 +
              bytes([10, 1, 0, 77]), flow="arp", smac=c.mac, dmac=b"\xff" * 6)

    def storm(i):
        copy = pkt.copy()
        net.sim.new_tx(copy, 0, 1, ctl="l2")
        c.out(copy, 1)
    for i in range(5000):
        net.sim.at(SEC + i * 10 * US, storm, i)
    t_conns(net, 1, 50, 500)
    return net.finish()
