# SPDX-License-Identifier: GPL-2.0-or-later
"""F: proxies, gateways that end a connection, and what still joins both sides."""
import struct

from hosts import Host, content
from net import MS, SEC, US, Link, Router, Tap, chain
from packets import ip_text
from points import Point
from scenarios_b import rexmit_pairs
from tcp import Tcp, serve_bulk
from topo import Net, data_once, scenario


class Proxy:
    """nic, pin | proxy | pout, srv.  front and back are the proxy's two sides.

    handed    (client port, port of the upstream connection): once per connection or request
    """

    def __init__(self, seed, front="10.3.0.1", back="10.3.1.1"):
        self.net = Net(seed)
        sim = self.sim = self.net.sim
        self.client, self.server = Host(sim, 1, "10.1.0.10"), Host(sim, 0, "203.0.113.5")
        self.front, self.back = Host(sim, 0, front), Host(sim, 1, back)
        taps = {n: Tap(sim, Point(sim, n)) for n in ("nic", "pin", "pout", "srv")}
        self.link = Link(sim, 3 * MS)
        chain(self.client, taps["nic"], Link(sim, MS), Router(sim), taps["pin"], self.front)
        chain(self.back, taps["pout"], self.link, Router(sim), taps["srv"], self.server)
        self.handed = []

    def serve(self, size, reply):
        """The server answers every `size` bytes with reply(n-th) of one connection."""
        def accept(pkt):
            conn = Tcp(self.server, pkt.flow, pkt.dst, 80, pkt.src, pkt.sport, client=False)

            def event(c, what, value):
                while what == "data" and value // size > getattr(c, "answered", 0):
                    c.answered = getattr(c, "answered", 0) + 1
                    body = reply(c, c.answered)
                    c.cache += body
                    self.sim.after(200 * US, c.send, len(body))
            conn.on_event = event
            return conn
        self.server.listen[80] = accept

    def relay(self, prefix=lambda conn: b"", port=1000, delay=100 * US):
        """Every client connection gets one of its own; bytes pass both ways, cut anew."""
        def accept(pkt):
            conn = Tcp(self.front, pkt.flow, pkt.dst, 80, pkt.src, pkt.sport, client=False)
            up = Tcp(self.back, ("up",) + pkt.flow, self.back.address(), pkt.sport + port,
                     self.server.address(), 80, client=True, mss=1200)
            up.cache = prefix(conn)
            self.handed.append((pkt.sport, up.lport))

            def from_client(c, what, value):
                if what == "data":
                    got = getattr(c, "taken", 0)
                    c.taken = value
                    up.cache += self.senders[c.rport].bytes_of(got, value)
                    self.sim.after(delay, up.send, value - got + (0 if got else len(up.prefix)))

            def from_server(c, what, value):
                if what == "connected":
                    c.push()
                elif what == "data":
                    got = getattr(c, "taken", 0)
                    c.taken = value
                    peer = self.server.tcp[(c.remote, 80, c.local, c.lport)]
                    conn.cache += peer.bytes_of(got, value)
                    self.sim.after(delay, conn.send, value - got)
            up.prefix = bytes(up.cache)
            conn.on_event, up.on_event = from_client, from_server
            up.connect()
            return conn
        self.front.listen[80] = accept

    senders = None

    def clients(self, n, body, gap, requests=1, think=20 * MS):
        """n connections; body(i, k) is request k of connection i, all of one length."""
        self.senders = {}

        def one(i):
            def event(conn, what, value):
                if what == "connected":
                    ask(conn, 0)

            def ask(conn, k):
                request = body(i, k)
                conn.cache += request
                conn.send(len(request))
                if k + 1 < requests:
                    self.sim.after(think, ask, conn, k + 1)
            conn = Tcp(self.client, ("t", i), self.client.address(), 45000 + i,
                       self.front.address(), 80, client=True, on_event=event, quickack=True)
            self.senders[conn.lport] = conn
            conn.connect()
        for i in range(n):
            self.sim.at(SEC + i * gap, one, i)


