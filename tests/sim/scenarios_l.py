# SPDX-License-Identifier: GPL-2.0-or-later
"""L: transactions and their phases.  nic -2 ms router- fw -10 ms router- srv; clocks far off.

A scenario's `ms` is what the catalogue says of its phases, in milliseconds:
{(row, phase): (duration, nic-fw, fw-srv, server, client)}; None: not said.
"""
import l7
from app import CLIENT, SERVER, Dialog, Resolver
from net import MS, SEC, US
from story import (Phase, Several, Story, connect, first_byte, lookup, part, transactions,
                   whole)
from topo import build, data_once, packets_of, scenario

CLOCKS = {"fw": dict(offset=1700 * MS, drift_ppb=25_000),
          "srv": dict(offset=-400 * MS, drift_ppb=-30_000)}
V4 = dict(left=("10.1.0.10", "10.1.0.11"), right=("203.0.113.5", "203.0.113.6"))
NAME = "www.example.com"
START = SEC


def l_net(seed, *extra, **kw):
    """extra: what lies behind fw, besides the router."""
    for key, value in V4.items():
        kw.setdefault(key, value)
    clocks = dict(CLOCKS, **kw.pop("clocks", {}))
    net = build(seed, ["nic", 2 * MS, "router", "fw", *extra, 10 * MS, "router", "srv"],
                clocks=clocks, **kw)
    net.l_fw, net.l_srv = net.links[0], net.links[-1]
    net.sim.stories = net.stories = []
    net.resolver = Resolver(net.server, {NAME: ("203.0.113.5", "2001:db8:2::5")})
    return net


def catalogue(**expected):
    """A check on the simulator: phase=(duration, nic-fw, fw-srv, server, client) of row 0, or
    phase_N of row N."""
    def check(truth, answer):
        out = []
        told = transactions(truth)
        for key, want in expected.items():
            name, _, row = key.partition("_")
            facts = next((f for p, f in told[int(row or 0)][2] if p.name == name), None)
            if facts is None:
                out.append("simulator: no phase %s" % key)
                continue
            got = (facts["duration"], facts["seg"].get((0, 1)), facts["seg"].get((1, 2)),
                   facts["server"], facts["client"])
            for what, a, b in zip(("duration", "nic-fw", "fw-srv", "server", "client"), got, want):
                if b is not None and a != round(b * MS):
                    out.append("simulator: %s %s %s, catalogue %s ms" % (key, what, a, b))
        return out
    return check


def row_of(answer, number):
    rows = answer.report.get("phases", ())
    return rows[number] if number < len(rows) else {}


def phase_of(answer, number, name):
    return next((p for p in row_of(answer, number).get("phases", ()) if p["name"] == name), {})


def says(number, **expected):
    """A check on the engine: keys of a row of `phases`, such as tls="1.3"."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        row = row_of(answer, number)
        return ["row %d: %s is %s, not %s" % (number, k, row.get(k), v)
                for k, v in expected.items() if row.get(k) != v]
    return check


def phase_says(number, name, **expected):
    """The same for keys of one phase."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        phase = phase_of(answer, number, name)
        return ["row %d, %s: %s is %s, not %s" % (number, name, k, phase.get(k), v)
                for k, v in expected.items() if phase.get(k) != v]
    return check


def stalled(number, name, cause, ms, slack=1.0, **more):
    """A check: a phase names the cause of its waiting, with its time and more keys of it."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        stalls = phase_of(answer, number, name).get("stalls", ())
        for s in stalls:
            if s.get("cause") == cause and abs(s.get("time_s", 0) * 1e3 - ms) <= slack and \
                    all(s.get(k) == v for k, v in more.items()):
                return []
        return ["row %d, %s: stalls %s, not %s %s ms %s" % (number, name, list(stalls), cause, ms,
                                                            more or "")]
    return check


def window(number, name, zero_ms, limited_ms, slack=0.1):
    """A check: how long the receiver's window was closed, and limited the sender."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        room = phase_of(answer, number, name).get("window", {})
        return ["row %d, %s: window %s is %s, not %s ms" % (number, name, key, room.get(key), ms)
                for key, ms in (("zero_s", zero_ms), ("limited_s", limited_ms))
                if abs(room.get(key, -1) * 1e3 - ms) > slack]
    return check


