#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Captures that are empty, cut, alien or large in interfaces: a table or a clear word, no crash.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark python3 jq
corr_user_begin "$CORR_BUILD"
chmod 755 "$T"
cd "$T"
python "$T" <<'END'
import random, struct, pcapng as p

def frame(n, hop=0):
    """A UDP datagram that n names; each hop takes one from its TTL."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 36, n, 0, 64 - hop, 17, 0,
                       bytes([10, 0, 0, 1]), bytes([10, 9, 0, 2]))
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + head[12:]
    return (bytes([2, 0, 0, 0, hop, 2]) + bytes([2, 0, 0, 0, hop, 1]) + b"\x08\x00" + head +
            struct.pack(">HHHH", 1000, 2000, 16, 0) + struct.pack(">Q", n))

def write(name, interfaces, packets, link=1):
    with open(name, "wb") as out:
        out.write(p.section_header())
        for label in interfaces:
            out.write(p.Interface(link, 262144, ([(2, label.encode())] if label else []) +
                                  [(9, b"\x09")]).block())
        for number, time, data, wire in packets:
            out.write(p.enhanced(number, 10**18 + time, data, wire))

def hops(count):
    return sorted((i, n * 10**7 + i * 10**5, frame(n, i), None)
                  for n in range(1, 21) for i in range(count))

def by_time(packets):
    return sorted(packets, key=lambda packet: packet[1])

write("empty.pcapng", ["lan"], [])
write("no-interface.pcapng", [], [])
write("one.pcapng", ["lan"], hops(1))
write("two.pcapng", ["lan", "wan"], by_time(hops(2)))
write("64.pcapng", ["point%d" % i for i in range(64)], by_time(hops(60)))
write("same-names.pcapng", ["eth0"] * 3, by_time(hops(3)))
write("no-names.pcapng", [""] * 3, by_time(hops(3)))
write("no-ip.pcapng", ["lan", "wan"], by_time(
    [(i, n * 10**7 + i, bytes([255] * 6 + [2, 0, 0, 0, 0, 1]) + b"\x88\xb5" +
      struct.pack(">I", n) * 12, None) for n in range(9) for i in range(2)]))
# Cut after every length: a frame of no bytes at all is legal.
write("snapped.pcapng", ["lan", "wan"], by_time(
    [(i, n * 10**7 + i, frame(n, i)[:n], 50) for n in range(50) for i in range(2)]))
write("usb.pcapng", ["lan", "wan"], by_time(hops(2)), 189)
write("link-unknown.pcapng", ["lan", "wan"], by_time(hops(2)), 250)
# All at one time, backwards, before 1970 as far as pcapng knows, and at its very end.
write("same-time.pcapng", ["lan", "wan"], [(i, 0, d, w) for i, t, d, w in by_time(hops(2))])
write("backwards.pcapng", ["lan", "wan"], by_time(hops(2))[::-1])
write("far.pcapng", ["lan", "wan"], [(i, t if i else -10**18 + t, d, w)
                                     for i, t, d, w in by_time(hops(2))])
data = open("two.pcapng", "rb").read()
open("cut.pcapng", "wb").write(data[:len(data) * 2 // 3 - 3])
random.seed(1)
write("noise.pcapng", ["lan", "wan"], [(n % 2, n * 1000, random.randbytes(n % 97 + 1), None)
                                       for n in range(400)])
broken = []
for i, t, d, w in by_time(hops(2)):
    d = bytearray(d)
    d[random.randrange(12, len(d))] ^= 1 << random.randrange(8)
    broken.append((i, t, bytes(d), w))
write("bits.pcapng", ["lan", "wan"], broken)
END
chmod 644 ./*.pcapng

# A table of each format and the fields, in one pass and in two.
try() {
    local wanted=$1 file=$2
    title "$file"
    expect "$wanted" corr_tshark -q -r "$T/$file" -z corr,report
    hasnt err 'Err |assert|CRITICAL|WARNING|Dissector bug|core dumped'
    has out .
    cp "$T/out" "$T/onepass"
    expect "$wanted" corr_tshark -2 -q -r "$T/$file" -z corr,report
    same "$T/onepass" "$T/out"
    expect "$wanted" corr_tshark -q -r "$T/$file" -z corr,report,json
    jq -e '.points | type == "array"' "$T/out" >"$T/jq" 2>&1 || fail "no JSON with points"
    cp "$T/out" "$T/json"
    expect "$wanted" corr_tshark -2 -r "$T/$file" -V
    hasnt out 'Dissector bug|Malformed.*corr'
    hasnt err 'Err |assert|CRITICAL|Dissector bug'
}
points() { jq -r '[.points[].name] | join(" ")' "$T/json"; }

try 0 empty.pcapng
try 0 no-interface.pcapng
try 0 one.pcapng
[ "$(points)" = lan ] || fail "points: $(points)"
[ "$(jq '.segments | length' json)" = 0 ] || fail "one point cannot have segments"
[ "$(jq '.drops | length' json)" = 0 ] || fail "one point cannot have drops"
try 0 two.pcapng
[ "$(points)" = "lan wan" ] || fail "points: $(points)"
[ "$(jq '.drops | length' json)" = 0 ] || fail "nothing was dropped"
corr_tshark -2 -r "$T/two.pcapng" -Y 'corr.match_count == 2' 2>/dev/null >matched || true
[ "$(wc -l <matched)" -eq 40 ] || fail "$(wc -l <matched) of 40 frames are matched"
try 0 64.pcapng
[ "$(jq '[.points[] | select(.frames == 20)] | length' json)" = 60 ] || fail "60 points have 20"
corr_tshark -2 -r "$T/64.pcapng" -Y 'corr.match_count == 60' 2>/dev/null >matched || true
[ "$(wc -l <matched)" -eq 1200 ] || fail "$(wc -l <matched) of 1200 frames are matched"
try 0 same-names.pcapng
[ "$(points)" = "eth0 eth0#2 eth0#3" ] || fail "points: $(points)"
try 0 no-names.pcapng
[ "$(points)" = "if0 if1 if2" ] || fail "points: $(points)"
try 0 no-ip.pcapng
try 0 snapped.pcapng
try 0 usb.pcapng
try 0 link-unknown.pcapng
try 0 same-time.pcapng
try 0 backwards.pcapng
try 0 far.pcapng
try 0 noise.pcapng
try 0 bits.pcapng
# tshark has a status of its own for a file cut short (2, later 14); the tables show what was read.
own=0
corr_tshark_plain -q -r "$T/cut.pcapng" >"$T/out" 2>"$T/err" || own=$?
[ "$own" -ne 0 ] || fail "tshark itself does not mind a file that is cut short"
try "$own" cut.pcapng
has err 'cut short'
finish
