# SPDX-License-Identifier: GPL-2.0-or-later
"""From struct Pkt to the bytes of a frame, with right checksums at every layer."""
import struct

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128


def ip(text):
    """Address bytes of IPv4 or IPv6 text."""
    import ipaddress
    return ipaddress.ip_address(text).packed


def ip_text(packed):
    import ipaddress
    return str(ipaddress.ip_address(packed))


def ones_sum(data):
    """Ones' complement sum of 16-bit words: the number modulo 65535 (RFC 1071)."""
    if len(data) & 1:
        data += b"\0"
    total = int.from_bytes(data, "big")
    return 0 if total == 0 else (total % 0xFFFF or 0xFFFF)


def fold(total):
    return 0 if total == 0 else (total % 0xFFFF or 0xFFFF)


def checksum(total):
    return 0xFFFF - fold(total)


def tcp_options(opts):
    out = b""
    for o in opts:
        if o[0] == "mss":
            out += struct.pack("!BBH", 2, 4, o[1])
        elif o[0] == "ws":
            out += struct.pack("!BBBB", 1, 3, 3, o[1])
        elif o[0] == "sackok":
            out += b"\4\2"
        elif o[0] == "ts":
            out += struct.pack("!BBII", 8, 10, o[1] & 0xFFFFFFFF, o[2] & 0xFFFFFFFF)
        elif o[0] == "sack":
            out += b"\1\1" + struct.pack("!BB", 5, 2 + 8 * len(o[1]))
            for a, b in o[1]:
                out += struct.pack("!II", a & 0xFFFFFFFF, b & 0xFFFFFFFF)
        elif o[0] == "nop":
            out += b"\1" * o[1]
    # Linux puts the padding in front of a lone time stamp.
    pad = -len(out) % 4
    if out[:1] == b"\x08" and pad == 2:
        return b"\1\1" + out
    return out + b"\1" * pad


def pseudo_sum(pkt, proto, length):
    return ones_sum(pkt.src) + ones_sum(pkt.dst) + proto + (length >> 16) + (length & 0xFFFF)


def l4_bytes(pkt, partial=False):
    if pkt.raw is not None:
        return pkt.raw
    if pkt.encap is not None:
        return tunnel_bytes(pkt)
    body = pkt.payload
    body_sum = ones_sum(body) if pkt.psum is None else pkt.psum
    if pkt.proto == TCP:
        opts = tcp_options(pkt.opts)
        offset = (20 + len(opts)) // 4
        head = struct.pack("!HHIIBBHHH", pkt.sport, pkt.dport, pkt.seq & 0xFFFFFFFF,
                           pkt.ack & 0xFFFFFFFF, offset << 4, pkt.flags, pkt.win, 0, 0) + opts
        pseudo = pseudo_sum(pkt, TCP, len(head) + len(body))
        ck = fold(pseudo) if partial else checksum(pseudo + ones_sum(head) + body_sum)
        return head[:16] + struct.pack("!H", ck) + head[18:] + body
    if pkt.proto == UDP:
        length = 8 + len(body)
        head = struct.pack("!HHHH", pkt.sport, pkt.dport, length & 0xFFFF, 0)
        pseudo = pseudo_sum(pkt, UDP, length)
        ck = fold(pseudo) if partial else (checksum(pseudo + ones_sum(head) + body_sum) or 0xFFFF)
        return head[:6] + struct.pack("!H", ck) + body
    if pkt.proto in (ICMP, ICMP6):
        rest = pkt.icmp_rest
        if pkt.itype in (0, 8, 128, 129):
            rest = struct.pack("!HH", pkt.sport, struct.unpack("!H", rest[2:4])[0])
        head = struct.pack("!BBH", pkt.itype, pkt.icode, 0) + rest
        total = ones_sum(head) + body_sum
        if pkt.proto == ICMP6:
            total += pseudo_sum(pkt, ICMP6, len(head) + len(body))
        return head[:2] + struct.pack("!H", checksum(total)) + head[4:] + body
    return body


def tunnel_bytes(pkt):
    """The IP payload of a tunnel packet: its own header and the inner packet."""
    kind, ident = pkt.encap[0], pkt.encap[1]
    inner = ip_bytes(pkt.inner)
    version = 0x0800 if len(pkt.inner.src) == 4 else 0x86DD
    if kind in ("vxlan", "geneve"):
        frame = pkt.inner.dmac + pkt.inner.smac + struct.pack("!H", version) + inner
        if kind == "vxlan":
            head = struct.pack("!II", 0x08000000, ident << 8)
        else:
            head = struct.pack("!BBHI", 0, 0, 0x6558, ident << 8)
        body = head + frame
    elif kind == "gtpu":
        body = struct.pack("!BBHI", 0x30, 0xFF, len(inner), ident) + inner
    elif kind == "gre":
        return struct.pack("!HH", 0, version) + inner
    elif kind == "ipip":
        return inner
    elif kind == "esp":
        # Ciphertext: as long as the inner packet, reproducible, different for each packet.
        import hashlib
        spi, number = ident, pkt.encap[2]
        cipher = hashlib.shake_128(b"%d/%d" % (spi, number)).digest(len(inner) + 32)
        return struct.pack("!II", spi, number) + cipher
    else:
        raise ValueError("tunnel kind %r" % kind)
    # Outer UDP checksum 0, as these tunnels usually have (RFC 7348, section 5).
    return struct.pack("!HHHH", pkt.sport, pkt.dport, 8 + len(body), 0) + body


def ip_bytes(pkt, partial=False):
    body = l4_bytes(pkt, partial)
    if len(pkt.src) == 16:
        return struct.pack("!IHBB", 6 << 28 | pkt.tos << 20 | pkt.flabel, len(body), pkt.proto,
                           pkt.ttl) + pkt.src + pkt.dst + body
    frag = (0x4000 if pkt.df else 0) | (0x2000 if pkt.frag_more else 0) | pkt.frag_off // 8
    head = struct.pack("!BBHHHBBH", 0x45, pkt.tos, (20 + len(body)) & 0xFFFF, pkt.ipid, frag,
                       pkt.ttl, pkt.proto, 0) + pkt.src + pkt.dst
    return head[:10] + struct.pack("!H", checksum(ones_sum(head))) + head[12:] + body


def frame_bytes(pkt, partial=False):
    out = pkt.dmac + pkt.smac
    for tpid, vid in pkt.vlans:
        out += struct.pack("!HH", tpid, vid)
    if pkt.ethertype is not None:
        return out + struct.pack("!H", pkt.ethertype) + pkt.payload
    if pkt.mpls:
        out += b"\x88\x47"
        for i, label in enumerate(pkt.mpls):
            last = 1 if i == len(pkt.mpls) - 1 else 0
            out += struct.pack("!I", label << 12 | last << 8 | 60)
    else:
        out += b"\x08\x00" if len(pkt.src) == 4 else b"\x86\xdd"
    return out + ip_bytes(pkt, partial)
