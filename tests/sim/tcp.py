# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP sender and receiver: handshake, windows, delayed ACKs, SACK, recovery.

Modelled on what Linux puts on the wire: option order, one IP identification
per MSS segment, ID 0 on SYN-ACK, quick or delayed ACKs, retransmission timer
of at least 200 ms.  Congestion control is plain slow start and halving.
"""
from hosts import content
from net import MS, SEC, Pkt
from packets import ACK, FIN, PSH, RST, SYN, TCP


class Tcp:
    """One end of a connection.

    mss       payload bytes per segment
    tso       segments per frame that the sender hands to its network card
    iw        initial congestion window in segments
    pace      least time between two frames sent, 0 for none
    on_event  callable(conn, what, value): "connected", "data" (bytes so far), "closed"
    """

    def __init__(self, host, flow, local, lport, remote, rport, client, mss=1448, ts=True,
                 sack=True, tso=1, iw=10, pace=0, delack=40 * MS, quickack=False, window=1 << 20,
                 rto_min=200 * MS, on_event=None, key=None, isn=None, tlp=False):
        self.host, self.sim, self.flow = host, host.sim, flow
        self.local, self.lport, self.remote, self.rport = local, lport, remote, rport
        self.client = client
        self.mss, self.ts, self.sack, self.tso = mss, ts, sack, tso
        self.adv_mss = mss + (12 if ts else 0)
        self.delack, self.quickack, self.rto_min = delack, quickack, rto_min
        self.window = window
        self.on_event = on_event or (lambda conn, what, value: None)
        rng = self.sim.rng
        self.isn = rng.below(1 << 32) if isn is None else isn
        self.ts_base = rng.below(1 << 31)
        self.ts_recent = 0
        self.content_key = (key or flow, client)
        self.cache = b""
        self.state = "closed"
        self.closed = False
        # Stream offsets from 0; the SYN is not counted.
        self.una = self.nxt = self.total = 0
        self.fin_queued = self.fin_sent = False
        self.cwnd = iw * mss
        self.ssthresh = 1 << 60
        self.pace, self.pace_until, self.pace_armed = pace, 0, False
        self.peer_window, self.peer_scale = 65535, 0
        self.rcv, self.irs = 0, None
        self.ooo, self.sack_blocks = [], []
        self.sacked = []
        self.dups = 0
        self.recover, self.resent_to = None, 0
        self.unacked = 0
        self.ack_timer = self.rto_timer = 0
        self.rto_backoff = 0
        self.srtt = None
        self.timed = {}
        self.sent = []            # (a, b, tx) in order of sending
        self.data_count = 0
        self.peer_fin = None

    # Sending.

    def bytes_of(self, a, b):
        if len(self.cache) < b:
            self.cache = content("stream", *self.content_key, size=max(b, self.total, 4096))
        return self.cache[a:b]

    def now_ts(self):
        return self.ts_base + self.sim.now // MS

    def options(self, syn=False):
        opts = []
        if syn:
            opts.append(("mss", self.adv_mss))
            if self.sack:
                opts.append(("sackok",))
        if self.ts:
            opts.append(("ts", self.now_ts(), self.ts_recent))
        if syn:
            opts.append(("ws", 7))
        if self.sack_blocks and not syn and self.sack:
            limit = 3 if self.ts else 4
            base = self.irs + 1
            opts.append(("sack", [(base + a, base + b) for a, b in self.sack_blocks[:limit]]))
        return tuple(opts)

    def emit(self, a, b, flags, rexmit_of=None, ctl="", syn=False):
        size = b - a
        segments = max(1, -(-size // self.mss))
        key = (self.local, self.lport, self.remote, self.rport)
        if flags & RST or (syn and flags & ACK):
            ipid = 0
        else:
            ipid = self.host.next_id(key, segments)
        seq = self.isn + (0 if syn else 1) + a
        win = min(65535, self.window if syn else self.window >> 7)
        pkt = Pkt(src=self.local, dst=self.remote, proto=TCP, sport=self.lport, dport=self.rport,
                  seq=seq & 0xFFFFFFFF, flags=flags, win=win, opts=self.options(syn), ipid=ipid,
                  ack=0 if self.irs is None else (self.irs + 1 + self.rcv +
                                                  (1 if self.peer_fin is not None and
                                                   self.rcv >= self.peer_fin else 0)),
                  payload=self.bytes_of(a, b) if size else b"", flow=self.flow, mss=self.mss)
        if size:
            if rexmit_of is None:          # only first transmissions are numbered
                pkt.data_n = self.data_count
                self.data_count += segments
        if flags & ACK:
            self.unacked = 0
            self.ack_timer += 1
        tx = self.host.send(pkt, size, ctl or ("DATA" if size else "ACK"), rexmit_of)
        return tx

    def connect(self):
        self.state = "syn-sent"
        self.host.tcp[(self.local, self.lport, self.remote, self.rport)] = self
        self.send_syn(0)

    def send_syn(self, attempt):
        if self.state not in ("syn-sent", "syn-received") or attempt > 4 or self.closed:
            return
        flags = SYN | (ACK if self.state == "syn-received" else 0)
        first = getattr(self, "syn_tx", None)
        tx = self.emit(0, 0, flags, rexmit_of=first, ctl="SYN" if self.client else "SYN-ACK",
                       syn=True)
        if first is None:
            self.syn_tx = tx
        self.sim.after(SEC << attempt, self.send_syn, attempt + 1)

    def send(self, size):
        self.total += size
        if self.state == "open":
            self.push()

    def close(self):
        self.fin_queued = True
        self.push()

    def push(self):
        """Sends what window, congestion window and pacing allow."""
        while self.state == "open" and self.nxt < self.total:
            room = min(self.cwnd, self.peer_window) - (self.nxt - self.una - self.sacked_bytes())
            chunk = min(self.mss * self.tso, self.total - self.nxt)
            if room < min(chunk, self.mss):
                return
            if chunk > room:
                chunk = room // self.mss * self.mss
                if chunk == 0:
                    return
            if self.pace and self.sim.now < self.pace_until:
                if not self.pace_armed:
                    self.pace_armed = True
                    self.sim.at(self.pace_until, self.paced)
                return
            a, b = self.nxt, self.nxt + chunk
            self.nxt = b
            flags = ACK | (PSH if b == self.total else 0)
            self.timed[b] = self.sim.now
            self.pace_until = self.sim.now + self.pace
            self.sent.append((a, b, self.emit(a, b, flags)))
            self.arm_rto()
        if self.fin_queued and not self.fin_sent and self.nxt == self.total and \
                self.state == "open":
            self.fin_sent = True
            self.fin_tx = self.emit(self.nxt, self.nxt, FIN | ACK, ctl="FIN")
            self.arm_rto()

    def paced(self):
        self.pace_armed = False
        self.push()

    def sacked_bytes(self):
        return sum(b - max(a, self.una) for a, b in self.sacked if b > self.una)

    # Recovery.

    def arm_rto(self):
        self.rto_timer += 1
        srtt = self.srtt if self.srtt is not None else SEC
        wait = max(self.rto_min, self.rto_min + srtt) << self.rto_backoff
        if self.srtt is None:
            wait = SEC << self.rto_backoff
        self.sim.after(wait, self.on_rto, self.rto_timer)

    def original_of(self, a, b):
        for x, y, tx in self.sent:
            if x < b and a < y:
                return tx
        return None

    def resend(self, a, b):
        """Sends [a, b) again, in frames of at most tso segments."""
        while a < b:
            end = min(b, a + self.mss * self.tso)
            flags = ACK | (PSH if end == self.total else 0)
            tx = self.emit(a, end, flags, rexmit_of=self.original_of(a, end))
            self.sent.append((a, end, tx))
            self.timed = {}
            a = end

    def holes(self):
        """Ranges below the highest SACKed byte that are not SACKed."""
        out, at = [], self.una
        for a, b in sorted(self.sacked):
            if a > at:
                out.append((at, a))
            at = max(at, b)
        return out

    def repair(self):
        if not self.sack:
            self.resend(self.una, min(self.una + self.mss, self.nxt))
            return
        for a, b in self.holes():
            a = max(a, self.resent_to)
            above = sum(min(y, self.nxt) - x for x, y in self.sacked if x >= b)
            if a < b and above >= 3 * self.mss:
                self.resend(a, b)
                self.resent_to = b

    def on_rto(self, timer):
        if timer != self.rto_timer or self.closed:
            return
        if self.una >= self.nxt and not (self.fin_sent and not getattr(self, "fin_acked", False)):
            return
        if self.rto_backoff > 5:
            return
        self.rto_backoff += 1
        self.ssthresh = max(2 * self.mss, (self.nxt - self.una) // 2)
        self.cwnd = self.mss
        self.recover, self.resent_to = self.nxt, self.una
        if self.una < self.nxt:
            end = min([a for a, _ in self.sacked if a > self.una] +
                      [self.una + self.mss, self.nxt])
            self.resend(self.una, end)
            self.resent_to = end
        else:
            self.emit(self.nxt, self.nxt, FIN | ACK, rexmit_of=self.fin_tx, ctl="FIN")
        self.arm_rto()

    # Receiving.

    def receive(self, pkt):
        if self.closed or pkt.flags & RST:
            if pkt.flags & RST:
                self.closed = True
                self.on_event(self, "reset", 0)
            return
        for o in pkt.opts:
            if o[0] == "ts":
                self.ts_recent = o[1]
        if pkt.flags & SYN:
            self.receive_syn(pkt)
            return
        if self.irs is None:
            return
        if self.state == "syn-received":
            self.open()
        self.peer_window = pkt.win << 7
        if pkt.flags & ACK:
            self.receive_ack(pkt)
        if pkt.payload:
            self.receive_data(pkt)
        if pkt.flags & FIN:
            self.receive_fin(pkt)

    def receive_syn(self, pkt):
        self.irs = pkt.seq
        for o in pkt.opts:
            if o[0] == "mss":
                self.mss = min(self.mss, o[1] - (12 if self.ts else 0))
        names = [o[0] for o in pkt.opts]
        self.sack = self.sack and "sackok" in names
        self.ts = self.ts and "ts" in names
        if self.state == "closed":
            self.state = "syn-received"
            self.send_syn(0)
        elif self.state == "syn-sent":
            self.srtt = None
            self.open()
            self.emit(0, 0, ACK)
            self.on_event(self, "connected", 0)
        elif self.state == "open":
            self.emit(self.nxt, self.nxt, ACK)

    def open(self):
        self.state = "open"
        if not self.client:
            self.on_event(self, "connected", 0)

    def receive_ack(self, pkt):
        offset = (pkt.ack - self.isn - 1) & 0xFFFFFFFF
        offset += (self.una >> 32) << 32
        if self.fin_sent and offset == self.total + 1:
            self.fin_acked = True
            offset = self.total
            if self.peer_fin is not None and self.rcv >= self.peer_fin:
                self.finish()
        for o in pkt.opts:
            if o[0] == "sack":
                for a, b in o[1]:
                    base = self.isn + 1
                    self.add_sacked((a - base) & 0xFFFFFFFF, (b - base) & 0xFFFFFFFF)
        if offset > self.una and offset <= self.nxt:
            for end in [e for e in self.timed if e <= offset]:
                sample = self.sim.now - self.timed.pop(end)
                self.srtt = sample if self.srtt is None else (7 * self.srtt + sample) // 8
            acked = offset - self.una
            self.una = offset
            self.sacked = [(a, b) for a, b in self.sacked if b > offset]
            self.dups = 0
            self.rto_backoff = 0
            if self.recover is not None and self.una >= self.recover:
                self.recover = None
                self.cwnd = max(self.ssthresh, self.mss) if self.ssthresh < 1 << 60 else self.cwnd
            elif self.recover is None:
                self.cwnd += acked if self.cwnd < self.ssthresh else \
                    max(1, self.mss * acked // self.cwnd)
            if self.una < self.nxt:
                self.arm_rto()
            else:
                self.rto_timer += 1
        elif offset == self.una and self.una < self.nxt and not pkt.payload and \
                not pkt.flags & FIN:
            self.dups += 1
        if self.recover is None and self.dups >= 3:
            self.recover, self.resent_to = self.nxt, self.una
            self.ssthresh = max(2 * self.mss, (self.nxt - self.una) // 2)
            self.cwnd = max(self.ssthresh, self.mss)
            self.repair()
        elif self.recover is not None:
            if not self.sack and self.dups == 0 and self.una > self.resent_to - self.mss and \
                    self.una < self.recover:
                self.resend(self.una, min(self.una + self.mss, self.nxt))
            elif self.sack:
                self.resent_to = max(self.resent_to, self.una)
                self.repair()
                if self.una < self.recover and not self.sacked and self.rto_backoff == 0 and \
                        self.una >= self.resent_to and self.cwnd <= 2 * self.mss:
                    self.resend(self.una, min(self.una + self.mss, self.nxt))
                    self.resent_to = self.una + self.mss
        self.push()

    def add_sacked(self, a, b):
        if b <= self.una:
            return
        merged = []
        for x, y in sorted(self.sacked + [(a, b)]):
            if merged and x <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(y, merged[-1][1]))
            else:
                merged.append((x, y))
        self.sacked = merged

    def receive_data(self, pkt):
        a = (pkt.seq - self.irs - 1) & 0xFFFFFFFF
        b = a + len(pkt.payload)
        segments = max(1, len(pkt.payload) // self.mss)
        if a > self.rcv:
            self.ooo = sorted(self.ooo + [(a, b)])
            self.make_sack(a, b)
            self.emit(self.nxt, self.nxt, ACK)
            return
        had_holes = bool(self.ooo)
        if b <= self.rcv:
            self.emit(self.nxt, self.nxt, ACK)
            return
        self.rcv = b
        while self.ooo and self.ooo[0][0] <= self.rcv:
            self.rcv = max(self.rcv, self.ooo.pop(0)[1])
        self.sack_blocks = [(x, y) for x, y in self.sack_blocks if y > self.rcv]
        self.unacked += segments
        self.on_event(self, "data", self.rcv)
        if self.unacked == 0:
            return                  # the application's answer carried the ACK
        if self.unacked >= 2 or self.quickack or had_holes:
            self.emit(self.nxt, self.nxt, ACK)
        else:
            self.ack_timer += 1
            self.sim.after(self.delack, self.on_delack, self.ack_timer)

    def make_sack(self, a, b):
        merged = []
        for x, y in sorted(self.ooo):
            if merged and x <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(y, merged[-1][1]))
            else:
                merged.append((x, y))
        newest = [m for m in merged if m[0] <= a < m[1]]
        self.sack_blocks = newest + [m for m in reversed(merged) if m not in newest]

    def on_delack(self, timer):
        if timer == self.ack_timer and self.unacked and not self.closed:
            self.emit(self.nxt, self.nxt, ACK)

    def receive_fin(self, pkt):
        end = (pkt.seq - self.irs - 1 + len(pkt.payload)) & 0xFFFFFFFF
        if end > self.rcv:
            return
        again = self.peer_fin is not None
        self.peer_fin = end
        if not self.fin_sent:
            self.on_event(self, "fin", 0)
            self.fin_queued = True
            self.push()
        if self.unacked == 0 and self.fin_sent and not again and not self.client:
            return                  # our FIN carried the ACK
        self.emit(self.nxt + (1 if self.fin_sent else 0), self.nxt + (1 if self.fin_sent else 0),
                  ACK)
        if getattr(self, "fin_acked", False):
            self.finish()

    def finish(self):
        self.closed = True
        self.on_event(self, "closed", 0)


def serve(host, port, respond, **options):
    """Listens on a port.  respond(conn, received) is called for new data."""
    def accept(pkt):
        conn = Tcp(host, pkt.flow, pkt.dst, port, pkt.src, pkt.sport, client=False, **options)
        conn.on_event = lambda c, what, value: respond(c, value) if what == "data" else None
        return conn
    host.listen[port] = accept


def serve_requests(host, port, request=100, response=1000, processing=200_000, **options):
    """Answers every `request` bytes with `response` bytes after `processing`."""
    def respond(conn, received):
        done = getattr(conn, "answered", 0)
        while received // request > done:
            done += 1
            conn.sim.after(processing, conn.send, response)
        conn.answered = done
    serve(host, port, respond, **options)


def serve_bulk(host, port, size, request=100, processing=200_000, **options):
    """Answers the first request with size bytes."""
    serve_requests(host, port, request, size, processing, **options)


def transactions(host, flow, local, lport, remote, rport, n, response, start, request=100,
                 think=1_000_000, close=True, **options):
    """T(n, s): connect, n times request and response, close."""
    def event(conn, what, value):
        if what == "connected":
            conn.send(request)
        elif what == "data" and value == conn.done + response:
            conn.done = value
            if conn.quickack:
                conn.emit(conn.nxt, conn.nxt, ACK)
            if value < n * response:
                conn.sim.after(think, conn.send, request)
            elif close:
                conn.sim.after(think, conn.close)
    options.setdefault("quickack", True)
    conn = Tcp(host, flow, local, lport, remote, rport, client=True, on_event=event, **options)
    conn.done = 0
    host.sim.at(start, conn.connect)
    return conn