def linked(how, confidence="confirmed"):
    """A check: flows are linked as the proxy handed them on, and no others."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        ports = {f["flow"]: int(f["initiator"].rsplit(":", 1)[1])
                 for f in answer.report["flows"]}
        said, wrong = {}, []
        for f in answer.report["flows"]:
            for link in f.get("links", ()):
                if link["role"] == "client side":
                    said[(ports[f["flow"]], ports[link["flow"]])] = link["requests"]
                if link["how"] != how or link["confidence"] != confidence:
                    wrong.append("link by %s, %s" % (link["how"], link["confidence"]))
        true = {}
        for pair in truth.sim.handed:
            true[pair] = true.get(pair, 0) + 1
        if said != true:
            wrong.append("%d links, not %d; %d right" % (len(said), len(true),
                                                         len(said.items() & true.items())))
        return wrong[:3]
    return check


def unlinked(truth, answer):
    """A check: nothing is linked."""
    if answer.made_from_truth:
        return []
    n = sum(len(f.get("links", ())) for f in answer.report["flows"])
    return ["%d links, not 0" % n] if n else []


def finish(proxy):
    proxy.sim.handed = proxy.handed
    return proxy.net.finish()


def hello(i):
    """A TLS record with a ClientHello of 512 bytes."""
    body = struct.pack("!H", 0x303) + content("random", i, size=32) + b"\x20" + \
        content("session", size=32) + content("rest", size=512 - 4 - 67)
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


@scenario("F02", "TLS passes through a proxy", drops=0, nat=0, checks=[linked("tls-hello")])
def f02(seed):
    p = Proxy(seed)
    p.serve(len(hello(0)), lambda c, n: content("tls", c.rport, size=3000))
    p.relay()
    # Three at a time, and nothing but the random differs.
    p.clients(10, lambda i, k: hello(i), 5 * MS)
    return finish(p)


@scenario("F02b", "the same plain bytes through a proxy, one connection after the other, and "
          "its addresses differ: other sides of equal bytes are only possible", drops=0, nat=0,
          checks=[unlinked])
def f02b(seed):
    p = Proxy(seed)
    p.serve(200, lambda c, n: content("plain", size=3000))
    p.relay()
    p.clients(10, lambda i, k: content("ask", size=200), 5 * MS)
    return finish(p)


def request(i, k):
    """An HTTP request of 300 bytes with an id of its own."""
    head = "GET /%d HTTP/1.1\r\nHost: www.example.org\r\nX-Request-ID: %08x-%04x\r\n" % (k, i, k)
    return head.encode() + b"X-Pad: " + b"x" * (300 - len(head) - 11) + b"\r\n\r\n"


@scenario("F04", "HTTP proxy with a pool: 20 clients, 3 connections, 200 requests", drops=0, nat=0,
          checks=[linked("request-id")])
def f04(seed):
    p = Proxy(seed, back="10.3.0.1")
    sim = p.sim
    p.serve(300, lambda c, n: content("reply", c.rport, n, size=700))
    pool = []

    def back(c, what, value):
        """The pool answers in order; each answer goes to whom asked."""
        if what == "connected":
            c.push()
        while what == "data" and value // 700 > getattr(c, "answered", 0):
            peer = p.server.tcp[(c.remote, 80, c.local, c.lport)]
            conn = c.waiting.pop(0)
            conn.cache += peer.bytes_of(c.answered * 700, c.answered * 700 + 700)
            c.answered += 1
            sim.after(100 * US, conn.send, 700)

    def accept(pkt):
        if not pool:
            for i in range(3):
                up = Tcp(p.back, ("up", i), p.back.address(), 60000 + i, p.server.address(), 80,
                         client=True, on_event=back)
                up.waiting, up.answered = [], 0
                up.connect()
                pool.append(up)
        conn = Tcp(p.front, pkt.flow, pkt.dst, 80, pkt.src, pkt.sport, client=False)

        def event(c, what, value):
            while what == "data" and value // 300 > getattr(c, "asked", 0):
                at = getattr(c, "asked", 0)
                c.asked = at + 1
                up = pool[len(p.handed) % 3]
                p.handed.append((c.rport, up.lport))
                up.waiting.append(c)
                up.cache += p.senders[c.rport].bytes_of(at * 300, at * 300 + 300)
                sim.after(100 * US, up.send, 300)
        conn.on_event = event
        return conn
    p.front.listen[80] = accept
    p.clients(20, request, 7 * MS, requests=10, think=60 * MS)
    return finish(p)


def proxy_header(conn):
    """The PROXY header of a client's connection: version 1 for even ports, else 2."""
    src, dst = conn.remote, conn.local
    if conn.rport % 2 == 0:
        return ("PROXY TCP4 %s %s %d %d\r\n" % (ip_text(src), ip_text(dst), conn.rport,
                                                conn.lport)).encode()
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + src + dst + \
        struct.pack("!HH", conn.rport, conn.lport)