def split(number, name, **ms):
    """A check: parts of a phase's split, such as client_s=800."""
    def check(truth, answer):
        if answer.made_from_truth:
            return []
        got = phase_of(answer, number, name).get("split", {})
        return ["row %d, %s: %s is %s, not %s ms" % (number, name, key, got.get(key), want)
                for key, want in ms.items() if abs(got.get(key, -1) * 1e3 - want) > 0.1]
    return check


def dialog(net, port, flow, lport=45000, at=START, close=MS, **kw):
    """A connection from the client to a port of the server; the caller adds the steps."""
    d = Dialog(net.sim, net.client, port, flow, close=close, **kw)
    Dialog.serve(net.server, port)
    d.connect(at, net.client.address(), lport, net.server.address(), port)
    return d


def ask(net, at=START - 100 * MS, flow="dns", port=53001, ident=0x1234, **kw):
    net.resolver.ask(net.client, flow, port, ident, NAME, at, **kw)


def exchange(d, request, response, wait, think=0, after=None):
    """A request and its response, `wait` after it; returns the two steps."""
    ask_step = d.step(CLIENT, request, think, after)
    return ask_step, d.step(SERVER, response, wait, ask_step)


def spoken(d, q, r, q_from=0, r_from=0):
    """The phases request, server and download of two steps."""
    q0, q1 = part(d, q, q_from, len(q))
    r0, r1 = part(d, r, r_from, len(r))
    return [Phase("request", q0, q1), Phase("server", q1, r0), Phase("download", r0, r1)]


# TLS.

def tls12(d, key="tls", resumed=False, server=(1500 * US, MS), client=1500 * US):
    """The steps of a handshake; returns (marks of the phase, step after which data may flow)."""
    session = bytes(range(32)) if resumed else None
    hello = d.step(CLIENT, l7.client_hello(key, tls13=False, session=session))
    if resumed:
        flight = d.step(SERVER, l7.record(l7.HANDSHAKE, l7.server_hello(key, False, session)) +
                        l7.ccs() + l7.finished12((key, "s")), server[0], hello)
        end = d.step(CLIENT, l7.ccs() + l7.finished12((key, "c")), client, flight)
        return (hello, flight, end), end
    flight = d.step(SERVER, l7.server_flight12(key), server[0], hello)
    keys = d.step(CLIENT, l7.client_flight12(key), client, flight)
    end = d.step(SERVER, l7.ticket12(key) + l7.ccs() + l7.finished12((key, "s")), server[1], keys)
    return (hello, flight, keys, end), end


def tls13(d, key="tls", psk=False, retry=None, server=2500 * US, client=1500 * US, tickets=0,
          padding=0):
    """As tls12.  retry: waiting time of the server before a HelloRetryRequest."""
    session = l7.content("session", key, size=32)
    steps = []
    hello = d.step(CLIENT, l7.client_hello(key, psk=psk, group=24 if retry is not None else 29,
                                           padding=padding))
    steps.append(hello)
    if retry is not None:
        again = d.step(SERVER, l7.retry13(key, session), retry, hello)
        hello = d.step(CLIENT, l7.ccs() + l7.client_hello(key, psk=psk, first=False), 500 * US,
                       again)
        steps += [again, hello]
    flight = d.step(SERVER, l7.server_flight13(key, session, psk), server, hello)
    end = d.step(CLIENT, l7.client_finished13(key, retry is None), client, flight)
    if tickets:
        d.step(SERVER, l7.tickets13(key, tickets), 300 * US, end)
    return tuple(steps + [flight, end]), end


