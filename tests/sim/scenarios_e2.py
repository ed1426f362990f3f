# SPDX-License-Identifier: GPL-2.0-or-later
"""E29: packet brokers join what several of their ports see, and write behind each frame where it
came from."""
import brokers
from net import MS, SEC, US, Pkt
from scenarios_a import t_conns, u_stream
from scenarios_b import firewall, pat
from topo import build, scenario, t5


def through_broker(net, trailers, name="tap"):
    """Joins points into one interface called `name`; {point: (name of its source, trailer)}."""
    points = [net.points[p] for p in trailers]
    names = {p: "%s/%s" % (name, source) for p, (source, _) in trailers.items()}
    for row in net.sim.nats:
        row["between"] = [names.get(p, p) for p in row["between"]]
    for point, (source, trailer) in zip(points, trailers.values()):
        point.interface = points[0].interface
        point.name = "%s/%s" % (name, source)
        point.wrap = trailer
    points[0].if_name = name
    return net


def says(*words):
    """Every row of `points` that stands for a source says all of these words."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        bad = []
        for row in answer.report["points"]:
            text = " ".join(row.get("reasons", ()))
            bad += ["%s: no word of %s" % (row["name"], w) for w in words
                    if "/" in row["name"] and w not in text]
        return bad
    return check


def split(*names):
    def check(truth, answer):
        found = [row["name"] for row in answer.report.get("points", ())]
        if answer.made_from_truth or found == list(names):
            return []
        return ["points %s" % " ".join(found)]
    return check


def office(seed, make):
    """T5 with PAT; all but nic are ports of one broker, nic has a clock of its own."""
    net = t5(seed, fw=firewall(pat), clocks={"nic": dict(offset=-3 * SEC, drift_ppb=20_000)})
    t_conns(net, 10, 10, 500)
    u_stream(net, 60, gap=7 * MS)
    net.l_fw.drop = lambda pkt, d, n: d == 1 and n in (30, 61)
    net.finish()
    return through_broker(net, {p: make(n + 1) for n, p in enumerate(("sw", "fwi", "fwo", "srv"))})


@scenario("E29", "four ports of a broker on one interface: Metamako trailers", drops=2,
          checks=[split("nic", *["tap/dev17-port%d" % n for n in (1, 2, 3, 4)]),
                  says("Metamako", "device 17", "follows another", "-1.25 µs to -1.25 µs")])
def e29(seed):
    return office(seed, lambda n: ("dev17-port%d" % n,
                                      brokers.metamako(17, n, ahead=-1250)))


@scenario("E29b", "the same, VSS trailers with FCS", drops=2,
          checks=[split("nic", *["tap/port%d" % n for n in (1, 2, 3, 4)]), says("VSS Monitoring")])
def e29b(seed):
    return office(seed, lambda n: ("port%d" % n, brokers.with_fcs(brokers.vss(n))))


@scenario("E29c", "the same, two Exablaze devices", drops=2,
          checks=[split("nic", *["tap/dev%d-port9" % n for n in (1, 2, 3, 4)]),
                  says("Exablaze", "does not say")])
def e29c(seed):
    return office(seed, lambda n: ("dev%d-port9" % n, brokers.exablaze(n, 9)))


@scenario("E29d", "the same, Gigamon trailers, its clock 40 days off", drops=2,
          checks=[split("nic", *["tap/port%d" % n for n in (1, 2, 3, 4)]),
                  says("Gigamon", "does not say")])
def e29d(seed):
    return office(seed, lambda n: ("port%d" % n,
                                      brokers.gigamon(n, kind=3, ahead=-40 * 86400 * SEC)))


@scenario("E29e", "frames that do not tell their length, with Metamako extensions", drops=0,
          latency=None, oR=0.8)
def e29e(seed):
    net = build(seed, ["nic", 20 * US, "a", 30 * US, "b"], left=("10.1.0.10",),
                right=("10.1.0.20",))
    tag = bytes(3) + b"\x2a" + b"\0\0\0\x60"      # one word of data, then its tag: the last one
    c = net.client

    def send(i):
        pkt = Pkt(ethertype=0x88B5, payload=bytes([i + 1]) * (40 + 13 * i), flow="l2", smac=c.mac,
                  dmac=net.server.mac)
        pkt.payload = i.to_bytes(4, "big") + pkt.payload
        net.sim.new_tx(pkt, 0, 1, ctl="l2")
        c.out(pkt, 1)
    for i in range(20):
        net.sim.at(SEC + i * 3 * MS, send, i)
    t_conns(net, 2, 20, 500)
    net.finish()
    return through_broker(net, {p: ("dev3-port%d" % n, brokers.metamako(3, n, extension=tag))
                                for n, p in ((7, "a"), (8, "b"))})


@scenario("E29f", "near miss: bytes at random behind every frame", drops=0,
          checks=[split("nic", "sw", "srv")])
def e29f(seed):
    net = build(seed, ["nic", 100 * US, "sw", 250 * US, "router", "srv"], left=("10.1.0.10",),
                right=("203.0.113.5",))
    for point in net.points.values():
        point.wrap = brokers.at_random(net.sim.rng)
    t_conns(net, 1, 100, 1000)
    return net.finish()


@scenario("E29g", "near miss: only some frames have a trailer", drops=0,
          checks=[split("nic", "sw", "srv")])
def e29g(seed):
    net = build(seed, ["nic", 100 * US, "sw", 250 * US, "router", "srv"], left=("10.1.0.10",),
                right=("203.0.113.5",))
    trailer = brokers.metamako(1, 2)
    net.points["sw"].wrap = lambda frame, ns: trailer(frame, ns) if len(frame) < 100 else frame
    t_conns(net, 1, 100, 1000)
    return net.finish()
