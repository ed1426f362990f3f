# SPDX-License-Identifier: GPL-2.0-or-later
"""L, continued: middleboxes and proxies, limits of bulk transfers, protocols inside others, pages,
and captures of which parts are missing."""
import l7
from app import CLIENT, SERVER, Dialog
from boxes import Box, Nat
from hosts import Host
from net import MS, SEC, US, Element, Pkt, Router, Tap
from packets import ACK, SYN, TCP
from scenarios_b import PUBLIC, pat_rule
from scenarios_l import (CLOCKS, START, V4, ask, dialog, exchange, l_net, phase_of, sealed,
                         second, spoken, tls12, tls13, tls_phase, web, window)
from story import Phase, Story, connect, first_byte, lookup, whole
from topo import build, scenario


class SynProxy(Router):
    """Answers SYN itself, opens the server's side when the client has proved itself, and shifts
    the server's sequence numbers (as Linux's SYNPROXY).  Connections without TCP options but MSS.
    """

    def __init__(self, sim):
        super().__init__(sim)
        self.state = {}

    def send(self, dir, ctl, like, **kw):
        pkt = Pkt(proto=TCP, ttl=64, ipid=self.sim.rng.below(65535) + 1, win=65535,
                  opts=(("mss", 1460),) if kw["flags"] & SYN else (), flow=like.flow, **kw)
        self.sim.new_tx(pkt, 0, dir, ctl=ctl)
        self.forward(pkt, dir)

    def recv(self, pkt, dir):
        if pkt.proto != TCP:
            super().recv(pkt, dir)
            return
        s = self.state.setdefault(pkt.flow, dict(phase="closed", queue=[]))
        if pkt.flags & SYN and dir == 1:
            s.update(phase="half", isn=self.sim.rng.below(1 << 32), theirs=pkt.seq)
            self.sim.after(50 * US, lambda: self.send(
                0, "SYN-ACK", pkt, src=pkt.dst, sport=pkt.dport, dst=pkt.src, dport=pkt.sport,
                seq=s["isn"], ack=(pkt.seq + 1) & 0xFFFFFFFF, flags=SYN | ACK))
        elif s["phase"] == "half":
            s["phase"] = "opening"
            s["queue"].append(pkt)
            self.send(1, "SYN at the server", pkt, src=pkt.src, sport=pkt.sport, dst=pkt.dst,
                      dport=pkt.dport, seq=s["theirs"], flags=SYN)
        elif s["phase"] == "opening" and dir == 1:
            s["queue"].append(pkt)
        elif pkt.flags & SYN:
            s.update(phase="open", delta=(s["isn"] - pkt.seq) & 0xFFFFFFFF)
            for held in s["queue"]:
                self.pass_on(held, 1, s)
        else:
            self.pass_on(pkt, dir, s)

    def pass_on(self, pkt, dir, s):
        pkt = pkt.copy()
        pkt.ttl -= 1
        if dir == 1:
            pkt.ack = (pkt.ack - s["delta"]) & 0xFFFFFFFF
        else:
            pkt.seq = (pkt.seq + s["delta"]) & 0xFFFFFFFF
        self.forward(pkt, dir)


@scenario("L14", "SYN answered by a middlebox behind fw", drops=0, P=0.9, R=0.9)
def l14(seed):
    net = l_net(seed, lambda n: SynProxy(n.sim))
    plain = dict(ts=False, sack=False)
    net.client.ping("echo", net.client.address(), net.server.address(), 77, 8, START - 900 * MS,
                    100 * MS)
    d = dialog(net, 80, "web", options=plain, server_options=plain)
    q, r = exchange(d, l7.get("/"), l7.response("web", 9000), 30 * MS)
    net.finish()
    net.stories.append(Story("http", "web", connect(net.sim, "web"), *spoken(d, q, r)))
    return net


# A reverse proxy: both of its legs pass the point fw.