def tls_phase(d, steps, **info):
    return Phase("tls", first_byte(d, steps[0]), *(whole(d, s) for s in steps), **info)


def sealed(key, size):
    return l7.sealed(key, size)


def https(net, shake, wait=30 * MS, size=20_000, dns=True, then=None, **kw):
    """DNS, connect, TLS, a request and its response.  shake(d) adds the handshake's steps."""
    d = dialog(net, 443, "https", **kw)
    if dns:
        ask(net)
    steps, ready = shake(d)
    q, r = exchange(d, sealed("request", 300), sealed("response", size), wait, after=ready)
    more = then(d, r) if then else ()
    net.finish()
    story = Story("https", "https")
    if dns:
        story.phases.append(lookup(net.resolver, "dns"))
    story.phases += [connect(net.sim, "https"), tls_phase(d, steps)] + spoken(d, q, r)
    net.stories.append(story)
    for q2, r2 in more:
        net.stories.append(Story("https", "https", *spoken(d, q2, r2)))
    return net


def second(d, r):
    """A second request on the same connection, 80 ms later."""
    return [exchange(d, sealed("request 2", 500), sealed("response 2", 9000), 45 * MS,
                     think=80 * MS, after=r)]


@scenario("L01", "TLS 1.2, full handshake", drops=0, checks=[
    catalogue(tls=(52, 8, 40, 2.5, 1.5), dns=(24, 4, 20, 0, 0), connect=(24, 4, 20, 0, 0),
              server=(54, 4, 20, 30, 0)), says(0, tls="1.2")])
def l01(seed):
    return https(l_net(seed), tls12, then=second)


@scenario("L02", "TLS 1.3", drops=0, checks=[catalogue(tls=(28, 4, 20, 2.5, 1.5)),
                                             says(0, tls="1.3")])
def l02(seed):
    return https(l_net(seed), tls13, then=second)


@scenario("L02b", "TLS 1.3 with tickets behind the handshake and a hello of two segments", drops=0,
          checks=[catalogue(tls=(28, 4, 20, 2.5, 1.5))])
def l02b(seed):
    return https(l_net(seed), lambda d: tls13(d, tickets=2, padding=1500), then=second)


@scenario("L03", "TLS 1.2, resumed", drops=0, checks=[
    catalogue(tls=(27, 4, 20, 1.5, 1.5)), says(0, tls="1.2", tls_resumed=True)])
def l03(seed):
    return https(l_net(seed), lambda d: tls12(d, resumed=True), then=second)


@scenario("L03b", "TLS 1.3, resumed with a pre-shared key", drops=0, checks=[
    catalogue(tls=(28, 4, 20, 2.5, 1.5)), says(0, tls="1.3", tls_resumed=True)])
def l03b(seed):
    return https(l_net(seed), lambda d: tls13(d, psk=True), then=second)


@scenario("L04", "TLS 1.3 with the request in the first flight", drops=0, checks=[
    catalogue(tls=(28, 4, 20, 2.5, 1.5), server=(46.5, 4, 20, 22.5, 0)),
    says(0, tls="1.3", tls_early_data=True)])
def l04(seed):
    net = l_net(seed)
    d = dialog(net, 443, "https")
    key = "early"
    hello = l7.client_hello(key, psk=True, early=True)
    early = l7.ccs() + sealed("early request", 300)
    q = d.step(CLIENT, hello + early)
    flight = d.step(SERVER, l7.server_flight13(key, l7.content("session", key, size=32), True),
                    2500 * US, q)
    # EndOfEarlyData and Finished.
    end = d.step(CLIENT, sealed((key, "eoed"), 4) + l7.client_finished13(key, False), 1500 * US,
                 flight)
    r = d.step(SERVER, sealed("response", 20_000), 22500 * US, q)
    net.finish()
    q0, q1 = part(d, q, len(hello) + 6, len(q))
    tls = Phase("tls", first_byte(d, q), whole(d, q, len(hello)), whole(d, flight),
                whole(d, end))
    net.stories.append(Story("https", "https", connect(net.sim, "https"), tls,
                             Phase("request", q0, q1), Phase("server", q1, first_byte(d, r)),
                             Phase("download", first_byte(d, r), whole(d, r))))
    return net


