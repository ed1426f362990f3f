# SPDX-License-Identifier: GPL-2.0-or-later
"""A: sanity.  Clean and lossy paths, clocks, many points, degenerate files."""
from net import MS, SEC, US, Pkt
from points import Point
from tcp import serve_requests, transactions
from topo import build, listed, scenario, t3


def u_stream(net, count, flow="u", gap=MS, start=SEC, port=5000, **kw):
    """U(n) from the client to the server."""
    c, s = net.client, net.server
    c.udp_stream(flow, c.address(), 40000, s.address(), port, count, start, gap, **kw)


def t_conns(net, conns, n, size, version=4, start=SEC, gap=20 * MS, port=80, first=45000,
            think=MS, c_addr=None, s_addr=None, **kw):
    """`conns` connections T(n, size), one after the other."""
    serve_requests(net.server, port, response=size, **kw)
    for i in range(conns):
        c, s = c_addr or net.client.address(version), s_addr or net.server.address(version)
        transactions(net.client, ("t", port, i), c, first + i, s, port, n, size,
                     start + i * gap, think=think, **kw)


@scenario("A01", "one-way UDP, same clock", packets=1000, pairs=3000, drops=0,
          unordered=["nic", "sw"], latency="none")
def a01(seed):
    net = t3(seed)
    u_stream(net, 1000)
    return net.finish()


@scenario("A01b", "one-way UDP, partial checksums at nic", packets=1000, pairs=3000, drops=0,
          latency="none", order_optional=True)
def a01b(seed):
    net = t3(seed, taps={"nic": {"partial": 1}})
    u_stream(net, 1000)
    return net.finish()


@scenario("A02", "clean TCP", packets=606, pairs=1818, drops=0, clock={"nic-sw": 100 * US,
          "sw-srv": 250 * US}, rtt={"nic-sw": 200 * US, "sw-srv": 500 * US})
def a02(seed):
    net = t3(seed)
    t_conns(net, 1, 200, 1000)
    return net.finish()


@scenario("A03", "six UDP losses", pairs=2988 + 2 * 3 * 550, drops=6, verdicts={"probable": 6})
def a03(seed):
    net = t3(seed)
    lost = {17, 200, 201, 202, 203, 999}
    net.l_srv.drop = lambda pkt, d, n: pkt.flow == "u" and pkt.n in lost
    u_stream(net, 1000, start=6 * SEC)
    net.server.udp_answer(5001, 200_000)
    u_stream(net, 550, flow="background", gap=20 * MS, start=SEC, port=5001)
    return net.finish()


@scenario("A03b", "loss at the tail of the capture", packets=1000, pairs=2988, drops=5,
          undetermined=1, latency="none")
def a03b(seed):
    """One way only: the unfilled checksums at nic tell the order of nic and sw."""
    net = t3(seed, taps={"nic": {"partial": 1}})
    net.points["srv"].window = (None, SEC + 999 * MS)
    net.l_srv.drop = listed(1, {17, 200, 201, 202, 203, 999})
    u_stream(net, 1000)
    return net.finish()


@scenario("A04", "IPv6 TCP", packets=936, pairs=2808, drops=0)
def a04(seed):
    net = t3(seed)
    t_conns(net, 6, 50, 1000, version=6)
    return net.finish()


@scenario("A05", "wild clocks", packets=606, pairs=1818, drops=0,
          clock={"nic-sw": 100 * US, "sw-srv": 250 * US})
def a05(seed):
    net = t3(seed, clocks={"sw": dict(offset=5 * SEC, drift_ppb=50_000),
                           "srv": dict(offset=-3600 * SEC - 250 * MS, drift_ppb=-30_000)})
    t_conns(net, 1, 200, 1000)
    return net.finish()


@scenario("A06", "all points collapsed into one interface", packets=606, pairs=606,
          drops=0, dups=606, names=False, latency=None)
def a06(seed):
    """nic and sw show the same link segment: the later copy there is a mirror copy."""
    net = t3(seed)
    t_conns(net, 1, 200, 1000)
    net.finish()
    net.collapse = True
    nic, sw = net.points["nic"].id, net.points["sw"].id
    records = net.sim.records
    for r in records:
        if r["point"] not in (nic, sw):
            if r["trail"]:
                r["trail"] = records[r["trail"][0]]["trail"]      # srv comes behind nic
        elif (r["point"] == sw) == (r["dir"] == 1):
            r["role"] = "dup"
    for r in records:
        if r["point"] == sw:
            r["point"] = nic
    return net


def many_points(seed, count):
    layout = []
    for i in range(count):
        layout += (["router"] if i else []) + ["p%02d" % i] + ([200 * US] if i < count - 1 else [])
    net = build(seed, layout, left=("10.1.0.10",), right=("203.0.113.5",))
    net.client.ttl = net.server.ttl = 128
    t_conns(net, 1, 50, 1000)
    return net.finish()


@scenario("A07", "20 points", packets=156, pairs=29640, drops=0)
def a07(seed):
    return many_points(seed, 20)


@scenario("A07b", "70 points", packets=156, pairs=376740, drops=0)
def a07b(seed):
    return many_points(seed, 70)


@scenario("A08", "one point only", pairs=0, drops=0)
def a08(seed):
    net = build(seed, ["nic", 100 * US, "router"], left=("10.1.0.10",), right=("203.0.113.5",))
    t_conns(net, 1, 20, 500)
    return net.finish()


@scenario("A08b", "an empty point and one with a single frame", pairs=1, drops=0, latency="none")
def a08b(seed):
    net = build(seed, ["nic", 100 * US, "router", "srv"], left=("10.1.0.10",),
                right=("203.0.113.5",))
    net.points["srv"].accept = lambda pkt, d: pkt.flow == "u" and pkt.n == 7
    Point(net.sim, "empty")
    u_stream(net, 20)
    return net.finish()


@scenario("A08c", "frames without IP only", pairs=20, drops=0, latency="none",
          unordered=["nic", "sw"])
def a08c(seed):
    net = build(seed, ["nic", 100 * US, "sw"], left=("10.1.0.10",), right=("203.0.113.5",))

    def beacon(i):
        pkt = Pkt(ethertype=0x88B5, payload=b"beacon %04d" % i + b"\0" * 40, flow="l2")
        pkt.smac, pkt.dmac = net.client.mac, b"\xff" * 6
        net.sim.new_tx(pkt, 0, 1, ctl="l2")
        net.client.out(pkt, 1)
    for i in range(20):
        net.sim.at(SEC + i * MS, beacon, i)
    return net.finish()
