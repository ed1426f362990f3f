# SPDX-License-Identifier: GPL-2.0-or-later
"""Boxes that rewrite, translate, tunnel, segment or fragment packets."""
from net import Element, Pkt, Router
from packets import ACK, FIN, ICMP, ICMP6, PSH, RST, SYN, TCP, UDP, l4_bytes, ones_sum


def fit_payload_sum(pkt, payload):
    """Replaces the payload; the checksum is made new."""
    pkt.payload, pkt.psum = payload, None


class Box(Router):
    """A router with a chain of rewrites: callables (pkt, dir) -> None, in place."""

    def __init__(self, sim, *rewrites, address=None, delay=0):
        super().__init__(sim, address, delay)
        self.rewrites = rewrites

    def transform(self, pkt, dir):
        for rewrite in self.rewrites:
            rewrite(pkt, dir)
        return (pkt,)


class Bridge(Element):
    """As Box, but transparent: no TTL, no MAC addresses."""

    def __init__(self, sim, *rewrites):
        super().__init__(sim)
        self.rewrites = rewrites

    def recv(self, pkt, dir):
        pkt = pkt.copy()
        for rewrite in self.rewrites:
            rewrite(pkt, dir)
        self.out(pkt, dir)


class Nat:
    """Translation of addresses and ports; a rewrite for Box.

    outbound    callable(proto, src, sport, dst, dport) -> new 4-tuple or None, asked once per
                conversation that begins in direction 1
    inbound     the same for conversations that begin in direction 0
    between     names of the points left and right of the box
    kind        what the truth calls it
    """

    def __init__(self, sim, between, kind, outbound=None, inbound=None):
        self.sim, self.between, self.kind = sim, between, kind
        self.rules = {1: outbound, 0: inbound}
        self.maps = {}

    def __call__(self, pkt, dir):
        if pkt.raw is not None or pkt.encap is not None:
            return
        key = (dir, pkt.proto, pkt.src, pkt.sport, pkt.dst, pkt.dport)
        new = self.maps.get(key)
        if new is None:
            rule = self.rules[dir]
            new = rule and rule(pkt.proto, pkt.src, pkt.sport, pkt.dst, pkt.dport)
            if not new:
                return
            back_proto = pkt.proto
            if len(new[0]) != len(pkt.src):
                back_proto = {ICMP: ICMP6, ICMP6: ICMP}.get(pkt.proto, pkt.proto)
            self.maps[key] = new
            self.maps[(1 - dir, back_proto, new[2], new[3], new[0], new[1])] = (
                pkt.dst, pkt.dport, pkt.src, pkt.sport)
            left, right = self.between if dir == 1 else reversed(self.between)
            self.sim.nats.append(dict(type=self.kind, proto=pkt.proto, flow=pkt.flow,
                                      between=[left, right], t=self.sim.now,
                                      pre=key[2:], post=tuple(new)))
        version_changes = len(new[0]) != len(pkt.src)
        pkt.src, pkt.sport, pkt.dst, pkt.dport = new
        if version_changes:
            if len(pkt.src) == 4:
                pkt.ipid, pkt.df, pkt.flabel = self.sim.rng.below(65535) + 1, False, 0
                pkt.itype = {128: 8, 129: 0}.get(pkt.itype, pkt.itype)
            else:
                pkt.ipid, pkt.df = 0, False
                pkt.itype = {8: 128, 0: 129}.get(pkt.itype, pkt.itype)
            if pkt.proto in (ICMP, ICMP6):
                pkt.proto = ICMP6 if len(pkt.src) == 16 else ICMP


def pat_rule(sim, public, first=20000):
    """Source address and port become public and a random unused port; ICMP: identifier."""
    used = set()

    def rule(proto, src, sport, dst, dport):
        while True:
            port = first + sim.rng.below(40000)
            if (proto, port) not in used:
                used.add((proto, port))
                if proto in (ICMP, ICMP6):
                    return (public, port, dst, port)
                return (public, port, dst, dport)
    return rule


def random_ipid(sim):
    def rewrite(pkt, dir):
        if len(pkt.src) == 4:
            pkt.ipid = sim.rng.below(65535) + 1
    return rewrite