@scenario("L05", "TLS 1.3 with a HelloRetryRequest", drops=0, checks=[
    catalogue(tls=(53, 8, 40, 3, 2)), says(0, tls="1.3", tls_retry=True)])
def l05(seed):
    return https(l_net(seed), lambda d: tls13(d, retry=500 * US), then=second)


# DNS.

@scenario("L06", "slow resolver", drops=0, checks=[catalogue(dns=(204, 4, 20, 180, 0))])
def l06(seed):
    net = l_net(seed)
    net.resolver.wait = 180 * MS
    return web(net, dns=True, at=START + 300 * MS)


@scenario("L06b", "DNS query lost behind fw and repeated after a second", drops=1, checks=[
    catalogue(dns=(1024, 4, 1020, 0, 0)), phase_says(0, "dns", retransmissions=1)])
def l06b(seed):
    net = l_net(seed)
    net.l_srv.drop = packets_of("dns", CLIENT, (0,))
    ask(net, tries=(0, SEC))
    return web(net, at=START + SEC, story_dns=True)


@scenario("L06d", "DNS query to A lost behind fw beside an answered one to AAAA", drops=1, checks=[
    catalogue(dns=(1024, 4, 1020, 0, 0)), phase_says(0, "dns", retransmissions=1)])
def l06d(seed):
    net = l_net(seed)
    net.l_srv.drop = packets_of("dns", CLIENT, (0,))
    ask(net, tries=(0, SEC))
    net.resolver.ask(net.client, "dns6", 53002, 0x77, NAME, START - 100 * MS, rtype=28)
    return web(net, at=START + SEC, story_dns=True)


@scenario("L06c", "A and AAAA asked side by side; a name that does not exist", drops=0,
          checks=[catalogue(dns=(31, 4, 20, 7, 0))])
def l06c(seed):
    net = l_net(seed)
    net.resolver.table[NAME] = (7 * MS, ("203.0.113.5",), {"cname": "web.example.net"})
    net.resolver.ask(net.client, "dns6", 53002, 0x77, NAME, START - 100 * MS, rtype=28)
    net.resolver.table["nowhere.example.com"] = (MS, (), {"rcode": 3})
    net.resolver.ask(net.client, "dns-no", 53003, 0x78, "nowhere.example.com", START - 300 * MS)
    net = web(net, dns=True)
    net.stories.insert(0, Story("dns", "dns-no", lookup(net.resolver, "dns-no")))
    net.expect["checks"] = [catalogue(dns_1=(31, 4, 20, 7, 0), dns=(25, 4, 20, 1, 0))]
    return net


# HTTP.

def web(net, wait=50 * MS, size=20_000, dns=False, story_dns=False, at=START, count=1, close=MS,
        response=None, **kw):
    """HTTP/1.1 requests, one after the other, 20 ms apart."""
    d = dialog(net, 80, "web", at=at, close=close, **kw)
    if dns:
        ask(net, START - 100 * MS)
    pairs, last = [], ()
    for i in range(count):
        body = response(i) if response else l7.response(("web", i), size)
        pairs.append(exchange(d, l7.get("/%d" % i), body, wait, 20 * MS if i else 0, last))
        last = pairs[-1][1]
    net.finish()
    story = Story("http", "web", connect(net.sim, "web"), *spoken(d, *pairs[0]))
    if dns or story_dns:
        story.phases.insert(0, lookup(net.resolver, "dns"))
    net.stories.append(story)
    for q, r in pairs[1:]:
        net.stories.append(Story("http", "web", *spoken(d, q, r)))
    net.dialog = d
    return net