class Proxy(Element):
    """Ends the client's connections; front and back are its two faces."""

    l3 = True

    def __init__(self, sim, front, back):
        super().__init__(sim)
        self.mac = sim.new_mac()
        self.front, self.back = Host(sim, 0, front), Host(sim, 1, back)
        self.front.nbr = self.back.nbr = self.nbr

    def recv(self, pkt, dir):
        (self.front if dir == 1 else self.back).recv(pkt, dir)


def reverse_proxy(seed, mark, at, tries=1, pool=1, clocks=None, hold=35 * MS):
    """Two connections of the client, two requests each; the proxy has a pool of connections.

    mark(i)     the id of request i
    at(i)       when connection i // 2 begins
    tries       servers that the proxy asks: all but the last one refuse
    """
    net = build(seed, ["nic", 2 * MS, "router", "fw", lambda n: Proxy(n.sim, "198.51.100.1",
                                                                     "198.51.100.2"),
                       lambda n: Tap(n.sim, n.points["fw"]), 10 * MS, "router", "srv"],
                clocks=clocks or CLOCKS, **V4)
    sim = net.sim
    proxy = next(e for e in walk(net.client) if isinstance(e, Proxy))
    sim.stories = net.stories = []
    ups = [Dialog(sim, proxy.back, 8080 + k // pool, ("upstream", k), close=None)
           for k in range(tries * pool)]
    for k, up in enumerate(ups):
        Dialog.serve(net.server, up.server_port)
        up.connect(START - 300 * MS, proxy.back.address(), 51000 + k, net.server.address(),
                   up.server_port)
    legs = []
    for i in range(4):
        if i % 2 == 0:
            down = Dialog(sim, net.client, 80, ("down", i), close=None)
            Dialog.serve(proxy.front, 80)
            down.connect(at(i), net.client.address(), 45000 + i, proxy.front.address(), 80)
        id_ = ("X-Request-ID: %s" % mark(i),)
        q = down.step(CLIENT, l7.get("/%d" % i, headers=id_), 30 * MS)
        asked = []
        for k in range(tries):
            up = ups[k * pool + i // 2 % pool]
            up_q = up.step(CLIENT, l7.get("/%d" % i, host="backend", headers=id_ + (
                "X-Forwarded-For: 10.1.0.10", "Via: 1.1 proxy")), after=[])
            up_q.armed = True           # sent by the proxy below
            answer = l7.response(("up", i), 8000) if k + 1 == tries else \
                l7.response(("up", i), 80, status="503 Service Unavailable")
            asked.append((up, up_q, up.step(SERVER, answer, 12 * MS, up_q)))
        r = down.step(SERVER, l7.response(("up", i), 8000, headers=("Via: 1.1 proxy",)), 0)
        r.armed = True
        legs.append((down, q, r, asked))

    def relay(conn, got):
        """Client's side: a request is whole; a while later it goes upstream."""
        for down, q, _, asked in legs:
            if q.at and not hasattr(q, "relayed") and down.ends.get(SERVER) is conn and \
                    down.got[SERVER] >= q.at[1]:
                q.relayed = True
                sim.after(hold, asked[0][0].send, asked[0][1])

    def give_back(conn, got):
        for down, _, r, asked in legs:
            for k, (up, _, up_r) in enumerate(asked):
                if up.ends[CLIENT] is conn and up_r.at and not hasattr(up_r, "relayed") and \
                        got >= up_r.at[1]:
                    up_r.relayed = True
                    if k + 1 == tries:
                        down.send(r)
                    else:
                        asked[k + 1][0].send(asked[k + 1][1])
    for down in {id(leg[0]): leg[0] for leg in legs}.values():
        down.on_data[SERVER] = relay
    for up in ups:
        up.on_data[CLIENT] = give_back
    net.finish()
    for i, (down, q, r, asked) in enumerate(legs):
        stories = [Story("http", down.flow, *spoken(down, q, r))]
        stories += [Story("http", up.flow, *spoken(up, up_q, up_r)) for up, up_q, up_r in asked]
        if i % 2 == 0:
            stories[0].phases.insert(0, connect(sim, down.flow))
        for (up, _, _), story in zip(asked, stories[1:]):
            if not hasattr(up, "told"):
                up.told = True
                story.phases.insert(0, connect(sim, up.flow))
        net.stories += stories
    return net


def residence(ms):
    """A check: each request of the client is joined with the proxy's own."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        rows = {r["transaction"]: r for r in answer.report.get("phases", ())}
        out = []
        for row in rows.values():
            if not row["client"].startswith("10.1.0.10:"):
                continue
            name = "transaction %s: " % row["transaction"]
            other = rows.get(row.get("upstream"), {})
            if not other.get("client", "").startswith("198.51.100.2:") or \
                    other.get("path") != row.get("path") or \
                    other.get("downstream") != row["transaction"]:
                out.append(name + "upstream is %s" % row.get("upstream"))
                continue
            if abs(row.get("proxy_s", 0) - ms / 1e3) > 1e-4:
                out.append(name + "proxy_s %s, not %s" % (row.get("proxy_s"), ms / 1e3))
            split = next(p["split"] for p in row["phases"] if p["name"] == "server")
            if abs(split.get("proxy_s", 0) + split.get("upstream_s", 0) -
                   split["server_s"]) > 2e-9 or abs(split.get("proxy_s", 0) - ms / 1e3) > 1e-4:
                out.append(name + "split %s" % split)
        return out or ([] if rows else ["no rows"])
    return check


def alone(truth, answer):
    """A check: of no request it is said which one the proxy made of it."""
    if answer.made_from_truth:
        return []
    return ["transaction %s: upstream is %s" % (r["transaction"], r["upstream"])
            for r in answer.report["phases"] if "upstream" in r]


def made_for(truth, answer):
    """A check: each of the proxy's requests names the one for which it was made."""
    if answer.made_from_truth:
        return []
    rows = {r["transaction"]: r for r in answer.report["phases"]}
    return ["transaction %s: downstream is %s" % (r["transaction"], r.get("downstream"))
            for r in rows.values() if r["client"].startswith("198.51.100.2:") and
            rows.get(r.get("downstream"), {}).get("path") != r["path"]]


def in_turn(i):
    return START + i * 300 * MS


@scenario("L16", "reverse proxy that holds requests for 35 ms", drops=0, order="any",
          checks=[residence(35)])
def l16(seed):
    return reverse_proxy(seed, lambda i: "7e0%d-%d" % (i, seed), in_turn)


@scenario("L16b", "two clients' requests with one id at the same time", drops=0, order="any",
          checks=[alone])
def l16b(seed):
    return reverse_proxy(seed, lambda i: "same", lambda i: START + i * 5 * MS, pool=2)


@scenario("L16c", "a proxy that asks a second server when the first one refuses", drops=0,
          order="any", checks=[alone, made_for])
def l16c(seed):
    return reverse_proxy(seed, lambda i: "7e0%d-%d" % (i, seed), in_turn, tries=2)


@scenario("L16d", "one id, one request after the other; the proxy's clock is two hours behind",
          drops=0, order="any", checks=[residence(8)])
def l16d(seed):
    return reverse_proxy(seed, lambda i: "trace-%d" % seed, in_turn, hold=8 * MS,
                         clocks=dict(CLOCKS, fw=dict(offset=-7200 * SEC, drift_ppb=40_000)))


def walk(element):
    while element is not None:
        yield element
        element = element.nbr[1]


# What limits a bulk transfer.

def main_cause(cause, least):
    """A check: of all waiting in the download of row 0, this cause has at least that share of its
    duration."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        download = phase_of(answer, 0, "download")
        stalls = {}
        for s in download.get("stalls", ()):
            stalls[s["cause"]] = stalls.get(s["cause"], 0) + s["time_s"]
        top = max(stalls, key=stalls.get, default=None)
        share = stalls.get(cause, 0) / (download.get("duration_s") or 1)
        return [] if top == cause and share >= least else [
            "download waits for %s, not for %s (%.2f)" % (stalls, cause, share)]
    return check


@scenario("L17", "bulk transfer in slow start", drops=0,
          checks=[main_cause("congestion", 0.6), window(0, "download", 0, 0)])
def l17(seed):
    return web(l_net(seed), size=1_500_000, options=dict(window=1 << 22, quickack=False))


@scenario("L17b", "bulk transfer into a window of 20 kB", drops=0,
          checks=[main_cause("receiver", 0.7), window(0, "download", 0, 672)])
def l17b(seed):
    return web(l_net(seed), size=600_000, options=dict(window=20_480, quickack=False))


@scenario("L17c", "the server's program writes 10 kB every 50 ms", drops=0,
          checks=[main_cause("application", 0.7)])
def l17c(seed):
    net = l_net(seed)
    d = dialog(net, 80, "web")
    q = d.step(CLIENT, l7.get("/slow"))
    body = l7.response("slow", 200_000)
    parts = [d.step(SERVER, body[i:i + 10_000], 20 * MS if i == 0 else 50 * MS)
             for i in range(0, len(body), 10_000)]
    net.finish()
    q0, q1 = first_byte(d, q), whole(d, q)
    r0, r1 = first_byte(d, parts[0]), whole(d, parts[-1])
    net.stories.append(Story("http", "web", connect(net.sim, "web"), Phase("request", q0, q1),
                             Phase("server", q1, r0), Phase("download", r0, r1)))
    return net


# Protocols that become others.  Their phases must be there, in this order; more may be.

@scenario("L18", "SMTP with STARTTLS", drops=0, phP=0)
def l18(seed):
    net = l_net(seed)
    d = dialog(net, 587, "smtp", close=MS)
    hello = d.step(SERVER, b"220 mail.example.com ESMTP ready\r\n", 5 * MS)
    ehlo = d.step(CLIENT, b"EHLO client.example.com\r\n", MS)
    able = d.step(SERVER, b"250-mail.example.com\r\n250-PIPELINING\r\n250 STARTTLS\r\n", 2 * MS)
    start = d.step(CLIENT, b"STARTTLS\r\n", MS)
    go = d.step(SERVER, b"220 2.0.0 Ready to start TLS\r\n", 2 * MS)
    tls, ready = later(d, go, tls13)
    q, r = exchange(d, sealed("ehlo", 30), sealed("able", 90), 4 * MS, after=ready)
    net.finish()
    assert hello.at and ehlo.at and able.at and start.at
    net.stories.append(Story("smtp", "smtp", connect(net.sim, "smtp"), tls_phase(d, tls),
                             *spoken(d, q, r), anywhere=True))
    return net


def later(d, after, shake, **kw):
    """The steps of a TLS handshake that begins when `after` has arrived."""
    steps, ready = shake(d, **kw)
    steps[0].after, steps[0].wait = [after], MS
    return steps, ready


@scenario("L18b", "CONNECT through a proxy, then TLS 1.2", drops=0, phP=0)
def l18b(seed):
    net = l_net(seed)
    d = dialog(net, 3128, "proxy")
    d.step(CLIENT, b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n")
    go = d.step(SERVER, b"HTTP/1.1 200 Connection established\r\n\r\n", 33 * MS)
    tls, ready = later(d, go, tls12)
    q, r = exchange(d, sealed("get", 200), sealed("body", 12_000), 25 * MS, after=ready)
    net.finish()
    net.stories.append(Story("https", "proxy", connect(net.sim, "proxy"), tls_phase(d, tls),
                             *spoken(d, q, r), anywhere=True))
    return net


@scenario("L18c", "WebSocket: upgrade, then frames in both directions", drops=0, phP=0)
def l18c(seed):
    net = l_net(seed)
    d = dialog(net, 80, "ws")
    q, r = exchange(d, l7.get("/chat", headers=(
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
        l7.response("ws", 0, status="101 Switching Protocols", headers=(
            "Connection: Upgrade", "Upgrade: websocket",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")), 9 * MS)
    for i in range(3):
        d.step(CLIENT, b"\x81\x85" + l7.content("ws", i, size=9), 20 * MS)
        d.step(SERVER, b"\x81\x05hello", 3 * MS)
    net.finish()
    net.stories.append(Story("http", "ws", connect(net.sim, "ws"), *spoken(d, q, r),
                             anywhere=True))
    return net


# Pages: many transactions, and captures of which something is missing.

def page(seed, conns=8, each=25, clocks=None, prepare=None, begin=START, secure=False):
    """A page through a firewall that translates: points nic, fwi, fwo, srv."""
    merged = dict(nic={}, fwi=CLOCKS["fw"], fwo=CLOCKS["fw"], srv=CLOCKS["srv"])
    for name, more in (clocks or {}).items():
        merged[name] = dict(merged[name], **more)
    net = build(seed, ["nic", 2 * MS, "router", "fwi", 50 * US, lambda n: Box(n.sim, Nat(
        n.sim, ["fwi", "fwo"], "pat", pat_rule(n.sim, PUBLIC))), "fwo", 10 * MS, "router", "srv"],
        clocks=merged, **V4)
    net.sim.stories = net.stories = []
    if prepare:
        prepare(net)
    rng = net.sim.rng
    Dialog.serve(net.server, 443 if secure else 80)
    ready = []
    for i in range(conns):
        flow = ("page", i)
        d = Dialog(net.sim, net.client, 443 if secure else 80, flow, close=5 * MS)
        d.connect(begin + i * 3 * MS, net.client.address(), 46000 + i, net.server.address(),
                  d.server_port)
        tls, last = tls13(d, ("page", i), psk=i > 0) if secure else ((), ())
        pairs = []
        for k in range(each):
            size = 200 + rng.below(4000 if k % 5 else 60_000)
            wait = 3 * MS + rng.below(40_000) * US
            think = rng.below(8000) * US if k else 0
            if secure:
                q, r = sealed((flow, k, "q"), 250 + rng.below(200)), sealed((flow, k, "r"), size)
            else:
                q, r = l7.get("/%d/%d" % (i, k)), l7.response((flow, k), size, chunk=900 * (k % 3 == 2))
            pairs.append(exchange(d, q, r, wait, think, last))
            last = pairs[-1][1]
        ready.append((d, tls, pairs))
    net.finish()
    for d, tls, pairs in ready:
        for k, (q, r) in enumerate(pairs):
            story = Story("https" if secure else "http", d.flow, *spoken(d, q, r))
            if k == 0 and tls:
                story.phases.insert(0, tls_phase(d, tls))
            if k == 0:
                story.phases.insert(0, connect(net.sim, d.flow))
            net.stories.append(story)
    return net


@scenario("L19", "page of 200 transactions over 8 connections through NAT", drops=0)
def l19(seed):
    return page(seed)


@scenario("L19b", "the same, encrypted", drops=0)
def l19b(seed):
    return page(seed, secure=True)


def lose(count):
    """Loses segments with data, once each, on both links and in both directions."""
    def prepare(net):
        rng = net.sim.rng
        for link in (net.links[0], net.links[-1]):
            left = {(("page", rng.below(8)), rng.below(2), 3 + rng.below(60)) for _ in range(count)}

            def drop(pkt, d, n, left=left):
                key = (pkt.flow, d, pkt.data_n)
                if key in left:
                    left.discard(key)
                    return True
                return None
            link.drop = drop
    return prepare


for variant in range(3):
    @scenario("L20" + "abc"[variant], "page with losses")
    def l20(seed, variant=variant):
        return page(seed + 100 * variant, prepare=lose(12))


@scenario("L21", "page: headers only at the firewall and at the server", drops=0)
def l21(seed):
    return page(seed, clocks={n: dict(snaplen=68) for n in ("fwi", "fwo", "srv")})


@scenario("L21b", "encrypted page: 96 bytes of each frame at all points", drops=0, phR=0)
def l21b(seed):
    """What can still be said must be right."""
    return page(seed, secure=True, clocks={n: dict(snaplen=96)
                                           for n in ("nic", "fwi", "fwo", "srv")})


@scenario("L22", "capture begins after the handshakes", drops=0, latency=None)
def l22(seed):
    """The programs wait for 200 ms after connecting; all points start in that time."""
    net = l_net(seed, clocks={n: dict(dict(CLOCKS.get(n, {})), window=(START + 100 * MS, None))
                              for n in ("nic", "fw", "srv")})
    d = dialog(net, 80, "web")
    last, pairs = (), []
    for i in range(6):
        pairs.append(exchange(d, l7.get("/%d" % i), l7.response(i, 7000), 25 * MS,
                              200 * MS if i == 0 else 10 * MS, last))
        last = pairs[-1][1]
    net.finish()
    net.stories += [Story("http", "web", *spoken(d, q, r)) for q, r in pairs]
    return net


@scenario("L22b", "capture begins between TLS handshake and request", drops=0)
def l22b(seed):
    net = l_net(seed, clocks={n: dict(dict(CLOCKS.get(n, {})), window=(START + 100 * MS, None))
                              for n in ("nic", "fw", "srv")})
    d = dialog(net, 443, "https")
    _, ready = tls13(d)
    q, r = exchange(d, sealed("request", 300), sealed("response", 9000), 30 * MS, 200 * MS, ready)
    q2, r2 = second(d, r)[0]
    net.finish()
    net.stories += [Story("https", "https", *spoken(d, q, r)),
                    Story("https", "https", *spoken(d, q2, r2))]
    return net


@scenario("L23", "srv records only what the client sends", drops=0, latency=None)
def l23(seed):
    """Turns cannot be measured there: what lies behind fw is one."""
    net = l_net(seed, clocks={"srv": dict(CLOCKS["srv"], accept=lambda pkt, d: d == CLIENT)})
    return web(net, count=5)


@scenario("L23b", "all points record only what the server sends", drops=0, order="any",
          latency=None, phR=0)
def l23b(seed):
    one_way = dict(accept=lambda pkt, d: d == SERVER)
    net = l_net(seed, clocks={n: dict(CLOCKS.get(n, {}), **one_way) for n in ("nic", "fw", "srv")})
    return web(net, count=5)


def six(seed, apart=False, **kw):
    """A lookup over IPv4, a connection over IPv6."""
    net = l_net(seed, left=("10.1.0.10", "2001:db8:1::10"),
                right=("203.0.113.5", "203.0.113.6", "2001:db8:2::5"), **kw)
    d = Dialog(net.sim, net.client, 80, "web", options=dict(ts=False, sack=False),
               server_options=dict(ts=False, sack=False), close=MS)
    Dialog.serve(net.server, 80)
    ask(net, rtype=28)
    d.connect(START, net.client.address(6), 45000, net.server.address(6), 80)
    q, r = exchange(d, l7.get("/"), l7.response("six", 50_000), 15 * MS)
    net.finish()
    web = Story("http", "web", connect(net.sim, "web"), *spoken(d, q, r))
    dns = lookup(net.resolver, "dns")
    if apart:
        net.stories.append(Story("dns", "dns", dns))
    else:
        web.phases.insert(0, dns)
    net.stories.append(web)
    return net


@scenario("L24", "IPv6 without time stamps, looked up over IPv4", drops=0)
def l24(seed):
    return six(seed)


@scenario("L24b", "the same, seen behind a router only: nobody knows whether it is one host",
          drops=0)
def l24b(seed):
    return six(seed, apart=True, clocks=dict(nic=dict(accept=lambda pkt, d: False)))
