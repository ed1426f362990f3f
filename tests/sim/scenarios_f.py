# SPDX-License-Identifier: GPL-2.0-or-later
"""F: adversarial and mixed."""
from boxes import Bridge, Segmenter, Tunnel, random_ipid, seq_randomizer
from hosts import Host
from net import MS, SEC, US, Junction, Link, Router, Tap, chain
from packets import TCP, ip
from points import Point
from scenarios_a import t_conns, u_stream
from scenarios_b import FW, firewall, pat
from scenarios_c import keepalive_net
from tcp import Tcp, serve_requests, transactions
from topo import Net, build, data_once, scenario, t3, t5

V4 = dict(left=("10.1.0.10", "10.1.0.11"), right=("203.0.113.5",))


def proxied(seed, same_bytes):
    """nic, pin | proxy | pout, srv: two connections for each of the client's."""
    net = Net(seed)
    sim = net.sim
    net.client, net.server = Host(sim, 1, "10.1.0.10"), Host(sim, 0, "203.0.113.5")
    front, back = Host(sim, 0, "10.3.0.1"), Host(sim, 1, "10.3.0.1")
    taps = {n: Tap(sim, Point(sim, n)) for n in ("nic", "pin", "pout", "srv")}
    chain(net.client, taps["nic"], Link(sim, MS), Router(sim), taps["pin"], front)
    chain(back, taps["pout"], Link(sim, 3 * MS), Router(sim), taps["srv"], net.server)
    serve_requests(net.server, 80, response=1200, mss=1200, quickack=False,
                   **({"key": "body"} if same_bytes else {}))

    def accept(pkt):
        conn = Tcp(front, pkt.flow, pkt.dst, 80, pkt.src, pkt.sport, client=False,
                   **({"key": "body"} if same_bytes else {}))

        def relay(up, what, value):
            if what == "connected":
                up.send(100)
            elif what == "data":
                sim.after(100 * US, conn.send, value - getattr(up, "relayed", 0))
                up.relayed = value

        def event(c, what, value):
            if what == "data" and value == 100:
                up = Tcp(back, ("up",) + pkt.flow, back.address(), pkt.sport + 1000,
                         net.server.address(), 80, client=True, mss=1200, on_event=relay,
                         **({"key": "body"} if same_bytes else {}))
                up.connect()
        conn.on_event = event
        return conn
    front.listen[80] = accept
    for i in range(10):
        transactions(net.client, ("t", i), net.client.address(), 45000 + i, front.address(), 80, 1,
                     1200, SEC + i * 40 * MS, **({"key": "body"} if same_bytes else {}))
    return net.finish()


@scenario("F01g", "TCP proxy that relays the bytes", drops=0, nat=0)
def f01g(seed):
    return proxied(seed, True)


@scenario("F03", "TLS ended at a proxy on both sides", drops=0, nat=0)
def f03(seed):
    return proxied(seed, False)


def tenants(seed, stripped):
    """Two tenants with the same addresses, ports and initial sequence numbers."""
    net = Net(seed)
    sim = net.sim
    taps = {n: Tap(sim, Point(sim, n)) for n in ("p1", "p2")}
    hosts = []

    def mark(n):
        def rewrite(pkt, dir):
            if dir == 1:
                pkt.branch = n
                pkt.vlans = ((0x8100, 10 + 10 * n),)
        return rewrite

    def end(n):
        def rewrite(pkt, dir):
            if dir == 0:
                pkt.branch = n
                pkt.vlans = ((0x8100, 10 + 10 * n),)
            else:
                pkt.vlans = ()
        return rewrite
    left, right = Junction(sim), Junction(sim)
    left.pick = right.pick = lambda pkt, d: pkt.branch
    for n in (0, 1):
        c, s = Host(sim, 1, "10.1.0.10"), Host(sim, 0, "10.1.0.20")
        hosts.append((c, s))
        chain(c, Bridge(sim, mark(n)), left)
    middle = [taps["p1"], Link(sim, 2 * MS), Router(sim)]
    if stripped:
        middle.append(Bridge(sim, lambda pkt, d: setattr(
            pkt, "vlans", () if d == 1 else ((0x8100, 10 + 10 * pkt.branch),))))
    chain(left, *middle, taps["p2"], right)
    for n in (0, 1):
        chain(right, Bridge(sim, end(n)), hosts[n][1])
    for n, (c, s) in enumerate(hosts):
        for i in range(3):
            isn = 1000 * (i + 1)
            serve_requests(s, 80, response=500, key="same", isn=77)
            conn = transactions(c, ("t", n, i), c.address(), 45000 + i, s.address(), 80, 10, 500,
                                SEC + i * 300 * MS + n * 30 * US, isn=isn, key="same")
            conn.ts_base = 5000
    # Equal identification and time stamps, too.
    for c, s in hosts:
        for host in (c, s):
            for i in range(3):
                for key in ((c.address(), 45000 + i, s.address(), 80),
                            (s.address(), 80, c.address(), 45000 + i)):
                    host.ids[key] = 100 * i
    return net.finish()


