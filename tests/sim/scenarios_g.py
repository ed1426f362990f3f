# SPDX-License-Identifier: GPL-2.0-or-later
"""G: why packets were lost, and the near misses: T5, losses fwi > fwo or fwo > srv."""
from net import MS, SEC, US, Link
from packets import TCP
from scenarios_a import t_conns, u_stream
from scenarios_c import bulk
from tcp import transactions
from topo import scenario, t5


class Queue(Link):
    """A bottleneck: so many bits per second, room for so many bytes, tail drop."""

    def __init__(self, sim, delay, rate, limit, dir, drop=None):
        super().__init__(sim, delay, drop)
        self.rate, self.limit, self.dir = rate, limit, dir
        self.free = 0

    def recv(self, pkt, dir):
        if dir != self.dir:
            super().recv(pkt, dir)
            return
        if self.drop and self.drop(pkt, dir, 0):
            self.sim.lost(pkt, self, dir, None)
            return
        size = len(pkt.payload) + 60
        ns = size * 8 * 10**9 // self.rate
        waiting = max(0, self.free - self.sim.now)
        if waiting * self.rate // (8 * 10**9) + size > self.limit:
            self.sim.lost(pkt, self, dir, "queue")
            return
        self.free = max(self.free, self.sim.now) + ns
        self.sim.at(self.free + self.delay[dir], self.out, pkt, dir)


def replace(net, old, new):
    """Puts another link in the place of one."""
    for side in (0, 1):
        new.nbr[side] = old.nbr[side]
        other = old.nbr[side]
        other.nbr[1 - side] = new


