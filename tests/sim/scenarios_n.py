# SPDX-License-Identifier: GPL-2.0-or-later
"""N: networks and clocks drawn at random: chains of 2 to 8 points, any delays, any clocks.

Each scenario holds one kind of trouble; the seed draws everything else.  What must come out is
in the truth alone: order, offsets, drift, bounds; see clocks.py.
"""
import math

from net import MS, SEC, US, Rng
from scenarios_a import t_conns
from topo import build, scenario

ENDS = dict(left=("10.1.0.10", "10.1.0.11"), right=("203.0.113.5",))


def spread(rng, low, high):
    """Between low and high, every order of magnitude as likely as another."""
    return low * math.exp(rng.unit() * math.log(high / low))


def one_of(rng, *choices):
    return choices[rng.below(len(choices))]


class Delay:
    """What a link adds to its least delay: exponential, heavy-tailed, or a queue that fills."""

    def __init__(self, sim, rng, least, kind):
        self.sim, self.rng, self.kind = sim, rng, kind
        self.mean = least * spread(rng, 0.02, 1)
        self.period = spread(rng, 2, 20) * SEC
        self.phase = rng.unit() * self.period

    def __call__(self, pkt, dir, n):
        rng = self.rng
        if rng.unit() < 0.2:
            return 0                  # met nobody
        if self.kind == "exponential":
            return rng.exp(self.mean)
        if self.kind == "heavy tail":
            return int(min(self.mean * (rng.unit() + 1e-4) ** -0.7, 2 * SEC))
        # A queue: it fills and drains, and is empty for a part of the time.
        fill = math.sin((self.sim.now + self.phase) * 2 * math.pi / self.period)
        return int(max(0, fill) * 4 * self.mean)


def network(seed, number, points=None, duration=40, jitter=None, drift=200, **features):
    """A chain of points.  features: callables (net, names, rng) that spoil clocks or captures."""
    rng = Rng(seed * 1000 + number)
    n = points or 2 + rng.below(7)
    names = ["p%d" % i for i in range(n)]
    layout, links = [], []
    for i, name in enumerate(names):
        if i:
            least = spread(rng, 10 * US, 20 * MS)
            back = least if rng.unit() < 0.7 else least * spread(rng, 0.3, 3)
            layout.append((int(least), int(back)))
            links.append(max(least, back))
            if i == n - 1 or rng.unit() < 0.7:
                layout.append("router")
        layout.append(name)
    net = build(seed, layout, clocks={
        name: dict(offset=one_of(rng, 0, int((rng.unit() - 0.5) * 2 * spread(rng, MS, 3600 * SEC))),
                   drift_ppb=one_of(rng, 0, int((rng.unit() - 0.5) * 2000 * drift)))
        for name in names}, **ENDS)
    for link, least in zip(net.links, links):
        kind = jitter or one_of(rng, None, "exponential", "heavy tail", "queue")
        if kind:
            link.extra = Delay(net.sim, rng, least, kind)
    for spoil in features.values():
        spoil(net, names, rng, duration)
    flows = 4 + rng.below(20)
    t_conns(net, flows, 10 + rng.below(20), 400, gap=duration * SEC // flows,
            think=int(spread(rng, 2, 60)) * MS)
    return net.finish()


def make(number, title, expect=None, **options):
    @scenario("N%02d" % number, title, drops=0, nat=0, findings=False, **(expect or {}))
    def run(seed):
        return network(seed, number, **options)
    return run


def step(net, names, rng, duration):
    """One clock is set once."""
    at = int((0.15 + 0.7 * rng.unit()) * duration * SEC) + SEC
    size = int(spread(rng, 50 * US, 3600 * SEC) * one_of(rng, -1, 1))
    net.points[one_of(rng, *names)].steps = [(at, size)]


def steps(net, names, rng, duration):
    """Two clocks are set, one of them twice."""
    for name, times in ((names[0], (0.3, 0.75)), (names[-1], (0.5,))):
        net.points[name].steps = [
            (SEC + int(t * duration * SEC), int(spread(rng, MS, SEC) * one_of(rng, -1, 1)))
            for t in times]


def slew(net, names, rng, duration):
    """One clock is slewed by NTP for a while."""
    point = net.points[one_of(rng, *names)]
    start = SEC + int((0.1 + 0.4 * rng.unit()) * duration * SEC)
    stop = start + int((0.1 + 0.3 * rng.unit()) * duration * SEC)
    ppm, clock = one_of(rng, -500, 500), point.clock
    point.clock = lambda t: clock(t) + max(0, min(t, stop) - start) * ppm // 10**6
    point.slews.append((start, stop))


def resolution(net, names, rng, duration):
    """Time stamps in microseconds, and in milliseconds at one point."""
    for name in names:
        net.points[name].res = one_of(rng, 1, 1000, 1000)
    net.points[names[-1]].res = 1000 * 1000


def disorder(net, names, rng, duration):
    """Software stamps: up to 19 us off, so that some go backwards."""
    for name in names:
        net.points[name].stamp_noise = lambda n: -rng.below(19 * US) if rng.below(4) == 0 else 0


def pause(net, names, rng, duration):
    """A virtual machine is not run for a while; then its clock is behind, until it is set."""
    start = SEC + int((0.2 + 0.3 * rng.unit()) * duration * SEC)
    away = int(spread(rng, 50 * MS, 3 * SEC))
    point = net.points[names[-1]]
    point.gaps = [(start, start + away)]
    point.steps = [(start + away, -away), (start + away + int(0.2 * duration * SEC), away)]


make(1, "random chain, constant drift")
make(2, "random chain of two points", points=2)
make(3, "random chain of eight points", points=8)
make(4, "random chain, heavy-tailed delays", jitter="heavy tail")
make(5, "random chain, queues that fill and drain", jitter="queue")
make(6, "random chain, one clock set once", step=step)
make(7, "random chain, clocks set several times", steps=steps)
make(8, "random chain, one clock slewed", slew=slew)
make(9, "random chain, coarse time stamps", resolution=resolution)
make(10, "random chain, time stamps out of order", disorder=disorder)
make(11, "random chain, a virtual machine pauses", pause=pause)