def seq_randomizer(sim, between, translate_sack=True):
    """Adds a constant to the initiator's sequence numbers (dir 1) and to the other's (dir 0)."""
    deltas = {}

    def rewrite(pkt, dir):
        if pkt.proto != TCP or pkt.raw is not None:
            return
        if pkt.flow not in deltas:
            deltas[pkt.flow] = {1: sim.rng.below(1 << 32), 0: sim.rng.below(1 << 32)}
            sim.xforms.append(dict(flow=pkt.flow, between=between,
                                   dseq=[deltas[pkt.flow][1], deltas[pkt.flow][0]]))
        mine, other = deltas[pkt.flow][dir], deltas[pkt.flow][1 - dir]
        # Direction 1 leaves with +delta, direction 0 with -delta; the ACKs undo the other one.
        pkt.seq = (pkt.seq + (mine if dir == 1 else -mine)) & 0xFFFFFFFF
        shift = other if dir == 1 else -other
        if pkt.flags & ACK:
            pkt.ack = (pkt.ack + shift) & 0xFFFFFFFF
        if translate_sack:
            pkt.opts = tuple(("sack", [((a + shift) & 0xFFFFFFFF, (b + shift) & 0xFFFFFFFF)
                                       for a, b in o[1]]) if o[0] == "sack" else o
                             for o in pkt.opts)
    return rewrite


def mss_clamp(limit):
    def rewrite(pkt, dir):
        if pkt.proto == TCP and pkt.flags & SYN:
            pkt.opts = tuple(("mss", min(o[1], limit)) if o[0] == "mss" else o for o in pkt.opts)
    return rewrite


def remove_options(*names, nop=True):
    """Removes TCP options; with nop, overwrites them so that the length stays."""
    size = {"sackok": 2, "ts": 10, "ws": 3, "mss": 4}

    def rewrite(pkt, dir):
        if pkt.proto == TCP and pkt.flags & SYN:
            out = []
            for o in pkt.opts:
                if o[0] not in names:
                    out.append(o)
                elif nop:
                    out.append(("nop", size[o[0]]))
            pkt.opts = tuple(out)
    return rewrite


def set_tos(tos, dir_only=None):
    def rewrite(pkt, dir):
        if dir_only is None or dir == dir_only:
            pkt.tos = pkt.tos & 3 | tos
    return rewrite


def set_ttl(ttl, dir_only=None):
    def rewrite(pkt, dir):
        if dir_only is None or dir == dir_only:
            pkt.ttl = ttl
    return rewrite


def vlan(dir1, dir0):
    """A bridge port's tags: dir1 is the stack on the right side, dir0 on the left."""
    def rewrite(pkt, dir):
        pkt.vlans = dir1 if dir == 1 else dir0
    return rewrite


def mpls(dir1, dir0):
    def rewrite(pkt, dir):
        pkt.mpls = dir1 if dir == 1 else dir0
    return rewrite


class Tunnel(Router):
    """One end of a tunnel.  Direction `into` is encapsulated, the other one unpacked.

    kind      vxlan geneve gtpu gre ipip esp
    ident     VNI, TEID or SPI; or (direction 1, direction 0)
    routed    whether the inner TTL is lowered here
    """

    PORTS = {"vxlan": 4789, "geneve": 6081, "gtpu": 2152}
    PROTOS = {"gre": 47, "ipip": 4, "esp": 50}

    def __init__(self, sim, kind, ident, local, remote, into, routed=True, ttl=64):
        super().__init__(sim)
        self.kind, self.local, self.remote, self.into = kind, local, remote, into
        self.ident = ident if isinstance(ident, tuple) else (ident, ident)
        self.routed, self.outer_ttl = routed, ttl
        self.number = 0
        self.ipid = sim.rng.below(65536)

    def recv(self, pkt, dir):
        pkt = pkt.copy()
        if dir != self.into:
            inner = pkt.inner
            inner.trail = pkt.trail
            if self.routed:
                inner.ttl -= 1
            self.forward(inner, dir)
            return
        if self.routed:
            pkt.ttl -= 1
        pkt.smac, pkt.dmac = self.mac, b"\2\0\x5e\xff\0\1"
        self.number += 1
        self.ipid = (self.ipid + 1) & 0xFFFF
        ident = self.ident[0] if dir == 1 else self.ident[1]
        encap = (self.kind, ident, self.number)
        outer = Pkt(src=self.local, dst=self.remote, ttl=self.outer_ttl, ipid=self.ipid, df=True,
                    flow=("outer", self.kind, ident), encap=encap, inner=pkt,
                    trail=pkt.trail)
        if self.kind in self.PORTS:
            outer.proto, outer.dport = UDP, self.PORTS[self.kind]
            outer.sport = outer.dport if self.kind == "gtpu" else \
                49152 + (ones_sum(pkt.src) ^ ones_sum(pkt.dst) ^ pkt.sport ^ pkt.dport) % 16384
        else:
            outer.proto = self.PROTOS[self.kind]
        self.sim.new_tx(outer, 0, dir, ctl="outer", parent=pkt.tx)
        self.forward(outer, dir)