@scenario("L07", "slow server", drops=0, checks=[catalogue(server=(524, 4, 20, 500, 0))])
def l07(seed):
    return web(l_net(seed), wait=500 * MS)


@scenario("L07b", "keep-alive: ten requests, responses in chunks, without body and by length",
          drops=0)
def l07b(seed):
    def response(i):
        return (l7.response(("web", i), 3000, chunk=700) if i % 3 == 0 else
                l7.response(("web", i), 0, status="304 Not Modified") if i % 3 == 1 else
                l7.response(("web", i), 30_000))
    return web(l_net(seed), count=10, response=response)


@scenario("L07c", "upload of 60 kB, and 100-continue", drops=0)
def l07c(seed):
    net = l_net(seed)
    d = dialog(net, 80, "web")
    post = l7.get("/upload", method="POST", body=l7.content("upload", size=60_000))
    q, r = exchange(d, post, l7.response("ok", 10), 40 * MS)
    body = l7.content("put", size=4000)
    head = l7.get("/put", method="PUT", headers=("Expect: 100-continue",
                                                 "Content-Length: %d" % len(body)))
    q2 = d.step(CLIENT, head, 10 * MS, r)
    go = d.step(SERVER, l7.response("go", 0, status="100 Continue"), 2 * MS, q2)
    q3 = d.step(CLIENT, body, 0, go)
    r2 = d.step(SERVER, l7.response("done", 200, status="201 Created"), 30 * MS, q3)
    net.finish()
    net.stories.append(Story("http", "web", connect(net.sim, "web"), *spoken(d, q, r)))
    net.stories.append(Story(
        "http", "web", Phase("request", first_byte(d, q2), whole(d, q3), judge_split=False),
        Phase("server", whole(d, q3), first_byte(d, r2)),
        Phase("download", first_byte(d, r2), whole(d, r2))))
    return net


def stop_reading(net, d, who, start, pause):
    """The program takes nothing from `start` bytes on, for a while after its window of 60 kB has
    closed."""
    state = {}

    def slow(conn, got):
        if state.get("done") or got < start:
            return
        left = start + 60_000 - got
        conn.window = left if left >= conn.mss else 0
        if conn.window == 0 and "closed" not in state:
            state["closed"] = net.sim.now
            net.sim.after(pause, reopen, conn)

    def reopen(conn):
        state["done"] = True
        conn.set_window(60_000)
    d.on_data[who] = slow


@scenario("L08", "reader stops for 800 ms", drops=0, checks=[
    stalled(0, "download", "receiver", 824, 0.1), window(0, "download", 800, 848),
    split(0, "download", client_s=800, server_s=96)])
def l08(seed):
    net = l_net(seed)
    d = dialog(net, 80, "web", options=dict(window=60_000), close=None)
    q, r = exchange(d, l7.get("/big"), l7.response("big", 200_000), 20 * MS)
    stop_reading(net, d, CLIENT, 100_000, 800 * MS)
    net.finish()
    story = Story("http", "web", connect(net.sim, "web"), *spoken(d, q, r))
    story.phases[-1].info["judge_split"] = False
    net.stories.append(story)
    return net


def lossy(seed, drop, size=20_000, link="l_fw", **kw):
    """A response of which the client's side of fw loses segments."""
    net = l_net(seed)
    getattr(net, link).drop = drop
    return web(net, size=size, **kw)


@scenario("L09", "last segment lost fw > nic, retransmission timer 212 ms", drops=1, checks=[
    stalled(0, "download", "loss", 212, 0.1, stalls=1, lost_after="fw", lost_before="nic"),
    phase_says(0, "download", retransmissions=1)])
def l09(seed):
    # 20 kB and the header are 14 segments: the last one is number 13.
    net = lossy(seed, data_once(SERVER, (13,), "web"), server_options=dict(rto_min=188 * MS))
    return net


@scenario("L09b", "fast retransmission, lost srv > fw", drops=2)
def l09b(seed):
    return lossy(seed, data_once(SERVER, (3, 4), "web"), link="l_srv", size=60_000)