@scenario("F07", "two tenants, same 5-tuple, VLAN keeps them apart", drops=0, nat=0)
def f07(seed):
    return tenants(seed, False)


@scenario("F07b", "two tenants, VLAN stripped at one point", drops=0, nat=0, R=0.0, ambiguous=1.0,
          order="any", latency=None)
def f07b(seed):
    return tenants(seed, True)


@scenario("F08", "a 5-tuple used again after two seconds", drops=0, nat=0)
def f08(seed):
    net = t5(seed)
    serve_requests(net.server, 80, response=500)
    c, s = net.client, net.server
    for i in range(3):
        transactions(c, ("t", i), c.address(), 45000, s.address(), 80, 10, 500, SEC + i * 3 * SEC,
                     isn=5000 + 300 * i)
    return net.finish()


def twins(seed, *rewrites, syn=True):
    net = t5(seed, fw=firewall(pat, *rewrites))
    serve_requests(net.server, 80, response=500, key="twin", ts=syn)
    c, s = net.client, net.server
    for i in range(2):
        transactions(c, ("t", i), c.address(n=i), 45000, s.address(), 80, 10, 500,
                     SEC + i * 300 * US, key="twin", ts=syn)
    if not syn:
        for p in net.points.values():
            p.window = (SEC + 35 * MS, None)
    return net.finish()


@scenario("F09", "twin clients behind PAT", drops=0, nat=2)
def f09(seed):
    return twins(seed)


@scenario("F09b", "twins without SYN, sequence numbers and IDs random", drops=0, R=0.0, nP=0.0,
          nR=0.0, ambiguous=1.0, order="any", latency=None)
def f09b(seed):
    return twins(seed, lambda sim: seq_randomizer(sim, FW), random_ipid, syn=False)


@scenario("F10", "20 000 identical datagrams at 10 us, 200 lost", drops=200, nat=0, R=0.0, dP=0.0,
          dR=0.0, P=0.99, ambiguous=1.0, order="any", latency=None)
def f10(seed):
    net = t3(seed)
    lost = set(range(55, 20000, 100))
    net.l_srv.drop = lambda pkt, d, n: n in lost
    net.client.next_id = lambda key, step=1: 0
    u_stream(net, 20000, gap=10 * US, size=40, same=True)
    return net.finish()


@scenario("F12", "identical datagrams, jitter above the spacing", drops=36, nat=0, R=0.0, dR=0.0,
          dP=0.0, P=0.0, ambiguous=1.0, order="any", latency=None)
def f12(seed):
    return keepalive_net(seed, 5 * MS, 20 * MS, 0, True)


@scenario("F13", "PAT, ID scrub, random sequence numbers, 60 bytes kept", drops=0, R=0.95, P=0.999,
          oR=0.9, nR=0.9)
def f13(seed):
    net = t5(seed, fw=firewall(pat, random_ipid, lambda sim: seq_randomizer(sim, FW)),
             clocks={n: dict(snaplen=66) for n in ("nic", "sw", "fwi", "fwo", "srv")})
    t_conns(net, 30, 10, 500)
    return net.finish()


@scenario("F16", "clock errors above the RTT: replies before requests in the file", packets=606,
          pairs=1818, drops=0, nat=0)
def f16(seed):
    net = t3(seed, clocks={"sw": dict(offset=-900 * MS), "srv": dict(offset=-2 * SEC)})
    t_conns(net, 1, 200, 1000)
    return net.finish()


def thinned(seed, lose, cause="merged", **kw):
    """A download whose acknowledgements `lose(n)` are taken out behind sw."""
    net = t5(seed)
    from scenarios_c import bulk
    held = []

    def thin(pkt, d, n):
        if d == 1 and pkt.proto == TCP and pkt.flags == 16 and not pkt.payload and n > 4:
            held.append(n)
            return cause if lose(net, len(held)) else None
        return None
    net.l_sw.drop = thin
    bulk(net, 400_000, pace=50 * US, **kw)
    return net.finish()


def filtered(truth, answer):
    """A check: what was taken out is said to be so, and nothing else is."""
    if answer.made_from_truth:
        return []
    got = sum("ack filtered at fwi" in f.undetermined for f in answer.frames[1:])
    want = len({x["frame"] for pid, rs in truth.seen.items() for x in rs
                if {truth.points[r["point"]] for r in rs} == {"nic", "sw"} and
                truth.points[x["point"]] == "sw"})
    # The last one may be the end of the flow.
    return [] if want - 1 <= got <= want else ["%d acknowledgements filtered, not %d" % (got, want)]


@scenario("F17", "half of the pure ACKs thinned out", nat=0, drops=0, checks=[filtered])
def f17(seed):
    return thinned(seed, lambda net, n: n % 2 == 1)


@scenario("F17b", "of four ACKs one is left", nat=0, drops=0, checks=[filtered])
def f17b(seed):
    return thinned(seed, lambda net, n: n % 4 != 0)


@scenario("F17c", "ACKs lost at random, a third of them: no thinning", nat=0, dR=0.95,
          segments=False)
def f17c(seed):
    return thinned(seed, lambda net, n: net.sim.rng.below(3) == 0, True)


