# SPDX-License-Identifier: GPL-2.0-or-later
"""B: link-layer tags, labels and tunnels."""
from boxes import Bridge, Tunnel, mpls, vlan
from net import MS, US, Pkt
from packets import TCP, frame_bytes, ip
from scenarios_a import t_conns, u_stream
from scenarios_b import firewall, pat, rexmit_pairs, said_changes
from topo import build, data_once, scenario, t5

ENDS = dict(left=("10.1.0.10", "10.1.0.11"), right=("203.0.113.5",))
T1, T2 = ip("172.16.0.1"), ip("172.16.9.1")


@scenario("B17", "untagged, VLAN 10, QinQ 10/20, two labels, untagged", packets=606, pairs=6060,
          drops=0, nat=0)
def b17(seed):
    q, ad = 0x8100, 0x88A8

    def port(*rewrites):
        return lambda net: Bridge(net.sim, *rewrites)
    net = build(seed, ["a", port(vlan(((q, 10),), ())), 100 * US, "b",
                       port(vlan(((ad, 10), (q, 20)), ((q, 10),))), 200 * US, "router", "c",
                       port(vlan((), ((ad, 10), (q, 20))), mpls((100, 200), ())), 2 * MS, "router",
                       "d", port(mpls((), (100, 200))), 300 * US, "e"], **ENDS)
    t_conns(net, 1, 200, 1000)
    return net.finish()


def tunnel_net(seed, kind, ident, routed=False, before=(), after=()):
    """nic, (router), tunnel end, u1 - 5 ms router - u2, tunnel end, srv."""
    def end(into):
        local, remote = (T1, T2) if into == 1 else (T2, T1)
        return lambda net: Tunnel(net.sim, kind, ident, local, remote, into, routed=routed)
    net = build(seed, ["nic", 100 * US, end(1), "u1", 5 * MS, "router", "u2", end(0), 200 * US,
                       "srv"], **ENDS)
    net.l_nic, net.l_under, net.l_srv = net.links
    return net


def inner_lost_once(truth, answer):
    """One outer packet lost: one loss said, on the underlay, not two."""
    said = sum(f.dropped for f in answer.frames[1:])
    return [] if said == 1 else ["%d frames flagged, not 1" % said]


@scenario("B18", "VXLAN, one outer loss", drops=1, nat=0, checks=[inner_lost_once])
def b18(seed):
    net = tunnel_net(seed, "vxlan", 77)
    # The 40th datagram of the first inner flow.
    net.l_under.drop = lambda pkt, d, n: d == 1 and pkt.inner is not None and \
        pkt.inner.flow == "u" and pkt.inner.n == 39
    u_stream(net, 100, gap=3 * MS)
    t_conns(net, 1, 40, 1000)
    return net.finish()


@scenario("B18g", "Geneve", drops=0, nat=0)
def b18g(seed):
    net = tunnel_net(seed, "geneve", 4711)
    t_conns(net, 2, 40, 1000)
    return net.finish()


@scenario("B19", "GTP-U, one TEID per direction", drops=0, nat=0)
def b19(seed):
    net = tunnel_net(seed, "gtpu", (0x2002, 0x1001), routed=True)
    t_conns(net, 5, 20, 1000)
    return net.finish()


@scenario("B20", "GRE in IP-in-IP in VXLAN", drops=0, nat=0)
def b20(seed):
    def end(kind, ident, i, into):
        a, b = ip("172.16.%d.1" % i), ip("172.16.%d.2" % i)
        return lambda net: Tunnel(net.sim, kind, ident, *((a, b) if into == 1 else (b, a)),
                                  into, routed=False)
    net = build(seed, ["nic", 100 * US, end("gre", 0, 1, 1), "g1", 300 * US, end("ipip", 0, 2, 1),
                       "i1", 300 * US, end("vxlan", 5, 3, 1), "v1", 4 * MS, "router", "v2",
                       end("vxlan", 5, 3, 0), 300 * US, end("ipip", 0, 2, 0), 300 * US,
                       end("gre", 0, 1, 0), "srv"], **ENDS)
    t_conns(net, 2, 40, 500)
    return net.finish()


@scenario("B21", "ESP: the inner packet is visible at the ends only", drops=0, nat=0, order="any",
          latency=None)
