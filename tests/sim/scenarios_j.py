# SPDX-License-Identifier: GPL-2.0-or-later
"""J: what `findings` must tell, and near misses, of which it must not.

tests/sim/findings.py says what each must yield.  A near miss ends in n.
"""
import l7
from app import CLIENT, SERVER, Dialog
from boxes import Nat, pat_rule, seq_randomizer
from hosts import content
from net import MS, SEC, US, Pkt
from packets import ACK, RST, SYN, TCP, ip
from scenarios_a import t_conns
from tcp import serve_bulk, transactions
from topo import build, data_once, scenario, t5

V4 = dict(left=("10.1.0.10", "10.1.0.11"), right=("203.0.113.5", "203.0.113.6"))
PUBLIC = ip("192.0.2.7")


def pat(sim):
    return Nat(sim, ("fwi", "fwo"), "pat", outbound=pat_rule(sim, PUBLIC))


pat.needs_sim = True


def background(net, until, port=8080, first=52000):
    """Other connections, so that each point can be seen to go on."""
    t_conns(net, until // SEC, 2, 400, gap=SEC, port=port, first=first)


# Connections that a box forgets.

def silent(seed, lost):
    """Two requests, and a third one after 130 s of silence; of its packets the box loses `lost`."""
    net = t5(seed, pat)
    sent = []

    def drop(pkt, d, n):
        if pkt.flow != "idle" or d == 0 or net.sim.now < 100 * SEC:
            return None
        sent.append(n)
        return len(sent) <= lost
    net.l_fw.drop = drop
    d = Dialog(net.sim, net.client, 443, "idle")
    Dialog.serve(net.server, 443)
    d.connect(SEC, net.client.address(), 45000, net.server.address(), 443)
    for n, wait in enumerate((0, 0, 130 * SEC)):
        d.step(CLIENT, content("q", n, size=200), wait)
        d.step(SERVER, content("r", n, size=900), MS)
    background(net, 140 * SEC)
    return net.finish(142 * SEC)


@scenario("J01", "a translation expires during 130 s of silence", order=None)
def j01(seed):
    return silent(seed, 1000)


@scenario("J01n", "130 s of silence, and one packet behind it is lost", order=None)
def j01n(seed):
    return silent(seed, 1)


# A box that has no room for new connections.

def full(seed, port):
    net = t5(seed, pat)
    t_conns(net, 6, 5, 500, gap=100 * MS, port=80)
    t_conns(net, 1, 40, 500, think=200 * MS, port=8080, first=52000)
    net.l_fw.drop = lambda pkt, d, n: d == 1 and pkt.flow and pkt.flow[0] == "new"
    net.server.listen[port] = net.server.listen[80]
    for i in range(4):
        transactions(net.client, ("new", i), net.client.address(), 47000 + i, net.server.address(),
                     port, 1, 500, 3 * SEC + i * 50 * MS)
    return net.finish(9 * SEC)


@scenario("J02", "no port is left for new connections", order=None)
def j02(seed):
    return full(seed, 80)


@scenario("J02n", "a port that is blocked by rule", order=None)
def j02n(seed):
    return full(seed, 81)


# The first packet of a flow.

@scenario("J03", "a firewall that looks 80 ms at each first packet")
def j03(seed):
    net = t5(seed)
    net.l_fw.extra = lambda pkt, d, n: 80 * MS if d == 1 and pkt.flags & SYN else 0
    net.l_fw.fifo = False
    t_conns(net, 12, 6, 500, gap=300 * MS)
    return net.finish()


@scenario("J03n", "a firewall that looks up to 4 ms at some packets")
def j03n(seed):
    net = t5(seed)
    net.l_fw.extra = lambda pkt, d, n: net.sim.rng.below(4) * MS
    t_conns(net, 12, 6, 500, gap=300 * MS)
    return net.finish()


# Who refuses.

@scenario("J04", "a port at which nobody listens", order=None)
def j04(seed):
    net = t5(seed)
    receive = net.server.recv

    def recv(pkt, dir):
        if pkt.proto == TCP and pkt.dport == 81 and pkt.flags & SYN:
            net.server.send(Pkt(src=pkt.dst, dst=pkt.src, proto=TCP, sport=81, dport=pkt.sport,
                                flags=RST | ACK, ack=pkt.seq + 1 & 0xFFFFFFFF, flow=pkt.flow,
                                ipid=0))
            return
        receive(pkt, dir)
    net.server.recv = recv
    t_conns(net, 3, 2, 500)
    transactions(net.client, "no", net.client.address(), 47000, net.server.address(), 81, 1, 500,
                 2 * SEC)
    return net.finish(4 * SEC)


# Order.

@scenario("J05", "some data segments go another, longer way")
def j05(seed):
    net = t5(seed)
    net.l_srv.fifo = False
    net.l_srv.extra = lambda pkt, d, n: 15 * MS if d == 0 and pkt.data_n in (60, 61, 130, 200) else 0
    serve_bulk(net.server, 80, 400_000)
    transactions(net.client, "bulk", net.client.address(), 45000, net.server.address(), 80, 1,
                 400_000, SEC)
    return net.finish()


# Sequence numbers that a box rewrites.

def shifted(seed, translate):
    def randomizer(sim):
        return seq_randomizer(sim, ["fwi", "fwo"], translate)
    randomizer.needs_sim = True
    net = t5(seed, randomizer)
    net.l_sw.drop = data_once(0, [100, 180])
    serve_bulk(net.server, 80, 400_000)
    transactions(net.client, "bulk", net.client.address(), 45000, net.server.address(), 80, 1,
                 400_000, SEC)
    return net.finish()


@scenario("J06", "sequence numbers are rewritten, SACK blocks are not", order=None)
def j06(seed):
    return shifted(seed, False)


@scenario("J06n", "sequence numbers are rewritten, SACK blocks with them", order=None)
def j06n(seed):
    return shifted(seed, True)


# A server that is slow to accept.

def accepting(seed, wait):
    """srv sees the SYN at once; the server's kernel answers after `wait`."""
    net = build(seed, ["nic", 2 * MS, "router", "fw", 10 * MS, "router", "srv", 10 * US], **V4)
    net.links[-1].fifo = False
    net.links[-1].extra = lambda pkt, d, n: wait if d == 0 and pkt.flags & SYN else 0
    net.client.ping("echo", net.client.address(), net.server.address(), 77, 8, 100 * MS, 100 * MS)
    t_conns(net, 4, 3, 500, gap=400 * MS)
    return net.finish()


@scenario("J07", "a server whose kernel answers SYNs after 120 ms")
def j07(seed):
    return accepting(seed, 120 * MS)


@scenario("J07n", "a server whose kernel answers SYNs after 2 ms")
def j07n(seed):
    return accepting(seed, 2 * MS)


# One connection for each request.

def asking(seed, each):
    """Four requests: on connections of their own (each), or all on one."""
    net = build(seed, ["nic", 2 * MS, "router", "fw", 10 * MS, "router", "srv"], **V4)
    Dialog.serve(net.server, 80)
    for i in range(4 if each else 1):
        d = Dialog(net.sim, net.client, 80, ("web", i), close=MS)
        d.connect(SEC + i * SEC, net.client.address(), 45000 + i, net.server.address(), 80)
        for k in range(1 if each else 4):
            d.step(CLIENT, l7.get("/%d" % (i + k)))
            d.step(SERVER, l7.response(("r", i, k), 3000), 20 * MS)
    return net.finish()


@scenario("J08", "four requests, four connections, one after the other")
def j08(seed):
    return asking(seed, True)


@scenario("J08n", "four requests on one connection")
def j08n(seed):
    return asking(seed, False)


# Frames that nobody can read.

@scenario("J09", "one frame in twenty holds no packet", order=None, P=None, R=None, latency=None,
          oR=None)
def j09(seed):
    net = t5(seed)
    t_conns(net, 10, 10, 500)
    for i in range(20):
        pkt = Pkt(ethertype=0x0800, payload=b"\x15" * 40, flow="junk",
                  smac=net.client.mac, dmac=b"\2\0\0\0\0\1")
        net.sim.at(SEC + i * 10 * MS, junk, net, pkt)
    return net.finish()


def junk(net, pkt):
    copy = pkt.copy()
    net.sim.new_tx(copy, 0, 1, ctl="l2")
    net.client.out(copy, 1)


# Probes that expire; the router that drops them answers when it likes.

@scenario("J10", "traceroute: a router answers one probe in four", cause="ttl", order=None)
def j10(seed):
    net = t5(seed)
    for i, r in enumerate(net.routers):
        r.address = ip("10.200.0.%d" % (i + 1))
    first, told = net.routers[0], []
    answer = first.icmp_error

    def icmp_error(pkt, dir, *rest):
        told.append(pkt)
        if len(told) % 4 == 1:
            answer(pkt, dir, *rest)
    first.icmp_error = icmp_error
    c, s = net.client, net.server
    for ttl in (1, 2, 3, 9):
        c.ping("ping%d" % ttl, c.address(), s.address(), 500 + ttl, 20, SEC + ttl * 7 * MS,
               100 * MS, ttl=ttl)
    return net.finish()
