# SPDX-License-Identifier: GPL-2.0-or-later
"""Discrete-event network: packets, links, routers, junctions and taps.

Everything that happens is an argument: which packet is lost is a list given by
the scenario, never a probability.  Times are integers in nanoseconds of one
true clock; clocks of capture points are applied when the file is written.

Elements form a chain.  Direction 1 runs from the left end to the right end of
the chain, direction 0 back.  An element receives a packet with recv() and
hands it to its neighbour with out().
"""
import heapq

US = 1000
MS = 1000 * US
SEC = 1000 * MS


class Rng:
    """splitmix64: the same sequence on every machine for one seed."""

    def __init__(self, seed):
        self.seed = seed
        self.state = seed & (2**64 - 1)

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n

    def unit(self):
        return (self.next() >> 11) / float(1 << 53)

    def exp(self, mean):
        """Exponentially distributed integer with the given mean."""
        import math
        return int(-math.log(1.0 - self.unit()) * mean)


class Pkt:
    """One IP packet (or, with ethertype set, a frame without IP) on its way.

    tx lists what the packet carries as (transmission, first byte, end): one
    entry as it was sent, a smaller range after segmentation, several entries
    after coalescing.  trail holds the records of the last capture that saw it.
    """

    def __init__(self, **kw):
        self.src = self.dst = b""
        self.proto = 0
        self.sport = self.dport = 0
        self.ttl = 64
        self.ipid = 0
        self.df = True
        self.tos = 0
        self.flabel = 0
        self.payload = b""
        self.psum = None          # ones' complement sum of the payload as the sender knew it
        self.raw = None           # IP payload of a fragment, in place of ports and payload
        self.frag_off = 0
        self.frag_more = False
        self.seq = self.ack = self.flags = self.win = 0
        self.opts = ()            # TCP options: ("mss", 1460), ("ts", val, ecr) ...
        self.itype = self.icode = 0
        self.icmp_rest = b"\0\0\0\0"
        self.smac = self.dmac = b"\2\0\0\0\0\0"
        self.vlans = ()           # ((tpid, vid), ...)
        self.mpls = ()            # labels, outermost first
        self.encap = None         # ("vxlan", vni) ...: the payload is `inner`
        self.inner = None
        self.ethertype = None
        self.mss = 0              # payload bytes per TCP segment, for offload
        self.tx = []
        self.trail = ()
        self.flow = None          # name of the conversation, for drop lists
        self.n = 0                # number of the packet in its flow and direction
        self.data_n = None        # number of the data segment in its flow and direction
        self.branch = 0
        self.__dict__.update(kw)

    def copy(self):
        other = Pkt.__new__(Pkt)
        other.__dict__.update(self.__dict__)
        other.tx = list(self.tx)
        if self.inner is not None:
            other.inner = self.inner.copy()
        return other

    def layers(self):
        """This packet and the ones inside it, outermost first."""
        pkt = self
        while pkt is not None:
            yield pkt
            pkt = pkt.inner


class Sim:
    """The event queue and the book in which the truth is written."""

    def __init__(self, seed):
        self.rng = Rng(seed)
        self.seed = seed
        self.now = 0
        self.queue = []
        self.order = 0
        self.points = []
        self.txs = []         # dicts: flow, dir, proto, len, ctl, rexmit_of
        self.records = []     # dicts: point, t, data, wire, units, trail, role ...
        self.drops = []
        self.caploss = []
        self.nats = []
        self.xforms = []
        self.quotes = []      # (transmission of the error, transmission quoted)
        self.macs = 0

    def at(self, t, fn, *args):
        self.order += 1
        heapq.heappush(self.queue, (t, self.order, fn, args))

    def after(self, dt, fn, *args):
        self.at(self.now + dt, fn, *args)

    def run(self, until=None):
        while self.queue:
            if until is not None and self.queue[0][0] > until:
                break
            self.now, _, fn, args = heapq.heappop(self.queue)
            fn(*args)

    def new_mac(self):
        self.macs += 1
        return b"\x02\x00\x5e" + self.macs.to_bytes(3, "big")

    def new_tx(self, pkt, length, dir, ctl="", rexmit_of=None, parent=None):
        """Registers a transmission and makes pkt carry all of it."""
        self.txs.append(dict(flow=pkt.flow, dir=dir, proto=pkt.proto, len=max(1, length),
                             ctl=ctl, rexmit_of=rexmit_of, parent=parent))
        pkt.tx = [(len(self.txs) - 1, 0, max(1, length))]
        return len(self.txs) - 1

    def lost(self, pkt, element, dir, cause):
        """Writes down that pkt was lost at element on its way in direction dir."""
        before = None
        walk = element
        seen_points = 0
        while walk is not None:
            walk = walk.next(pkt, dir)
            if isinstance(walk, Tap):
                seen_points += 1
                if walk.would_see(pkt, dir, self.now):
                    before = walk.point.id
                    break
        self.drops.append(dict(tx=[x for layer in pkt.layers() for x in layer.tx],
                               trail=pkt.trail, before=before, points_left=seen_points,
                               cause=cause, t=self.now))


