# SPDX-License-Identifier: GPL-2.0-or-later
"""C: repacketised retransmissions and closed windows."""
from net import MS, SEC, US
from packets import ACK
from scenarios_b import rexmit_pairs
from scenarios_a import t_conns
from tcp import Tcp, serve_bulk, transactions
from topo import data_once, scenario, t5


@scenario("C07", "two lost segments sent again as one", drops=2, nat=0, checks=[rexmit_pairs])
def c07(seed):
    net = t5(seed)
    net.l_fw.drop = data_once(0, (3, 4))
    c, s = net.client, net.server

    def accept(pkt):
        conn = Tcp(s, pkt.flow, pkt.dst, 80, pkt.src, pkt.sport, client=False)

        def event(one, what, value):
            if what == "data" and value == 100:
                for i in range(30):
                    s.sim.after(MS + i * 500 * US, one.send, 700)
        conn.on_event = event
        return conn
    s.listen[80] = accept
    transactions(c, "w", c.address(), 45000, s.address(), 80, 1, 21000, SEC, quickack=False)
    t_conns(net, 3, 10, 500, port=81, first=46000)
    return net.finish()


@scenario("C15", "window closed for two seconds, three probes", drops=0, nat=0,
          checks=[rexmit_pairs])
def c15(seed):
    net = t5(seed)
    c, s = net.client, net.server
    serve_bulk(s, 80, 100_000, iw=40)
    conn = transactions(c, "z", c.address(), 45000, s.address(), 80, 1, 100_000, SEC,
                        quickack=False, think=4 * SEC)

    def zero():
        conn.window = 0
        conn.emit(conn.nxt, conn.nxt, ACK)
    closed = SEC + 500 * MS
    net.sim.at(closed, zero)

    def probe():
        peer = s.tcp[(s.address(), 80, c.address(), 45000)]
        peer.emit(peer.nxt - 1, peer.nxt - 1, ACK)
        net.sim.after(13 * MS, conn.emit, conn.nxt, conn.nxt, ACK)

    for wait in (200, 600, 1400):
        net.sim.at(closed + wait * MS, probe)

    def reopen():
        conn.window = 1 << 20
        conn.emit(conn.nxt, conn.nxt, ACK)
        peer = s.tcp[(s.address(), 80, c.address(), 45000)]
        net.sim.after(20 * MS, peer.send, 40_000)
    net.sim.at(closed + 2 * SEC, reopen)
    return net.finish()
