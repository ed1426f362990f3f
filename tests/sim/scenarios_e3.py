# SPDX-License-Identifier: GPL-2.0-or-later
"""E, continued: where the ways fork, and captures that miss so much that it is no loss."""
from net import MS, SEC, US, Link, Router, chain
from scenarios_a import t_conns, u_stream
from scenarios_e import forked
from topo import scenario


def undecided(number, reason):
    """A check: so many packets whose fate nobody can know, for that reason."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        got = sum(reason in f.undetermined for f in answer.frames[1:])
        return [] if got == number else ["%d undetermined: %s, not %d" % (got, reason, number)]
    return check


SEVERAL = "on one of several ways"


@scenario("E05b", "load balancing per packet, a point on one way only: what takes the other one "
          "is not missed; a loss before the points has no place", drops=20, dP=1.0, dR=0.0, nat=0,
          latency="none", segments=False, lat=0, checks=[undecided(20, SEVERAL)])
def e05b(seed):
    lost = set(range(100, 2000, 95))
    net = forked(seed, lambda pkt, d: pkt.n % 2, delays=(1 * MS, 1 * MS), extra_taps=("r1",))
    one_way(net, lost)
    u_stream(net, 2000, gap=2 * MS)
    return net.finish()


def one_way(net, lost):
    """A second branch without a point; losses by number before the fork."""
    tap = net.taps["nic"]
    fork = tap.nbr[1]
    join = net.taps["r1"].nbr[1].nbr[1]
    chain(fork, Link(net.sim, MS), Router(net.sim), Link(net.sim, MS // 2), join)
    lossy = Link(net.sim, 10 * US, drop=lambda pkt, d, n: d == 1 and pkt.n in lost)
    tap.nbr[1], lossy.nbr = lossy, [tap, fork]
    fork.nbr[0] = lossy


@scenario("E05c", "load balancing per packet; TCP segments lost before the fork", nat=0, drops=12,
          dR=0.0, segments=False, checks=[undecided(12, SEVERAL)])
def e05c(seed):
    net = forked(seed, lambda pkt, d: pkt.n % 2, delays=(1 * MS, 3 * MS))
    tap = net.taps["nic"]
    fork = tap.nbr[1]
    seen = set()

    def drop(pkt, d, n):
        """The 5th request of each connection, once."""
        if d == 0 or pkt.data_n != 4 or pkt.flow in seen:
            return None
        seen.add(pkt.flow)
        return True
    lossy = Link(net.sim, 10 * US, drop=drop)
    tap.nbr[1], lossy.nbr = lossy, [tap, fork]
    fork.nbr[0] = lossy
    t_conns(net, 12, 20, 500, gap=100 * MS)
    return net.finish()


@scenario("E24b", "failover; the SYN of a connection is lost on the way that nobody takes later",
          drops=1, dP=1.0, dR=0.0, nat=0, segments=False, checks=[undecided(1, SEVERAL)])
def e24b(seed):
    net = forked(seed, None, delays=(2 * MS, 3 * MS), extra_taps=("fw1", "fw2"))
    pick = lambda pkt, d: int(net.sim.now >= 2 * SEC)  # noqa: E731
    net.taps["nic"].nbr[1].pick = net.taps["srv"].nbr[0].nbr[0].pick = pick
    first = net.taps["fw1"].nbr[0].nbr[0]

    def drop(pkt, d, n):
        return d == 1 and pkt.flow == ("t", 80, 30) and net.sim.now < 2 * SEC
    first.drop = drop
    t_conns(net, 60, 10, 400, gap=32 * MS)
    return net.finish()