class Element:
    """One thing on the way.  nbr[dir] is a neighbour, or a list of them."""

    l3 = False

    def __init__(self, sim):
        self.sim = sim
        self.nbr = [None, None]

    def next(self, pkt, dir):
        nbr = self.nbr[dir]
        if isinstance(nbr, list):
            return nbr[self.choose(pkt, dir)]
        return nbr

    def choose(self, pkt, dir):
        return pkt.branch

    def out(self, pkt, dir):
        nbr = self.next(pkt, dir)
        if nbr is not None:
            nbr.recv(pkt, dir)

    def recv(self, pkt, dir):
        self.out(pkt, dir)


def chain(*elements):
    """Connects elements from left to right; lists of neighbours grow at junctions."""
    for left, right in zip(elements, elements[1:]):
        for a, b, d in ((left, right, 1), (right, left, 0)):
            if a.nbr[d] is None:
                a.nbr[d] = b
            elif isinstance(a.nbr[d], list):
                a.nbr[d].append(b)
            else:
                a.nbr[d] = [a.nbr[d], b]
    return elements


class Link(Element):
    """Delay, loss, duplication and reordering between two elements.

    delay       nanoseconds, or (direction 0, direction 1)
    drop        callable(pkt, dir, n) -> cause or None; n counts from 0 per direction; "merged":
                taken out on purpose, which is no loss
    extra       callable(pkt, dir, n) -> additional delay; packets may overtake
    corrupt     callable(pkt, dir, n) -> bool: flip one payload bit
    """

    def __init__(self, sim, delay, drop=None, extra=None, corrupt=None, fifo=True):
        super().__init__(sim)
        self.delay = delay if isinstance(delay, tuple) else (delay, delay)
        self.drop, self.extra, self.corrupt, self.fifo = drop, extra, corrupt, fifo
        self.count = [0, 0]
        self.last = [0, 0]

    def recv(self, pkt, dir):
        n = self.count[dir]
        self.count[dir] += 1
        if self.drop:
            cause = self.drop(pkt, dir, n)
            if cause == "merged":     # not lost: another one says it, too
                return
            if cause:
                self.sim.lost(pkt, self, dir, cause if isinstance(cause, str) else None)
                return
        if self.corrupt and self.corrupt(pkt, dir, n):
            pkt = pkt.copy()
            keep = pkt.psum
            if keep is None:
                from packets import ones_sum
                keep = ones_sum(pkt.payload)
            pkt.payload = pkt.payload[:20] + bytes([pkt.payload[20] ^ 4]) + pkt.payload[21:]
            pkt.psum = keep
        t = self.sim.now + self.delay[dir]
        if self.extra:
            t += self.extra(pkt, dir, n)
        if self.fifo:
            t = max(t, self.last[dir])
            self.last[dir] = t
        self.sim.at(t, self.out, pkt, dir)