def causes(wanted, share=0.9):
    """Nearly all losses have this cause, none another one; None: no loss has a cause."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        said = [f.cause for f in answer.frames[1:] if f.dropped]
        wrong = [c for c in said if c not in (wanted, None)]
        right = sum(c == wanted for c in said)
        if wrong or right < share * len(said):
            return ["%d of %d losses by %s, %d by %s" % (right, len(said), wanted, len(wrong),
                                                        wrong[:1])]
        return []
    return check


def token_bucket(rate, burst, accept=lambda pkt: True):
    """Drops what exceeds a rate, packets per second."""
    state = {"t": 0, "tokens": float(burst)}

    def make(net):
        def drop(pkt, d, n):
            if d != 1 or not accept(pkt):
                return None
            now = net.sim.now
            state["tokens"] = min(burst, state["tokens"] + (now - state["t"]) * rate / 1e9)
            state["t"] = now
            if state["tokens"] < 1:
                return "policer"
            state["tokens"] -= 1
            return None
        return drop
    return make


@scenario("G01", "queue of a slow link, UDP", nat=0, checks=[causes("queue")], dR=0.9,
          segments=False)
def g01(seed):
    net = t5(seed)
    replace(net, net.l_srv, Queue(net.sim, 10 * MS, 2_000_000, 30_000, 1))
    c, s = net.client, net.server
    t_conns(net, 5, 10, 500)
    for i in range(3):
        c.udp_stream(("burst", i), c.address(), 40000 + i, s.address(), 5000, 120,
                     SEC + i * SEC, 3 * MS, size=1000)
    u_stream(net, 60, gap=80 * MS)
    return net.finish()


@scenario("G01b", "the same with bad clocks", nat=0, checks=[causes("queue")], dR=0.9,
          segments=False)
def g01b(seed):
    net = t5(seed, clocks={"fwo": dict(offset=3 * SEC, drift_ppb=40_000),
                           "srv": dict(offset=-9 * SEC, drift_ppb=-30_000)})
    replace(net, net.l_srv, Queue(net.sim, 10 * MS, 2_000_000, 30_000, 1))
    c, s = net.client, net.server
    t_conns(net, 5, 10, 500)
    for i in range(3):
        c.udp_stream(("burst", i), c.address(), 40000 + i, s.address(), 5000, 120,
                     SEC + i * SEC, 3 * MS, size=1000)
    u_stream(net, 60, gap=80 * MS)
    return net.finish()


@scenario("G02", "queue of a slow link, TCP download", nat=0, checks=[causes("queue", 0.8)])
def g02(seed):
    net = t5(seed)
    replace(net, net.l_fw, Queue(net.sim, 50 * US, 20_000_000, 60_000, 0))
    bulk(net, 1_500_000, iw=10)
    return net.finish()


@scenario("G03", "policer on one flow among others", nat=0, checks=[causes("policer")])
def g03(seed):
    net = t5(seed)
    net.l_fw.drop = token_bucket(100, 5, lambda pkt: pkt.dport == 7000)(net)
    t_conns(net, 5, 10, 500)
    u_stream(net, 200, gap=11 * MS)
    c, s = net.client, net.server
    c.udp_stream("pol", c.address(), 40000, s.address(), 7000, 400, SEC, 5 * MS, size=300)
    return net.finish()


@scenario("G04", "losses at random: no cause", nat=0, dR=0.95, segments=False,
          checks=[causes(None, 0)])
def g04(seed):
    net = t5(seed)
    rng = net.sim.rng
    net.l_fw.drop = lambda pkt, d, n: rng.below(100) < 3
    t_conns(net, 10, 20, 500)
    u_stream(net, 500, gap=4 * MS)
    bulk(net, 400_000, start=2 * SEC, pace=50 * US, sport=46000, port=81)
    return net.finish()


@scenario("G05", "losses at random on a link that also queues, without overflow", nat=0,
          checks=[causes(None, 0)])
def g05(seed):
    net = t5(seed)
    rng = net.sim.rng
    replace(net, net.l_fw, Queue(net.sim, 50 * US, 20_000_000, 10_000_000, 0,
                                 lambda pkt, d, n: rng.below(100) < 1))
    bulk(net, 1_500_000, iw=10)
    return net.finish()


@scenario("G06", "a burst of losses at a busy moment: no cause", nat=0, checks=[causes(None, 0)])
def g06(seed):
    net = t5(seed)
    net.l_fw.drop = lambda pkt, d, n: d == 1 and 1500 * MS <= net.sim.now - 0 < 1530 * MS
    u_stream(net, 1000, gap=2 * MS)
    t_conns(net, 5, 20, 500)
    return net.finish()


@scenario("G07", "one long datagram lost by chance: not the MTU", nat=0, checks=[causes(None, 0)])
def g07(seed):
    net = t5(seed)
    lost = {5, 17, 30}
    net.l_fw.drop = lambda pkt, d, n: d == 1 and ((pkt.flow == "big") or
                                                 (pkt.flow == "small" and pkt.n in lost))
    c, s = net.client, net.server
    c.udp_stream("small", c.address(), 40001, s.address(), 5000, 60, SEC, 15 * MS, size=300)
    c.udp_stream("big", c.address(), 40001, s.address(), 5000, 1, 1400 * MS, 15 * MS, size=1400)
    t_conns(net, 5, 10, 500)
    return net.finish()


@scenario("G08", "random losses of a dense ACK stream", nat=0, checks=[causes(None, 0)], dR=0.9,
          segments=False)
def g08(seed):
    net = t5(seed)
    rng = net.sim.rng
    net.l_fw.drop = lambda pkt, d, n: d == 1 and pkt.proto == TCP and rng.below(100) < 4
    bulk(net, 600_000, pace=50 * US)
    return net.finish()


@scenario("G09", "connections that the last host does not answer", drops=8, nat=0,
          verdicts={"blocked": 8})
def g09(seed):
    net = t5(seed)
    t_conns(net, 10, 5, 500, gap=1200 * MS)
    c, s = net.client, net.server
    inner = s.recv

    def recv(pkt, dir):
        if pkt.proto == TCP and pkt.dport == 444:
            net.sim.lost(pkt, s, dir, "policy")
        else:
            inner(pkt, dir)
    s.recv = recv
    conns = [transactions(c, ("dark", i), c.address(), 47000 + i, s.address(), 444, 1, 500,
                          SEC + i * 300 * MS) for i in range(2)]
    for conn in conns:
        net.sim.at(SEC + 9 * SEC, setattr, conn, "closed", True)
    return net.finish()
