# SPDX-License-Identifier: GPL-2.0-or-later
"""Applications: TCP ends that send given bytes, and dialogs of steps with exact waiting times."""
from tcp import Tcp
from l7 import dns_answer, dns_query
from packets import ip

CLIENT, SERVER = 1, 0


class AppTcp(Tcp):
    """A TCP end with a byte stream of its own.

    nagle       hold a small segment back while data is unacknowledged (RFC 896)
    """

    def __init__(self, *args, nagle=False, **kw):
        self.stream = bytearray()
        self.nagle = nagle
        super().__init__(*args, **kw)

    def bytes_of(self, a, b):
        return bytes(self.stream[a:b])

    def emit(self, a, b, flags, **kw):
        tx = super().emit(a, b, flags, **kw)
        if b > a:
            self.sim.txs[tx]["stream"] = (a, b)
        return tx

    def write(self, data):
        self.stream += data
        self.send(len(data))

    def push(self):
        rest = self.total - self.nxt
        if self.nagle and 0 < rest < self.mss and self.una < self.nxt:
            return
        super().push()

    def set_window(self, size):
        """A new receive window, and the segment that says so."""
        self.window = size
        self.emit(self.nxt, self.nxt, 0x10)


class Step:
    """Bytes that one end sends: `wait` after all of `after` has reached it (or been sent by it)."""

    def __init__(self, who, data, wait=0, after=None):
        self.who, self.data, self.wait, self.after = who, data, wait, after
        self.at = None          # (first byte, end) in the sender's stream, once sent

    def __len__(self):
        return len(self.data)


class Dialog:
    """A connection on which two programs follow a list of steps.

    A step without `after` follows the step before it in the list; the first ones follow the end of
    the handshake.  flow must be the dialog's own: it is how the server's end finds it.
    options, server_options     of AppTcp
    """

    OPEN = {}                   # flow -> dialog, of the simulation that runs

    def __init__(self, sim, host, server_port, flow, options=None, server_options=None, close=None):
        self.sim, self.host, self.flow = sim, host, flow
        self.server_port = server_port
        self.options = dict(dict(quickack=True), **(options or {}))
        self.server_options = dict(server_options or {})
        self.steps, self.ends = [], {}
        self.close = close
        self.got = {CLIENT: 0, SERVER: 0}
        self.on_data = {CLIENT: None, SERVER: None}
        Dialog.OPEN[(id(sim), flow)] = self

    def step(self, who, data, wait=0, after=None):
        """after: a step, several, or () for the handshake."""
        if after is None:
            after = self.steps[-1:]
        made = Step(who, data, wait, [after] if isinstance(after, Step) else list(after))
        self.steps.append(made)
        return made

    def connect(self, at, local, lport, remote, rport):
        conn = AppTcp(self.host, self.flow, local, lport, remote, rport, client=True,
                      on_event=self.event, **self.options)
        self.ends[CLIENT] = conn
        self.sim.at(at, conn.connect)
        return conn

    @staticmethod
    def serve(host, port):
        """Lets the host accept every dialog on a port."""
        def accept(pkt):
            dialog = Dialog.OPEN[(id(host.sim), pkt.flow)]
            conn = AppTcp(host, pkt.flow, pkt.dst, port, pkt.src, pkt.sport, client=False,
                          on_event=dialog.event, **dialog.server_options)
            dialog.ends[SERVER] = conn
            return conn
        host.listen[port] = accept

    def event(self, conn, what, value):
        if what == "connected":
            self.ready(CLIENT if conn.client else SERVER)
        elif what == "data":
            who = CLIENT if conn.client else SERVER
            self.got[who] = value
            self.ready(who)
            if self.on_data[who]:
                self.on_data[who](conn, value)

    def ready(self, who):
        """Starts what `who` may send now."""
        for step in self.steps:
            if step.who != who or step.at is not None or getattr(step, "armed", False):
                continue
            if all(self.has(who, other) for other in step.after):
                step.armed = True
                if step.wait:
                    self.sim.after(step.wait, self.send, step)
                else:
                    self.send(step)
        if self.close is not None and all(s.at for s in self.steps) and who == CLIENT and \
                all(self.has(who, s) for s in self.steps if s.who != who):
            self.sim.after(self.close, self.ends[CLIENT].close)
            self.close = None

    def has(self, who, step):
        if step.at is None:
            return False
        return step.who == who or self.got[who] >= step.at[1]

    def send(self, step):
        conn = self.ends[step.who]
        step.at = (conn.total, conn.total + len(step.data))
        conn.write(step.data)
        self.ready(step.who)


class Resolver:
    """Answers DNS queries by a table: {name: address or (waiting time, addresses, keywords)}."""

    def __init__(self, host, table, wait=0):
        self.host, self.table, self.wait = host, table, wait
        self.queries = {}       # flow -> transmissions of its queries
        self.answers = {}
        host.udp[53] = self.query

    def query(self, pkt):
        labels, at = [], 12
        while pkt.payload[at]:
            labels.append(pkt.payload[at + 1:at + 1 + pkt.payload[at]].decode())
            at += 1 + pkt.payload[at]
        entry = self.table.get(".".join(labels), ())
        rtype = int.from_bytes(pkt.payload[at + 1:at + 3], "big")
        wait, addresses, more = self.wait, entry, {}
        if entry and isinstance(entry[0], int) and not isinstance(entry, bytes):
            wait, addresses, more = entry
        if isinstance(addresses, str):
            addresses = (addresses,)
        chosen = [a for a in map(ip, addresses) if len(a) == (4 if rtype == 1 else 16)]
        body = dns_answer(pkt.payload, *chosen, **more)
        self.host.sim.after(wait, self.answer, pkt, body)

    def answer(self, pkt, body):
        tx = self.host.send_udp(pkt.flow, pkt.dst, pkt.dport, pkt.src, pkt.sport, body)
        self.answers.setdefault(pkt.flow, []).append(tx)

    def ask(self, client, flow, port, ident, name, at, rtype=1, tries=(0,), source=None):
        """Sends a query at `at`, and again that much later for each of `tries`."""
        source = source or client.address()

        def send():
            tx = client.send_udp(flow, source, port, self.host.address(4, 1), 53,
                                 dns_query(ident, name, rtype))
            sent = self.queries.setdefault(flow, [])
            if sent:
                client.sim.txs[tx]["rexmit_of"] = sent[0]
            sent.append(tx)
        for delay in tries:
            client.sim.at(at + delay, send)