def split_ranges(tx, pieces):
    """Cuts a list of (transmission, a, b) into lists of the given sizes."""
    out, rest = [], list(tx)
    for size in pieces:
        part = []
        while size > 0 and rest:
            x, a, b = rest.pop(0)
            take = min(size, b - a)
            part.append((x, a, a + take))
            if take < b - a:
                rest.insert(0, (x, a + take, b))
            size -= take
        out.append(part)
    return out


class Segmenter(Element):
    """A network card with TCP (or UDP) segmentation offload: frames of mss leave it.

    dir     direction in which it segments
    gap     time between two segments on the wire
    """

    def __init__(self, sim, dir, gap=12_000, udp_size=None):
        super().__init__(sim)
        self.dir, self.gap, self.udp_size = dir, gap, udp_size
        self.free = 0

    def recv(self, pkt, dir):
        size = self.udp_size if pkt.proto == UDP else pkt.mss
        if dir != self.dir or not size or pkt.raw is not None or len(pkt.payload) <= size:
            self.out(pkt, dir)
            return
        pieces = [min(size, len(pkt.payload) - at) for at in range(0, len(pkt.payload), size)]
        at = 0
        start = max(self.sim.now, self.free)
        for i, (take, tx) in enumerate(zip(pieces, split_ranges(pkt.tx, pieces))):
            part = pkt.copy()
            part.payload, part.psum, part.tx = pkt.payload[at:at + take], None, tx
            part.ipid = (pkt.ipid + i) & 0xFFFF
            if pkt.proto == TCP:
                part.seq = (pkt.seq + at) & 0xFFFFFFFF
                part.data_n = None if pkt.data_n is None else pkt.data_n + i
                if i < len(pieces) - 1:
                    part.flags &= ~(PSH | FIN)
            part.piece = i
            at += take
            self.sim.at(start + i * self.gap, self.out, part, dir)
        self.free = start + len(pieces) * self.gap


class Coalescer(Element):
    """A receiving card or stack with GRO: neighbouring segments become one frame.

    limit   most segments per frame; hold: how long the first one may wait
    """

    def __init__(self, sim, dir, limit=44, hold=200_000):
        super().__init__(sim)
        self.dir, self.limit, self.hold = dir, limit, hold
        self.held = {}
        self.ticket = 0

    def recv(self, pkt, dir):
        if dir != self.dir or pkt.proto != TCP or not pkt.payload or pkt.flags & (SYN | RST):
            if dir == self.dir:
                self.flush(pkt.flow, None)
            self.out(pkt, dir)
            return
        entry = self.held.get(pkt.flow)
        if entry:
            whole, count, ticket = entry
            follows = pkt.seq == (whole.seq + len(whole.payload)) & 0xFFFFFFFF and \
                pkt.opts == whole.opts and pkt.ack == whole.ack and \
                len(pkt.payload) <= whole.mss and count < self.limit
            if follows:
                whole.payload += pkt.payload
                whole.flags |= pkt.flags
                whole.tx += pkt.tx
                whole.trail += pkt.trail
                self.held[pkt.flow] = (whole, count + 1, ticket)
                if pkt.flags & PSH or len(pkt.payload) < whole.mss or count + 1 == self.limit:
                    self.flush(pkt.flow, None)
                return
            self.flush(pkt.flow, None)
        self.ticket += 1
        whole = pkt.copy()
        self.held[pkt.flow] = (whole, 1, self.ticket)
        self.sim.after(self.hold, self.flush, pkt.flow, self.ticket)

    def flush(self, flow, ticket):
        entry = self.held.get(flow)
        if entry and (ticket is None or entry[2] == ticket):
            del self.held[flow]
            self.out(entry[0], self.dir)


class Fragmenter(Router):
    """A router whose right side (direction 1) has a small MTU."""

    def __init__(self, sim, mtu, **kw):
        super().__init__(sim, **kw)
        self.mtu = mtu

    def transform(self, pkt, dir):
        if dir != 1:
            return (pkt,)
        return fragments(pkt, self.mtu)


def fragments(pkt, mtu):
    """IPv4 fragments of pkt (which may be one itself) for an MTU."""
    body = pkt.raw if pkt.raw is not None else l4_bytes(pkt)
    room = (mtu - 20) // 8 * 8
    if len(body) <= mtu - 20:
        return (pkt,)
    out, pieces = [], []
    at = 0
    while at < len(body):
        take = room if len(body) - at > mtu - 20 else len(body) - at
        pieces.append(take)
        at += take
    at = 0
    for take, tx in zip(pieces, split_ranges(pkt.tx, pieces)):
        part = pkt.copy()
        part.raw, part.tx = body[at:at + take], tx
        part.frag_off = pkt.frag_off + at
        part.frag_more = pkt.frag_more or at + take < len(body)
        part.df = False
        part.piece = at
        at += take
        out.append(part)
    return tuple(out)