@scenario("F05", "PROXY protocol, versions 1 and 2", drops=0, nat=0,
          checks=[linked("proxy-header")])
def f05(seed):
    p = Proxy(seed)
    p.serve(200, lambda c, n: content("same", size=1500))
    p.relay(prefix=proxy_header)
    p.clients(20, lambda i, k: content("ask", size=200), 5 * MS)
    return finish(p)


@scenario("F14", "a pair of WAN optimisers: other bytes between them", drops=0, nat=0)
def f14(seed):
    p = Proxy(seed)
    p.serve(200, lambda c, n: content("far", c.rport, n, size=4000))

    def accept(pkt):
        conn = Tcp(p.front, pkt.flow, pkt.dst, 80, pkt.src, pkt.sport, client=False)
        up = Tcp(p.back, ("wan",) + pkt.flow, p.back.address(), pkt.sport + 1000,
                 p.server.address(), 80, client=True)

        def answered(c, what, value):
            """What crosses the WAN is shorter than what it stands for."""
            if what == "connected":
                c.push()
            elif what == "data" and value == 4000:
                conn.cache += content("expanded", pkt.sport, size=9000)
                p.sim.after(300 * US, conn.send, 9000)
        up.on_event = answered
        conn.on_event = lambda c, what, value: up.send(200) if what == "data" else None
        up.cache = content("deduplicated", pkt.sport, size=200)
        up.connect()
        return conn
    p.front.listen[80] = accept
    p.clients(8, lambda i, k: content("ask", i, size=200), 11 * MS)
    return finish(p)


@scenario("F15", "a gateway that acknowledges in the server's name; 30 losses behind it", drops=30,
          nat=0, verdicts={"confirmed": 30}, checks=[rexmit_pairs])
def f15(seed):
    # Transparent: the same addresses and ports on both sides, other sequence numbers.
    p = Proxy(seed, front="203.0.113.5", back="10.1.0.10")
    lost = set(range(20, 320, 10))
    p.link.drop = data_once(1, lost)
    serve_bulk(p.server, 80, 100, request=600_000)

    def accept(pkt):
        conn = Tcp(p.front, pkt.flow, pkt.dst, 80, pkt.src, pkt.sport, client=False)
        up = Tcp(p.back, ("pep",) + pkt.flow, p.back.address(), pkt.sport, p.server.address(), 80,
                 client=True)

        def event(c, what, value):
            if what == "data":
                got = getattr(c, "taken", 0)
                c.taken = value
                up.cache += p.senders[c.rport].bytes_of(got, value)
                up.send(value - got)
        conn.on_event = event
        up.on_event = lambda c, what, value: c.push() if what == "connected" else \
            conn.send(100) if what == "data" else None
        up.connect()
        return conn
    p.front.listen[80] = accept
    p.clients(1, lambda i, k: content("upload", i, size=600_000), MS)
    return finish(p)
