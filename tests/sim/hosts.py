# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts: addresses, UDP senders and responders, ICMP echo, TCP demultiplexing."""
import hashlib
import struct

from net import Element, Pkt, set_macs
from packets import ICMP, ICMP6, TCP, UDP, ip


def content(*key, size):
    """Reproducible bytes that differ for every key."""
    return hashlib.shake_128(repr(key).encode()).digest(size)


class Host(Element):
    """An end system with any number of addresses.

    side        the direction in which it sends: 1 at the left end, 0 at the right
    """

    l3 = True

    def __init__(self, sim, side, *addresses, ttl=64, tos=0):
        super().__init__(sim)
        self.side, self.ttl, self.tos = side, ttl, tos
        self.addresses = [ip(a) for a in addresses]
        self.mac = sim.new_mac()
        self.tcp = {}           # (own, port, peer, port) -> Tcp
        self.listen = {}        # port -> callable(pkt) -> Tcp
        self.udp = {}           # port -> callable(pkt)
        self.ids = {}           # IP identification counters, one per socket
        self.echo = True
        self.on_echo_reply = None
        self.counts = {}

    def address(self, version=4, n=0):
        return [a for a in self.addresses if len(a) == (4 if version == 4 else 16)][n]

    def next_id(self, key, step=1):
        """Linux counts per socket, one number per MSS-sized TCP segment."""
        value = self.ids.get(key)
        if value is None:
            value = self.sim.rng.below(0x10000)
        self.ids[key] = (value + step) & 0xFFFF
        return value

    def send(self, pkt, length=None, ctl="", rexmit_of=None):
        """Sends pkt; length is its size in bytes that may be split, 0 for control."""
        pkt.ttl, pkt.tos = self.ttl, pkt.tos or self.tos
        key = (pkt.flow, self.side)
        pkt.n = self.counts.get(key, 0)
        self.counts[key] = pkt.n + 1
        if len(pkt.src) == 16:
            pkt.ipid, pkt.df = 0, False
        self.sim.new_tx(pkt, len(pkt.payload) if length is None else length, self.side, ctl,
                        rexmit_of)
        set_macs(pkt, self, self.side)
        self.out(pkt, self.side)
        return pkt.tx[0][0]

    def recv(self, pkt, dir):
        if pkt.raw is not None or pkt.encap is not None or pkt.ethertype is not None:
            return
        if pkt.proto == TCP:
            key = (pkt.dst, pkt.dport, pkt.src, pkt.sport)
            conn = self.tcp.get(key)
            if (conn is None or conn.closed) and pkt.dport in self.listen and pkt.flags & 2:
                conn = self.listen[pkt.dport](pkt)
                self.tcp[key] = conn
            if conn is not None:
                conn.receive(pkt)
        elif pkt.proto == UDP:
            handler = self.udp.get(pkt.dport)
            if handler:
                handler(pkt)
        elif pkt.proto in (ICMP, ICMP6):
            if pkt.itype in (8, 128) and self.echo:
                self.send(Pkt(src=pkt.dst, dst=pkt.src, proto=pkt.proto, flow=pkt.flow, df=False,
                              itype=0 if pkt.itype == 8 else 129, sport=pkt.sport, dport=pkt.sport,
                              icmp_rest=pkt.icmp_rest, payload=pkt.payload,
                              ipid=self.next_id("icmp")))
            elif pkt.itype in (0, 129) and self.on_echo_reply:
                self.on_echo_reply(pkt)

    # Traffic.

    def send_udp(self, flow, src, sport, dst, dport, payload, ipid=None, **kw):
        if ipid is None:
            ipid = self.next_id((src, sport, dst, dport))
        pkt = Pkt(src=src, dst=dst, proto=UDP, sport=sport, dport=dport, payload=payload,
                  flow=flow, ipid=ipid, **kw)
        return self.send(pkt, kw.get("length"))

    def udp_stream(self, flow, src, sport, dst, dport, count, start, gap, size=100, same=False,
                   first=0, **kw):
        """U(n): count datagrams; the same bytes in each if `same`, else all different."""
        def one(i):
            body = content(flow, "same" if same else i, size=size)
            self.send_udp(flow, src, sport, dst, dport, body, **kw)
        for i in range(count):
            self.sim.at(start + i * gap, one, first + i)

    def udp_answer(self, port, delay, size=100, reply=None):
        """Answers every datagram to a port after a delay."""
        def handler(pkt):
            body = reply(pkt) if reply else content("answer", pkt.payload, size=size)
            self.sim.after(delay, self.send_udp, pkt.flow, pkt.dst, pkt.dport, pkt.src, pkt.sport,
                           body)
        self.udp[port] = handler

    def ping(self, flow, src, dst, ident, count, start, gap, size=56, ttl=None):
        v6 = len(src) == 16

        def one(i):
            body = content(flow, i, size=size)
            pkt = Pkt(src=src, dst=dst, proto=ICMP6 if v6 else ICMP, itype=128 if v6 else 8,
                      sport=ident, dport=ident, icmp_rest=struct.pack("!HH", ident, i + 1),
                      payload=body,
                      flow=flow, ipid=self.next_id(("ping", ident)))
            if ttl is None:
                self.send(pkt)
                return
            keep, self.ttl = self.ttl, ttl
            self.send(pkt)
            self.ttl = keep
        for i in range(count):
            self.sim.at(start + i * gap, one, i)


def dns_query(ident, name):
    """A DNS query for an A record."""
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def dns_answer(pkt):
    """The answer to the DNS query in pkt."""
    question = pkt.payload[12:]
    return (pkt.payload[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question +
            b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 300, 4) + b"\xcb\0\x71\x05")