@scenario("F18", "mirror copies, PAT and tool loss at one point, real losses", drops=12, nat=30)
def f18(seed):
    net = t5(seed, fw=firewall(pat))
    fwo = net.points["fwo"]
    fwo.dup = 4 * US
    fwo.miss = lambda pkt, d, n, t: n % 50 == 17
    drops = [data_once(0, (5, 14), flow=("t", 80, i)) for i in range(6)]
    net.l_sw.drop = lambda pkt, d, n: any(f(pkt, d, n) for f in drops)
    t_conns(net, 30, 20, 800)
    return net.finish()


@scenario("F19", "everything at once, small", P=0.999, R=0.99, dP=0.95, dR=0.97, mP=0.95, mR=0.9,
          nP=0.99, nR=0.99, oP=0.999, oR=0.95)
def f19(seed):
    """TSO server behind a VXLAN underlay, PAT and random sequence numbers, bad clocks."""
    clocks = {"nic": {}, "sw": dict(offset=2 * SEC, drift_ppb=40_000, dup=3 * US),
              "fwi": dict(offset=-1500 * MS, miss=lambda pkt, d, n, t: d == 1 and n % 50 == 31),
              "fwo": dict(offset=-1500 * MS),
              "u1": dict(offset=300 * MS, drift_ppb=-25_000,
                         miss=lambda pkt, d, n, t: n % 50 == 3),
              "u2": dict(offset=-700 * MS, steps=[(2 * SEC, 12 * MS)]),
              "srv": dict(offset=900 * MS)}
    t1, t2 = ip("172.16.0.1"), ip("172.16.9.1")
    net = build(seed, ["nic", 100 * US, "sw", 2 * MS, "router", "fwi", 50 * US,
                       firewall(pat, lambda sim: seq_randomizer(sim, FW)), "fwo", 400 * US,
                       lambda n: Tunnel(n.sim, "vxlan", 77, t1, t2, 1), "u1", 4 * MS, "router",
                       "u2", lambda n: Tunnel(n.sim, "vxlan", 77, t2, t1, 0), 200 * US, "router",
                       lambda n: Segmenter(n.sim, 0), "srv"], clocks=clocks,
                taps={"srv": {"partial": 0}}, **V4)
    drops = [data_once(0, (3 + i % 5, 9 + i % 7), flow=("t", 80, i)) for i in range(20)]
    net.links[1].drop = lambda pkt, d, n: any(f(pkt, d, n) for f in drops) or \
        (d == 1 and pkt.flow == ("u", 3) and pkt.n in (4, 17))
    t_conns(net, 40, 8, 2000, gap=60 * MS, tso=4, mss=1400)
    net.server.udp_answer(5353, 300 * US, size=300)
    c, s = net.client, net.server
    for i in range(20):
        c.udp_stream(("u", i), c.address(), 42000 + i, s.address(), 5353, 20, SEC + i * 9 * MS,
                     80 * MS, size=80)
    return net.finish()


@scenario("F06", "QUIC: the translated port changes half-way", drops=0, nat=2)
def f06(seed):
    net = t5(seed, fw=firewall(pat))
    box = net.fw.rewrites[0]
    c, s = net.client, net.server
    s.udp_answer(443, 300 * US, size=900)
    c.udp_stream("q", c.address(), 50000, s.address(), 443, 300, SEC, 20 * MS, size=120)
    # Between two exchanges, with nothing on its way.
    net.sim.at(SEC + 150 * 20 * MS - MS, box.maps.clear)
    net.l_srv.delay = (3 * MS, 3 * MS)
    return net.finish()


@scenario("F11", "ICMP errors that quote whole packets are no sightings of them", drops=0, nat=0)
def f11(seed):
    net = t3(seed)
    c, s = net.client, net.server

    def unreachable(pkt):
        from packets import ip_bytes
        from net import Pkt
        error = Pkt(src=s.address(), dst=pkt.src, proto=1, itype=3, icode=3, df=False,
                    payload=ip_bytes(pkt), flow=pkt.flow, ipid=s.next_id("icmp"))
        tx = s.send(error, 0, ctl="icmp-error")
        s.sim.quotes.append((tx, pkt.tx[0]))
    s.udp[5000] = unreachable
    u_stream(net, 200, gap=10 * MS)
    t_conns(net, 3, 20, 500)
    return net.finish()


@scenario("F21", "F19 with bits flipped and frames cut: no crash", P=None,
          R=None, dP=None, dR=None, mP=None, mR=None, nP=None, nR=None, order="any", latency=None,
          ambiguous=1.0, segments=False, loose=True, fprob=0)
def f21(seed):
    """The capture alone is damaged: no packet was lost by that."""
    net = f19(seed)
    rng = net.sim.rng
    for n, r in enumerate(net.sim.records):
        data = bytearray(r["data"])
        if n % 3 == 0:
            data[14 + rng.below(len(data) - 14)] ^= 1 << rng.below(8)
        if n % 7 == 0:
            data = data[:rng.below(len(data))]
        r["data"] = bytes(data)
    return net
