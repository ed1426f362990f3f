#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# corr-merge: one named interface per capture point, nothing lost, every mistake explained.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need python3 tshark capinfos editcap zstd lz4 jq
merge=$SCRIPTS/corr-merge
cd "$T"

# Frame n is a UDP datagram with n as its IP identification, at second n of its file.
python <<'END'
import struct, pcapng as p

def frame(n):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, n, 0, 64, 17, 0, bytes([10, 0, 0, 1]),
                     bytes([10, 0, 0, 2]))
    return bytes(12) + b"\x08\x00" + ip + struct.pack(">HHHH", 1000, 2000, 8, 0)

def pcap(name, order, magic, times):
    with open(name, "wb") as out:
        out.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1))
        for n, (seconds, fraction) in enumerate(times, 1):
            out.write(struct.pack(order + "IIII", seconds, fraction, len(frame(n)),
                                  len(frame(n))) + frame(n))

pcap("micro.pcap", "<", 0xA1B2C3D4, [(100, 1), (102, 2), (104, 3)])
pcap("nano.pcap", "<", 0xA1B23C4D, [(100, 123456789), (102, 1), (104, 999999999)])
pcap("big.pcap", ">", 0xA1B23C4D, [(101, 5), (103, 6)])
pcap("none.pcap", "<", 0xA1B2C3D4, [])
pcap("damaged.pcap", "<", 0xA1B2C3D4, [(100, 1), (101, 1)])
with open("damaged.pcap", "ab") as out:
    out.write(struct.pack("<IIII", 102, 0, 1 << 30, 1 << 30) + bytes(100))

def rich(name, interfaces):
    """A pcapng with everything in it that must survive."""
    with open(name, "wb") as out:
        out.write(p.section_header([(p.COMMENT, b"from the rack"), (p.SHB_OS, b"Debian 12"),
                                    (p.SHB_HARDWARE, b"amd64")]))
        for label in interfaces:
            options = [(2, label.encode())] if label else []
            out.write(p.Interface(1, 262144, options + [(9, b"\x09")]).block())
        out.write(p.block(p.SECRETS, struct.pack("<II", 0x544C534B, 5) + b"hello"))
        for n in range(1, 5):
            out.write(p.enhanced((n - 1) % len(interfaces), 100 * 10**9 + n * 10**9 + n, frame(n),
                                 1500, [(1, b"comment %d" % n), (2, struct.pack("<I", 1)),
                                        (4, struct.pack("<Q", n)),
                                        (5, struct.pack("<Q", 7000 + n))]))
        out.write(p.block(p.STATISTICS, struct.pack("<III", 0, 1, 2) + p.options_write(
            [(4, struct.pack("<Q", 99)), (5, struct.pack("<Q", 17))])))

rich("one.pcapng", ["eth0"])
rich("two.pcapng", ["eth0", "eth1"])
rich("unnamed.pcapng", [""])
rich("twins.pcapng", ["eth0", "eth0"])

def turn_round(source, target):
    """The same file as a big-endian machine writes it, of the kinds of blocks used above."""
    data, at, result = open(source, "rb").read(), 0, b""
    def option_list(raw, kind):
        found = b""
        for code, value in p.options_read(raw, "<"):
            numbers = p.NUMBERS.get(kind, {}).get(code)
            if numbers:
                value = struct.pack(">" + numbers, *struct.unpack("<" + numbers, value))
            found += struct.pack(">HH", code, len(value)) + p.padded(value)
        return found + bytes(4) if found else b""
    def words(fmt, raw):
        return struct.pack(">" + fmt, *struct.unpack("<" + fmt, raw))
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + length - 4]
        if kind == p.SECTION:
            body = words("IHHq", body[:16]) + option_list(body[16:], kind)
        elif kind == p.INTERFACE:
            body = words("HHI", body[:8]) + option_list(body[8:], kind)
        elif kind == p.ENHANCED:
            end = 20 + struct.unpack_from("<I", body, 12)[0]
            end += -end % 4
            body = words("IIIII", body[:20]) + body[20:end] + option_list(body[end:], kind)
        elif kind == p.STATISTICS:
            body = words("III", body[:12]) + option_list(body[12:], kind)
        elif kind == p.SECRETS:
            body = words("II", body[:8]) + body[8:]
        size = struct.pack(">I", len(body) + 12)
        result += struct.pack(">I", kind) + size + body + size
        at += length
    open(target, "wb").write(result)

turn_round("two.pcapng", "two-big.pcapng")
END

names() { capinfos -I "$1" | sed -n 's/^ *Name = //p' | paste -sd' '; }
fields() { tshark -r "$1" -T fields -e frame.interface_name -e frame.time_epoch -e ip.id 2>/dev/null; }

