# SPDX-License-Identifier: GPL-2.0-or-later
"""L, at random: clients and servers that do what programs do, clocks that are hours off, losses."""
import l7
from app import CLIENT, SERVER, Dialog, Resolver
from net import MS, SEC, US
from scenarios_l import exchange, sealed, spoken, tls12, tls13, tls_phase
from story import Phase, Story, connect, first_byte, lookup, whole
from topo import build, scenario

HOUR = 3600 * SEC


class Talks:
    """A network of random delays, and connections of random kinds over it."""

    def __init__(self, seed, losses):
        self.near, self.far = 200 * US + seed * 700 % 9000 * US, 3 * MS + seed * 37 % 60 * MS
        net = self.net = build(
            seed, ["nic", self.near, "router", "fw", self.far, "router", "srv"],
            left=("10.1.0.10", "10.1.0.11"), right=("203.0.113.5", "203.0.113.6"))
        rng = self.rng = net.sim.rng
        for name in ("nic", "fw", "srv"):
            net.points[name].offset = (rng.below(8 * 3600) - 4 * 3600) * SEC + rng.below(10**9)
            net.points[name].drift_ppb = rng.below(100_001) - 50_000
        net.sim.stories = net.stories = []
        self.tellers = []
        self.resolver = Resolver(net.server, {})
        self.ports = 0
        if losses:
            for link in (net.links[0], net.links[-1]):
                link.drop = self.lose

    def lose(self, pkt, d, n):
        """One data segment of a hundred, once."""
        return pkt.payload and pkt.proto == 6 and self.rng.below(100) == 0 or None

    def wait(self, least=1, most=80):
        return least * MS + self.rng.below((most - least) * 1000) * US

    def one_of(self, *choices):
        return choices[self.rng.below(len(choices))]

    def dialog(self, port, at, **kw):
        self.ports += 1
        flow = ("talk", self.ports)
        d = Dialog(self.net.sim, self.net.client, port, flow, close=self.one_of(MS, 200 * MS, None),
                   **kw)
        d.began = at
        Dialog.serve(self.net.server, port)
        self.asked(d, at)
        d.connect(at, self.net.client.address(), 40000 + self.ports, self.net.server.address(),
                  port)
        return d

    def asked(self, d, at):
        """Every third connection follows a lookup of a name of its own."""
        d.lookup = None
        if self.rng.below(3):
            return
        name = "host%d.example.com" % self.ports
        answer = self.wait(1, 40)
        self.resolver.table[name] = (answer, ("203.0.113.5",), {})
        d.lookup = ("dns", self.ports)
        before = answer + 2 * (self.near + self.far) + self.wait(1, 8)
        self.resolver.ask(self.net.client, d.lookup, 50000 + self.ports, 1000 + self.ports, name,
                          at - before)

    def tell(self, kind, d, first, pairs, told=None):
        """Once all is over: the first phases, and then requests and responses."""
        def later():
            sim = self.net.sim
            for n, (q, r) in enumerate(pairs):
                phases = told(n, q, r) if told else spoken(d, q, r)
                story = Story(kind, d.flow, *phases)
                if n == 0:
                    story.phases[:0] = ([lookup(self.resolver, d.lookup)] if d.lookup else []) + \
                        [connect(sim, d.flow)] + first()
                self.net.stories.append(story)
        self.tellers.append((d, later))

    def web(self, at):
        d = self.dialog(80, at)
        pairs, last = [], ()
        for i in range(1 + self.rng.below(6)):
            body = l7.response((d.flow, i), self.rng.below(40_000), chunk=self.one_of(0, 0, 1300))
            if self.rng.below(4) == 0:
                body = l7.response((d.flow, i), 0, status="304 Not Modified")
            ask = l7.get("/%s/%d" % (d.flow[1], i))
            if self.rng.below(5) == 0:
                ask = l7.get("/up", method="POST", body=l7.content("up", i, size=3 + self.rng.below(20_000)))
            pairs.append(exchange(d, ask, body, self.wait(), self.wait(0, 60) if i else 0, last))
            last = pairs[-1][1]
        self.tell("http", d, list, pairs)

    def secure(self, at):
        d = self.dialog(443, at)
        kind = self.rng.below(6)
        server, client = self.wait(0, 6) + 1, self.wait(0, 3) + 1
        if kind < 2:
            steps, ready = tls12(d, d.flow, resumed=kind == 1, server=(server, client),
                                 client=client)
        else:
            steps, ready = tls13(d, d.flow, psk=kind == 3, retry=server if kind == 4 else None,
                                 server=server, client=client, tickets=2 * (kind == 5))
        pairs, last = [], ready
        for i in range(1 + self.rng.below(5)):
            q, r = exchange(d, sealed((d.flow, i, "q"), 200 + self.rng.below(900)),
                            sealed((d.flow, i, "r"), 500 + self.rng.below(60_000)), self.wait(),
                            self.wait(0, 60) if i else self.wait(0, 2), last)
            pairs.append((q, r))
            last = r
        self.tell("https", d, lambda: [tls_phase(d, steps)], pairs)

    def turns(self, at):
        """A protocol of which nobody knows a word."""
        d = self.dialog(7000, at)
        pairs, last = [], ()
        for i in range(1 + self.rng.below(6)):
            pairs.append(exchange(d, b"\0Q" + l7.content(d.flow, i, "q", size=4 + self.rng.below(3000)),
                                  b"\0R" + l7.content(d.flow, i, "r", size=4 + self.rng.below(30_000)),
                                  self.wait(), self.wait(0, 30) if i else 0, last))
            last = pairs[-1][1]
        self.tell("tcp", d, list, pairs)

    def run(self, n=24):
        for i in range(n):
            at = SEC + i * 40 * MS + self.rng.below(30_000) * US
            self.one_of(self.web, self.web, self.secure, self.secure, self.turns)(at)
        self.net.finish()
        for d, later in self.tellers:
            assert all(s.at for s in d.steps), d.flow
            later()
        return self.net


def random_talks(ident, seed_of, losses):
    @scenario(ident, "random transactions%s, clocks hours off" % (" and losses" if losses else ""),
              **({} if losses else dict(drops=0)))
    def make(seed):
        return Talks(seed * 10 + seed_of, losses).run()
    return make


for variant in range(3):
    random_talks("L25" + "abc"[variant], variant, False)
    random_talks("L26" + "abc"[variant], variant, True)