@scenario("L09c", "the request is lost nic > fw, and sent again", drops=1)
def l09c(seed):
    return lossy(seed, packets_of("web", CLIENT, (2,)))


@scenario("L08b", "the server's program stops reading an upload for 300 ms", drops=0, checks=[
    split(0, "request", server_s=300)])
def l08b(seed):
    net = l_net(seed)
    d = dialog(net, 80, "web", server_options=dict(window=60_000, quickack=True), close=None)
    q, r = exchange(d, l7.get("/in", method="POST", body=l7.content("up", size=150_000)),
                    l7.response("ok", 500), 20 * MS)
    stop_reading(net, d, SERVER, 70_000, 300 * MS)
    net.finish()
    story = Story("http", "web", connect(net.sim, "web"), *spoken(d, q, r))
    story.phases[1].info["judge_split"] = False
    net.stories.append(story)
    return net


@scenario("L10", "three requests in a pipeline; the first response is slow", drops=0)
def l10(seed):
    net = l_net(seed)
    d = dialog(net, 80, "web")
    qs = [d.step(CLIENT, l7.get("/%d" % i), 0, ()) for i in range(3)]
    rs = [d.step(SERVER, l7.response(i, 5000), 300 * MS, qs[0]) for i in range(1)]
    for i in (1, 2):
        rs.append(d.step(SERVER, l7.response(i, 5000), 0, [qs[i], rs[i - 1]]))
    net.finish()
    net.stories.append(Story("http", "web", connect(net.sim, "web"), *spoken(d, qs[0], rs[0])))
    for i in (1, 2):
        # Its server phase begins when the response before it has ended: what came earlier is
        # no time of this request's own.
        q0, q1 = part(d, qs[i], 0, len(qs[i]))
        net.stories.append(Story(
            "http", "web", Phase("request", q0, q1),
            Phase("server", whole(d, rs[i - 1]), first_byte(d, rs[i]), judge_split=False),
            Phase("download", first_byte(d, rs[i]), whole(d, rs[i]))))

    def blocked(truth, answer):
        if answer.made_from_truth:
            return []
        first = row_of(answer, 0)
        out = []
        for i in (1, 2):
            row = row_of(answer, i)
            if row.get("blocked_by") not in (first.get("transaction"),
                                             row_of(answer, i - 1).get("transaction")):
                out.append("row %d: blocked_by is %s" % (i, row.get("blocked_by")))
            if abs(row.get("blocked_s", 0) - 0.324) > 0.001:
                out.append("row %d: blocked_s is %s, not 0.324" % (i, row.get("blocked_s")))
        return out
    net.expect["checks"] = [blocked]
    return net


def h2(net, sizes=(30_000, 30_000, 30_000), waits=(20 * MS, 35 * MS, 50 * MS), **kw):
    """HTTP/2 in clear: preface and three requests at once; responses as they get ready."""
    d = dialog(net, 80, "h2", server_options=dict(iw=80), **kw)
    streams = (1, 3, 5)
    hello = d.step(CLIENT, l7.PREFACE + l7.h2_settings())
    d.step(SERVER, l7.h2_settings(), 0, ())
    qs = [d.step(CLIENT, l7.h2_get(s, "/s%d" % s), 0, hello) for s in streams]
    d.step(SERVER, l7.h2_settings(True), 0, hello)
    frames = []
    for s, q, wait, size in zip(streams, qs, waits, sizes):
        parts = l7.h2_response(s, "h2", size)
        # The first frame after the waiting time, the others 5 ms apart: streams interleave.
        frames.append([d.step(SERVER, parts[0] + parts[1], wait, q)] +
                      [d.step(SERVER, p, wait + (i + 1) * 5 * MS, q)
                       for i, p in enumerate(parts[2:])])
    net.finish()
    for n, (q, r) in enumerate(zip(qs, frames)):
        begin, end = first_byte(d, r[0]), Several(*(whole(d, part) for part in r))
        story = Story("h2", "h2", Phase("request", first_byte(d, q), whole(d, q)),
                      Phase("server", whole(d, q), begin), Phase("download", begin, end))
        if n == 0:
            story.phases.insert(0, connect(net.sim, "h2"))
        net.stories.append(story)
    return net