title "two pcaps with equal headers stay two points, in time order, nanoseconds kept"
expect 0 "$merge" lan=micro.pcap wan=nano.pcap -o a.pcapng
[ "$(cat out)" = a.pcapng ] || fail "standard output is not the result's path"
has err '^lan +micro.pcap +Ethernet +3 +1970-01-01 00:01:40.000001000 +1970-01-01 00:01:44.000003000'
[ "$(names a.pcapng)" = "lan wan" ] || fail "names are $(names a.pcapng)"
fields a.pcapng >got
printf '%s\t%s\t%s\n' \
    lan 100.000001000 0x0001 wan 100.123456789 0x0001 wan 102.000000001 0x0002 \
    lan 102.000002000 0x0002 lan 104.000003000 0x0003 wan 104.999999999 0x0003 >wanted
same wanted got
[ "$(find . -name '.corr-merge*')" = "" ] || fail "a temporary file is left"

title "big-endian nanosecond pcap"
expect 0 "$merge" b=big.pcap a=nano.pcap -o b.pcapng
fields b.pcapng | grep '^b' >got
printf 'b\t101.000000005\t0x0001\nb\t103.000000006\t0x0002\n' >wanted
same wanted got

title "comments, packet ids, flags, drop counts, statistics and keys survive"
expect 0 "$merge" r=one.pcapng lan=micro.pcap -o c.pcapng
capinfos -I c.pcapng >got-info
grep -q 'Number of stat entries = 1' got-info || fail "interface statistics are lost"
grep -q 'Operating system = Debian 12' got-info || fail "the operating system is lost"
grep -q 'Description = eth0' got-info || fail "the old interface name is lost"
python c.pcapng >got <<'END'
import struct, sys, pcapng as p
with open(sys.argv[1], "rb") as stream:
    for event in p.Reader(stream).events():
        if event[0] == "packet" and event[1] == 0:
            length = struct.unpack_from("<I", event[3], 8)[0]
            options = dict(p.options_read(event[3][16 + length + -length % 4:], "<"))
            print(event[2], options[1].decode(), options[2].hex(), options[4].hex(),
                  options[5].hex(), struct.unpack_from("<I", event[3], 12)[0])
        elif event[0] in ("free", "bound"):
            print(event[0], event[1], event[2] if event[0] == "bound" else "", event[-1].hex())
        elif event[0] == "section":
            print(dict(event[1])[1].decode())
END
cat >wanted <<'END'
one.pcapng: from the rack
free 10  4b534c540500000068656c6c6f000000
101000000001000 comment 1 01000000 0100000000000000 591b000000000000 1500
102000000002000 comment 2 01000000 0200000000000000 5a1b000000000000 1500
103000000003000 comment 3 01000000 0300000000000000 5b1b000000000000 1500
104000000004000 comment 4 01000000 0400000000000000 5c1b000000000000 1500
bound 0 5 010000000200000004000800630000000000000005000800110000000000000000000000
END
same wanted got
tshark -r c.pcapng -T fields -e frame.comment -e frame.packet_id 2>/dev/null |
    grep -q $'comment 3' || fail "Wireshark does not see the comments"

title "a big-endian file gives the same bytes as its little-endian twin"
expect 0 "$merge" r=two.pcapng -o d.pcapng
cp two-big.pcapng t && mv two.pcapng keep && mv t two.pcapng
expect 0 "$merge" r=two.pcapng -o e.pcapng
mv keep two.pcapng
same d.pcapng e.pcapng

title "names of files with several interfaces, with none, with equal ones, and without NAME="
expect 0 "$merge" r=two.pcapng micro.pcap -o f.pcapng
[ "$(names f.pcapng)" = "r/eth0 r/eth1 micro" ] || fail "names are $(names f.pcapng)"
expect 0 "$merge" two.pcapng unnamed.pcapng -o g.pcapng
[ "$(names g.pcapng)" = "eth0 eth1 unnamed" ] || fail "names are $(names g.pcapng)"
expect 0 "$merge" t=twins.pcapng -o h.pcapng
[ "$(names h.pcapng)" = "t/eth0 t/eth0#2" ] || fail "names are $(names h.pcapng)"
cat one.pcapng one.pcapng >sections.pcapng
expect 0 "$merge" s=sections.pcapng -o i.pcapng
[ "$(names i.pcapng)" = "s/eth0 s/eth0#2" ] || fail "names are $(names i.pcapng)"
expect 2 "$merge" one.pcapng two.pcapng -o j.pcapng
has err '"one.pcapng" and "two.pcapng" both have a capture point "eth0": name the files'
cp micro.pcap 'x=y.pcap'
expect 0 "$merge" ./x=y.pcap -o k.pcapng
[ "$(names k.pcapng)" = "x=y" ] || [ "$(names k.pcapng)" = "x_y" ] || fail "$(names k.pcapng)"