class Router(Element):
    """Lowers the TTL and starts a new link-layer segment; may answer TTL 0."""

    l3 = True

    def __init__(self, sim, address=None, delay=0):
        super().__init__(sim)
        self.mac = sim.new_mac()
        self.address = address
        self.delay = delay

    def transform(self, pkt, dir):
        """Packets to send on in the same direction."""
        return (pkt,)

    def recv(self, pkt, dir):
        pkt = pkt.copy()
        if pkt.ethertype is None:
            pkt.ttl -= 1
            if pkt.ttl <= 0:
                if self.address is not None:
                    self.sim.lost(pkt, self, dir, "ttl")
                    self.icmp_error(pkt, dir, 11, 0)
                return
        for each in self.transform(pkt, dir):
            self.forward(each, dir)

    def forward(self, pkt, dir):
        set_macs(pkt, self, dir)
        if self.delay:
            self.sim.after(self.delay, self.out, pkt, dir)
        else:
            self.out(pkt, dir)

    def icmp_error(self, pkt, dir, itype, code, rest=b"\0\0\0\0"):
        """Sends an ICMP error about pkt, as it is now, back where it came from."""
        from packets import ip_bytes
        error = Pkt(src=self.address, dst=pkt.src, proto=1, itype=itype, icode=code,
                    icmp_rest=rest, payload=ip_bytes(pkt)[:548], df=False,
                    ipid=self.sim.rng.below(65535) + 1, flow=pkt.flow, tos=0xc0)
        self.sim.new_tx(error, 0, 1 - dir, ctl="icmp-error")
        self.sim.quotes.append((error.tx[0][0], pkt.tx[0]))
        set_macs(error, self, 1 - dir)
        self.out(error, 1 - dir)


def set_macs(pkt, element, dir):
    """Gives the frame the MAC addresses of element and of the next IP node."""
    pkt.smac = element.mac
    walk = element.next(pkt, dir)
    while walk is not None and not walk.l3:
        walk = walk.next(pkt, dir)
    if walk is not None:
        pkt.dmac = walk.mac


class Junction(Element):
    """Several neighbours on one side.

    pick        callable(pkt, dir) -> index: load balancing.  Must be pure.
    copies      callable(pkt, dir) -> list of indices: flooding and multicast
    """

    def __init__(self, sim, pick=None, copies=None):
        super().__init__(sim)
        self.pick, self.copies = pick, copies

    def choose(self, pkt, dir):
        return self.pick(pkt, dir) if self.pick else pkt.branch

    def recv(self, pkt, dir):
        if self.copies and isinstance(self.nbr[dir], list):
            for i in self.copies(pkt, dir):
                self.nbr[dir][i].recv(pkt.copy(), dir)
            return
        self.out(pkt, dir)


class Tap(Element):
    """Where a capture point looks.  See points.Point for the capture's defects.

    partial     direction in which checksums are not filled in yet, or None
    """

    def __init__(self, sim, point, partial=None):
        super().__init__(sim)
        self.point, self.partial = point, partial
        self.count = 0

    def would_see(self, pkt, dir, now):
        point = self.point
        return point.covers(now) and point.accepts(pkt, dir) and \
            not point.misses(pkt, dir, self.count, now)

    def recv(self, pkt, dir):
        from packets import frame_bytes
        sim, point = self.sim, self.point
        if not point.accepts(pkt, dir) or not point.covers(sim.now):
            self.out(pkt, dir)
            return
        n = self.count
        self.count += 1
        units = [(x, depth) for depth, layer in enumerate(pkt.layers()) for x in layer.tx]
        if point.misses(pkt, dir, n, sim.now):
            sim.caploss.append((point.id, [x for x, _ in units], sim.now))
            self.out(pkt, dir)
            return
        data = frame_bytes(pkt, self.partial is not None and self.partial == dir)
        inner = list(pkt.layers())[-1]
        record = dict(point=point.id, t=sim.now, data=data, units=units, trail=pkt.trail,
                      role="first", dir=dir, tuple=(inner.proto, inner.src, inner.sport,
                                                    inner.dst, inner.dport), flow=pkt.flow,
                      ttl=pkt.ttl, packet=pkt.proto)
        sim.records.append(record)
        me = len(sim.records) - 1
        for delta in point.copies(pkt, dir, n):
            copy = dict(record, t=sim.now + delta, role="dup")
            sim.at(sim.now + delta, sim.records.append, copy)
        pkt = pkt.copy()
        pkt.trail = (me,)
        self.out(pkt, dir)