@scenario("L11", "HTTP/2, three streams, one loss", drops=1, shared=True)
def l11(seed):
    net = l_net(seed)
    net.l_fw.drop = data_once(SERVER, (25,), "h2")
    return h2(net)


@scenario("L11b", "HTTP/2 without loss", drops=0, checks=[catalogue(
    server=(44, 4, 20, 20, 0), server_1=(59, 4, 20, 35, 0), server_2=(74, 4, 20, 50, 0))])
def l11b(seed):
    return h2(l_net(seed))


@scenario("L11c", "HTTP/2, one stream after the other, 103 before each, trailers", drops=0, checks=[
    catalogue(server=(64, 4, 20, 40, 0), server_1=(84, 4, 20, 60, 0), server_2=(54, 4, 20, 30, 0))])
def l11c(seed):
    net = l_net(seed)
    d = dialog(net, 80, "h2", server_options=dict(iw=80))
    before = d.step(CLIENT, l7.PREFACE + l7.h2_settings())
    d.step(SERVER, l7.h2_settings() + l7.h2_settings(True), 0, before)
    exchanges = []
    # 103 in Huffman's code, and then from the table that the first one has made an entry of.
    for stream, wait, early in ((1, 40 * MS, b"\x48\x82\x08\x19"), (3, 60 * MS, b"\xbe"),
                                (5, 30 * MS, b"\xbe")):
        q = d.step(CLIENT, l7.h2_get(stream, "/s%d" % stream), 0, before)
        d.step(SERVER, l7.h2_frame(l7.H2_HEADERS, l7.END_HEADERS, stream, early), 10 * MS, q)
        head, body = l7.h2_response(stream, "h2", 5000)
        if stream == 5:                         # END_STREAM stands on the trailers
            body = body[:4] + b"\0" + body[5:] + l7.h2_frame(
                l7.H2_HEADERS, l7.END_HEADERS | l7.END_STREAM, stream, b"\xbf")
        before = d.step(SERVER, head + body, wait, q)
        exchanges.append((q, before))
    net.finish()
    for n, (q, r) in enumerate(exchanges):
        net.stories.append(Story("h2", "h2", *([connect(net.sim, "h2")] if n == 0 else []),
                                 *spoken(d, q, r)))
    return net


# Connecting.

@scenario("L13", "SYN lost nic > fw", drops=1, checks=[
    catalogue(connect=(1024, 1004, 20, 0, 0)), phase_says(0, "connect", retransmissions=1)])
def l13(seed):
    return lossy(seed, packets_of("web", CLIENT, (0,)))


@scenario("L15", "two small writes: Nagle's algorithm meets a delayed acknowledgement", drops=0)
def l15(seed):
    net = l_net(seed)
    d = dialog(net, 80, "web", options=dict(nagle=True))
    request = l7.get("/form", method="POST", body=b"x" * 200)
    head = d.step(CLIENT, request[:-200], 0, ())
    tail = d.step(CLIENT, request[-200:], 0, head)
    r = d.step(SERVER, l7.response("form", 4000), 10 * MS, tail)
    net.finish()
    net.stories.append(Story(
        "http", "web", connect(net.sim, "web"),
        Phase("request", first_byte(d, head), whole(d, tail), judge_split=False),
        Phase("server", whole(d, tail), first_byte(d, r)),
        Phase("download", first_byte(d, r), whole(d, r))))
    net.expect["checks"] = [catalogue(request=(64, None, None, None, None)),
                            stalled(0, "request", "delayed-ack", 40, 0.1)]
    return net