title "compressed, piped, standard input, and a format of another program"
gzip -k micro.pcap && zstd -q nano.pcap && lz4 -q one.pcapng one.pcapng.lz4 && xz -k big.pcap
editcap -F snoop micro.pcap other.snoop 2>/dev/null
expect 0 "$merge" -v a=micro.pcap.gz b=nano.pcap.zst c=one.pcapng.lz4 d=big.pcap.xz \
    e=other.snoop f=<(cat micro.pcap) g=- -o l.pcapng <nano.pcap
has err '^corr-merge: \+ editcap -F pcapng'
has err '^corr-merge: \+ zstd'
capinfos -I l.pcapng | sed -n 's/^ *Number of packets = //p' | paste -sd' ' >got
echo "3 3 4 2 3 3 3" >wanted
same wanted got

title "files that are cut short or damaged: a warning, and what is there"
head -c -5 micro.pcap >short.pcap
head -c -7 one.pcapng >short.pcapng
expect 0 "$merge" a=short.pcap b=short.pcapng c=damaged.pcap d=none.pcap -o m.pcapng
has err '"short.pcap" is cut short in the packet at byte 140; kept the 2 packets before it'
has err '"short.pcapng" is cut short in the block .*kept the 4 packets'
has err '"damaged.pcap" is damaged at byte 140 \(a packet of 1073741824 bytes\); kept the 2 packets'
has err '"none.pcap" holds no packets'
capinfos -I m.pcapng | sed -n 's/^ *Number of packets = //p' | paste -sd' ' >got
echo "2 4 2 0" >wanted
same wanted got
gzip -c nano.pcap | head -c -12 >short.pcap.gz
expect 0 "$merge" a=short.pcap.gz -o n.pcapng
has err 'warning: "short.pcap.gz" is damaged as gzip'

title "mistakes: the value, the remedy, the status; and no output"
: >empty.pcap
echo "this is not a capture" >text.pcap
mkdir folder
mistake() {
    local status=$1 pattern=$2
    shift 2
    rm -f z.pcapng
    expect "$status" "$merge" "$@" -o z.pcapng
    has err "$pattern"
    [ ! -s out ] || fail "something on standard output: $*"
    [ ! -e z.pcapng ] || fail "an output file is left: $*"
}
mistake 1 '"empty.pcap" is empty \(0 bytes\): capture again or leave it out' a=empty.pcap
mistake 1 '"text.pcap" is not a capture file that Wireshark can read' a=text.pcap
mistake 1 'cannot read "absent.pcap": No such file' a=absent.pcap
mistake 1 '"folder" is a folder' a=folder
mistake 2 '"micro.pcap" and "./micro.pcap" are the same file' a=micro.pcap b=./micro.pcap
mistake 2 'the name "a" is given twice, to "micro.pcap" and "nano.pcap"' a=micro.pcap a=nano.pcap
mistake 2 'no name before "=" in "=micro.pcap"' =micro.pcap
mistake 2 'no file after the name in "a="' a=
mistake 2 'the name "a>b" contains ">"' 'a>b=micro.pcap'
mistake 2 'the name ".*" is longer than 64 bytes' "$(printf 'n%.0s' {1..70})=micro.pcap"
expect 2 "$merge" a=micro.pcap -o folder
has err 'the output "folder" is a folder'
expect 1 "$merge" a=micro.pcap -o no/such/out.pcapng
has err 'the folder "no/such" of the output does not exist'
expect 2 "$merge" a=micro.pcap -o /dev/null
has err 'not a regular file'
expect 2 "$merge" a=micro.pcap
if [ "$(id -u)" -ne 0 ]; then
    cp micro.pcap closed.pcap && chmod 0 closed.pcap
    mistake 1 'cannot read "closed.pcap": Permission denied' a=closed.pcap
fi

title "an existing output is replaced only with --force, an input never"
cp a.pcapng before
expect 1 "$merge" a=nano.pcap -o a.pcapng
has err '"a.pcapng" exists already: add --force'
same before a.pcapng
expect 2 "$merge" --force a=a.pcapng -o a.pcapng
has err 'is also an input'
expect 0 "$merge" --force a=nano.pcap -o a.pcapng
[ "$(names a.pcapng)" = a ] || fail "not replaced"

title "the same as mergecap -I none in the order of frames"
mergecap -I none -F pcapng -w other.pcapng micro.pcap big.pcap one.pcapng
expect 0 "$merge" a=micro.pcap b=big.pcap c=one.pcapng -o p.pcapng
for file in other p; do
    tshark -r $file.pcapng -T fields -e frame.interface_id -e frame.time_epoch -e ip.id \
        >$file.txt 2>/dev/null
done
same other.txt p.txt
finish