def b21(seed):
    net = tunnel_net(seed, "esp", (0x1111, 0x2222), routed=True)
    t_conns(net, 3, 40, 500)
    net.finish()
    # Between the ends nobody sees the inner packet.
    for r in net.sim.records:
        if net.sim.points[r["point"]].name in ("u1", "u2"):
            r["units"] = [(x, 0) for x, depth in r["units"] if depth == 0]
    return net


def erspan(frame, session, number, source):
    """ERSPAN type II around a mirrored frame."""
    import struct
    body = struct.pack("!HHI", 0x1000, 0x88BE, number) + \
        struct.pack("!HHI", 1 << 12 | 1, session, 0) + frame
    outer = Pkt(src=source, dst=ip("10.99.0.1"), proto=47, payload=body, ipid=number & 0xFFFF)
    return frame_bytes(outer)


@scenario("B22", "two ERSPAN sessions into one capture host", drops=0, nat=0, names=False)
def b22(seed):
    net = build(seed, ["m1", 3 * MS, "router", "m2"], **ENDS)
    one, two = net.points["m1"], net.points["m2"]
    two.interface = one.interface
    t_conns(net, 4, 40, 500)
    net.finish()
    for n, r in enumerate(net.sim.records):
        session = 10 + r["point"]
        r["data"] = erspan(r["data"], session, n, ip("10.99.0.%d" % session))
    return net


def gateway(grown):
    """Rewrites data segments of direction 1: {number: bytes that it becomes longer}."""
    def make(sim):
        shifts = {}        # flow: [(first sequence number behind, bytes added so far)]

        def shifted(flow, seq):
            total = 0
            for at, by in shifts.get(flow, ()):
                if 0 <= (seq - at) & 0xFFFFFFFF < 1 << 31:
                    total = by
            return total

        def rewrite(pkt, dir):
            if pkt.proto != TCP:
                return
            if dir == 1:
                before = shifted(pkt.flow, pkt.seq)
                by = grown.get(pkt.data_n, 0) if pkt.payload else 0
                if by:
                    end = (pkt.seq + len(pkt.payload)) & 0xFFFFFFFF
                    if (end, before + by) not in shifts.setdefault(pkt.flow, []):
                        shifts[pkt.flow].append((end, before + by))
                    pkt.payload = pkt.payload[:30] + b",11,22,33,44"[:1 + max(0, by)] + \
                        pkt.payload[31 - min(0, by):]
                    pkt.psum = None
                pkt.seq = (pkt.seq + before) & 0xFFFFFFFF
            elif pkt.flow in shifts:
                # What is acknowledged lies behind as many rewritten commands.
                total = 0
                for at, by in shifts[pkt.flow]:
                    if 0 <= (pkt.ack - by - at) & 0xFFFFFFFF < 1 << 31:
                        total = by
                pkt.ack = (pkt.ack - total) & 0xFFFFFFFF
        return rewrite
    return make


@scenario("B23", "an application gateway makes a command one byte longer", drops=0, nat=0,
          checks=[said_changes("payload", "seq +1", where="fwo"),
                  said_changes("ack -1", where="fwi")])
def b23(seed):
    net = t5(seed, fw=firewall(gateway({5: 1})))
    t_conns(net, 5, 20, 500)
    return net.finish()


@scenario("B23b", "two commands rewritten behind PAT, longer and shorter; losses behind them",
          drops=10, nat=5, checks=[rexmit_pairs, said_changes("payload", "seq +7", "seq +4",
                                                              where="fwo")])
def b23b(seed):
    net = t5(seed, fw=firewall(gateway({3: 7, 11: -3}), pat))
    drops = [data_once(1, (7, 15), flow=("t", 80, i)) for i in range(5)]
    net.l_srv.drop = lambda pkt, d, n: any(f(pkt, d, n) for f in drops)
    t_conns(net, 5, 20, 500)
    return net.finish()


@scenario("B23c", "the rewritten command is the first, 96 bytes kept behind the gateway", drops=0,
          nat=0)
def b23c(seed):
    short = dict(snaplen=110)
    net = t5(seed, fw=firewall(gateway({0: 2})), clocks={"fwo": short, "srv": short})
    t_conns(net, 5, 20, 500)
    return net.finish()


@scenario("B23d", "nothing but an acknowledgement follows the rewritten command", drops=0, nat=0,
          checks=[said_changes("payload", where="fwo")])
def b23d(seed):
    # Three bytes short, the server waits for ever.
    net = t5(seed, fw=firewall(gateway({3: -3})))
    t_conns(net, 5, 20, 500)
    return net.finish()
