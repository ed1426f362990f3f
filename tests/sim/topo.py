# SPDX-License-Identifier: GPL-2.0-or-later
"""Topologies of the catalogue, the registry of scenarios, and small helpers."""
from hosts import Host
from net import MS, US, Link, Router, Sim, Tap, chain
from packets import ip
from points import Point
from boxes import Box

# Every scenario of the catalogue, with the ones a namespace lab produces marked (N).
CATALOGUE = {
    "A": "A01 A01b A02 A03 A03b A04 A05 A06 A07 A07b A08",
    "B": "B01 B02 B03 B04 B05 B06 B07 B08 B09 B10 B11 B12 B13 B14 B15 B16 B17 B18 B19 B20 B21 "
         "B22 B23",
    "C": "C01 C02 C03 C04 C05 C06 C07 C08 C09 C10 C11 C12 C12b C13 C14 C15 C16 C17 C18 C19 C20 "
         "C21 C22 C23",
    "E": "E01 E02 E03 E04 E05 E06 E07 E08 E09 E10 E11 E12 E13 E14 E15 E16 E17 E18 E19 E20 E21 "
         "E22 E23 E24 E25 E26 E27 E28",
    "F": "F01 F02 F03 F04 F05 F06 F07 F07b F08 F09 F09b F10 F11 F12 F13 F14 F15 F16 F17 F18 F19 "
         "F20 F21",
    "L": "L01 L02 L03 L04 L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 L17 L18",
}
# Made by the namespace lab, not here.
LAB = "B12 C23 E07 E25 E26 F01 L12".split()
SCENARIOS = {}


def scenario(ident, title, **expect):
    """Registers a function (seed) -> Net.  The keywords are the expectation; see score.py."""
    def register(make):
        make.ident, make.title, make.expect = ident, title, expect
        SCENARIOS[ident] = make
        return make
    return register


class Net:
    """What a scenario returns: the simulator after its run, and how to write the file."""

    def __init__(self, seed):
        self.sim = Sim(seed)
        self.collapse = False
        self.expect = {}

    def finish(self, until=None):
        self.sim.run(until)
        return self


def build(seed, layout, clocks=None, taps=None, left=(), right=(), sw_points=None):
    """A chain from a layout: names of taps, delays in ns, "router", or elements.

    clocks      {point: keywords of Point}
    taps        {point: keywords of Tap}
    left/right  addresses of the two hosts
    links       are numbered net.links[0] ... in chain order
    """
    net = Net(seed)
    sim = net.sim
    net.client = Host(sim, 1, *left)
    net.server = Host(sim, 0, *right)
    net.links, net.points, net.taps, net.routers = [], {}, {}, []
    parts = [net.client]
    for item in layout:
        if isinstance(item, str) and item == "router":
            item = Router(sim)
            net.routers.append(item)
        elif isinstance(item, str):
            point = Point(sim, item, **(clocks or {}).get(item, {}))
            net.points[item] = point
            item = net.taps[item] = Tap(sim, point, **(taps or {}).get(item, {}))
        elif isinstance(item, (int, tuple)):
            item = Link(sim, item)
            net.links.append(item)
        elif callable(item) and not hasattr(item, "recv"):
            item = item(net)
        parts.append(item)
    parts.append(net.server)
    chain(*parts)
    return net


V4 = dict(left=("10.1.0.10", "10.1.0.11", "2001:db8:1::10"),
          right=("203.0.113.5", "203.0.113.6", "2001:db8:2::5"))


def t3(seed, **kw):
    """nic -0.1 ms L2- sw -0.25 ms router- srv"""
    for key, value in V4.items():
        kw.setdefault(key, value)
    net = build(seed, ["nic", 100 * US, "sw", 250 * US, "router", "srv"], **kw)
    net.l_nic, net.l_srv = net.links
    return net


def t5(seed, *rewrites, fw=None, **kw):
    """nic -0.1 L2- sw -2 ms router- fwi -0.05 fw- fwo -10 ms router- srv"""
    for key, value in V4.items():
        kw.setdefault(key, value)

    def firewall(net):
        made = [r(net.sim) if getattr(r, "needs_sim", False) else r for r in rewrites]
        net.fw = fw(net) if fw else Box(net.sim, *made, address=ip("192.0.2.1"))
        return net.fw
    net = build(seed, ["nic", 100 * US, "sw", 2 * MS, "router", "fwi", 50 * US, firewall, "fwo",
                       10 * MS, "router", "srv"], **kw)
    net.l_nic, net.l_sw, net.l_fw, net.l_srv = net.links
    return net


def listed(dir, numbers, cause=True):
    """Loses the packets with these numbers (from 0) on a link, in one direction."""
    numbers = set(numbers)
    return lambda pkt, d, n: cause if d == dir and n in numbers else None


def packets_of(flow, dir, numbers, cause=True):
    """Loses packets of one flow by their number in that flow and direction."""
    numbers = set(numbers)
    return lambda pkt, d, n: cause if d == dir and pkt.flow == flow and pkt.n in numbers and \
        pkt.ethertype is None else None


def data_once(dir, numbers, flow=None):
    """Loses data segments by their number (from 0) among the segments sent, once each."""
    left = set((flow, n) for n in numbers)

    def drop(pkt, d, n):
        if d != dir or pkt.data_n is None or (flow is not None and pkt.flow != flow):
            return None
        key = (flow, pkt.data_n)
        if key in left:
            left.discard(key)
            return True
        return None
    return drop
