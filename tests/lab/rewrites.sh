#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: what real kernels do to packets beside translating addresses: a helper that rewrites ftp's
# payload and so shifts the stream, a map that spreads connections over servers, a bridge that
# floods, and a tunnel whose outer packets are fragmented twice.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"
# shellcheck source=net/wires.sh
. "$LAB_DIR/net/wires.sh"

lab_require curl ping
corr_user_begin "$CORR_BUILD"
lab_begin

# client c0 == f0 [firewall] f1 == s0 server
firewall() {
    lab_line 203.0.113.107 203.0.113.5
}

captures() {
    local place
    for place; do
        # shellcheck disable=SC2086 # two words
        set -- $place
        lab_capture "$2" "$1" "$2"
    done
}

# finished POINT...: merges, and asks.
finished() {
    sleep 0.3
    lab_capture_stop "$@"
    lab_files "$@"
    lab_merge "$LAB_TMP/merged.pcapng" "${LAB_FILES[@]}"
    corr_readable "$LAB_TMP/merged.pcapng"
    lab_report "$LAB_TMP/merged.pcapng" "$LAB_TMP/report.json"
    corr_tshark -2 -o ip.defragment:FALSE -r "$CORR_FILE" -T fields -E occurrence=a \
        -e frame.interface_name -e ip.src -e ip.dst -e ip.id -e tcp.srcport -e tcp.dstport \
        -e icmp.seq -e corr.match_id -e corr.hop -e corr.dropped -e corr.change \
        >"$LAB_TMP/fields.tsv" 2>"$T/err" || corr_die "tshark: $(cat "$T/err")"
}

# judge WHAT: by what the kernels keep. Reads the rows that finished() wrote.
judge() {
    expect 0 python3 - "$1" "$LAB_TMP/fields.tsv" "$LAB_TMP/report.json" <<'PY'
import json
import sys

what, fields, report = sys.argv[1:]
NAMES = "point src dst ip_id sport dport seq ids hop dropped change".split()
rows = []
for line in open(fields):
    words = line.rstrip("\n").split("\t")
    rows.append(dict(zip(NAMES, words + [""] * (len(NAMES) - len(words)))))
report = json.load(open(report))
faults = ["dropped: %s" % r for r in rows if r["dropped"]]
done = ""


def ids(row):
    return set(row["ids"].split(","))


def same_everywhere(key, points):
    """Sightings of one key carry the same numbers at every point; returns how many keys."""
    seen = {}
    for r in rows:
        k = key(r)
        if k is not None:
            seen.setdefault(k, {}).setdefault(r["point"], []).append(r)
    for k, at in seen.items():
        once = [at[p][0] for p in points if len(at.get(p, ())) == 1]
        if len(once) != len(points):
            faults.append("%s is seen at %s" % (k, sorted(at)))
        elif any(ids(r) != ids(once[0]) for r in once):
            faults.append("%s: numbers %s" % (k, [r["ids"] for r in once]))
    return len(seen)


if what in ("ftp", "map"):
    server = ("203.0.113.5", "203.0.113.6", "203.0.113.7")

    def tcp_key(r):
        """Linux counts identifications per connection, and translation keeps them."""
        if not r["sport"] or int(r["ip_id"], 16) == 0:
            return None
        up = r["point"] in ("c0", "f0") and r["src"] == "10.1.0.10" or \
            r["point"] in ("f1", "s0") and r["dst"] in server
        # Of the connection: the end that nothing translates.
        end = r["dport"] if up else r["sport"]
        other = (r["sport"] if up else r["dport"]) if what == "map" else ""
        return (up, end, other, r["ip_id"])
    n = same_everywhere(tcp_key, ("c0", "f0", "f1", "s0"))
    done = "%d packets at four points" % n
    if n < 40:
        faults.append("only %d packets" % n)
if what == "ftp":
    changed = [r for r in rows if r["point"] == "f1" and "payload" in r["change"]]
    if len(changed) != 2:
        faults.append("%d payloads changed between f0 and f1, not 2" % len(changed))
    kinds = sorted((n["kind"], n["protocol"]) for n in report["nat"])
    if kinds.count(("snat", "tcp")) != 1 or len(kinds) != 3:
        faults.append("translations: %s" % kinds)
if what == "map":
    true = {(r["sport"], r["dst"]) for r in rows if r["point"] == "s0" and r["dport"] == "80"}
    said = {(str(n["before"]["src_port"]), n["after"]["dst"]) for n in report["nat"]
            if n["kind"] == "dnat" and n["from"] == "f0" and n["to"] == "f1"}
    if true != said or len(true) != 12 or len({d for _, d in true}) != 3:
        faults.append("maps: %s, not %s" % (sorted(said), sorted(true)))
if what == "flood":
    n = same_everywhere(lambda r: ("ping", r["seq"], r["src"])
                        if r["seq"] and (r["src"] == "10.5.0.1" and int(r["seq"]) <= 1) else None,
                        ("x0", "y0", "z0"))
    hops = {p: {r["hop"] for r in rows if r["point"] == p and r["seq"] == "1" and
                r["src"] == "10.5.0.1"} for p in ("y0", "z0")}
    if hops["y0"] != hops["z0"]:
        faults.append("siblings at different hops: %s" % hops)
    later = [r for r in rows if r["point"] == "z0" and r["seq"] and int(r["seq"]) > 2]
    if later:
        faults.append("the bridge still floods: no test")
    if report["drops"] or any(p["missed"] for p in report["points"]):
        faults.append("a flood that ended is taken for a loss")
    done = "%d flooded" % n
if what == "tunnel":
    n = same_everywhere(lambda r: (r["seq"], r["src"]) if r["seq"] and r["point"] in
                        ("vxwest", "vxeast") else None, ("vxwest", "vxeast"))
    whole = set()
    for r in rows:
        if r["point"] == "vxwest" and r["ids"]:
            whole |= ids(r)
    for p, least in (("under-w", 2), ("under-e", 3)):
        pieces = [r for r in rows if r["point"] == p and r["ids"] and ids(r) & whole]
        if set().union(*map(ids, pieces)) < whole:
            faults.append("%s does not show all pieces" % p)
        if len(pieces) < least * n:
            faults.append("%s: %d fragments of %d packets: no test" % (p, len(pieces), n))
    if n != 20:
        faults.append("%d packets, not 20" % n)
    done = "%d packets in %d pieces" % (n, len(whole))
print("\n".join(map(str, faults[:8])) or done)
sys.exit(bool(faults))
PY
    cat "$T/out"
}

title "the ftp helper: a longer PORT is the same packet, and so is all that follows"
firewall
cat >"$LAB_TMP/ftpd.py" <<'PY'
import socket



def serve(control):
    control.sendall(b"220 ready\r\n")
    data = None
    for line in control.makefile("rb"):
        word = line.split()[0].upper() if line.split() else b""
        if word == b"PORT":
            n = [int(x) for x in line.split()[1].split(b",")]
            data = (".".join(map(str, n[:4])), n[4] * 256 + n[5])
            control.sendall(b"200 PORT command successful\r\n")
        elif word == b"RETR":
            control.sendall(b"150 here it comes\r\n")
            with socket.create_connection(data) as out:
                out.sendall(b"".join(b"%08d of a file" % i for i in range(1500)))
            control.sendall(b"226 done\r\n")
        elif word == b"QUIT":
            control.sendall(b"221 bye\r\n")
            return
        else:
            control.sendall(b"200 fine\r\n")


listener = socket.create_server(("203.0.113.5", 21))
while True:
    with listener.accept()[0] as connection:
        try:
            serve(connection)
        except OSError:
            pass
PY
cat >"$LAB_TMP/ftp.py" <<'PY'
import socket

control = socket.create_connection(("203.0.113.5", 21))
lines = control.makefile("rb")


def wait(until):
    while not (line := lines.readline()).startswith(until):
        assert line, "the server has gone"


def say(text, until):
    control.sendall(text.encode() + b"\r\n")
    wait(until)


wait(b"220")
say("USER anonymous", b"200")
for turn in range(2):
    with socket.create_server(("10.1.0.10", 0)) as listener:
        port = listener.getsockname()[1]
        say("PORT 10,1,0,10,%d,%d" % divmod(port, 256), b"200")
        control.sendall(b"RETR file\r\n")
        data, _ = listener.accept()
        size = 0
        while got := data.recv(65536):
            size += len(got)
        data.close()
        assert size == 1500 * 18, size
    wait(b"226")
say("NOOP", b"200")
say("QUIT", b"221")
PY
if lab_in f nft -f - 2>"$T/err" <<'NFT'; then
table ip box {
    ct helper ftp-standard {
        type "ftp" protocol tcp
    }
    chain pre {
        type filter hook prerouting priority filter;
        tcp dport 21 ct helper set "ftp-standard"
    }
    chain post {
        type nat hook postrouting priority srcnat;
        oifname "f1" masquerade
    }
}
NFT
    lab_daemon s python3 "$LAB_TMP/ftpd.py"
    lab_await 10 lab_in s bash -c 'exec 3<>/dev/tcp/203.0.113.5/21' || corr_die "no ftp server"
    captures 'c c0' 'f f0' 'f f1' 's s0'
    lab_in c timeout 20 python3 "$LAB_TMP/ftp.py" || fail "ftp failed: is there a helper?"
    finished c0 f0 f1 s0
    judge ftp
else
    printf 'SKIPPED: this kernel has no ftp helper: %s\n' "$(head -n 1 "$T/err")"
fi
lab_reset

title "a map spreads connections over three servers"
firewall
lab_ip s addr add 203.0.113.6/24 dev s0
lab_ip s addr add 203.0.113.7/24 dev s0
lab_ip s route add 10.1.0.0/24 via 203.0.113.107
lab_in f nft -f - <<'NFT'
table ip box {
    chain pre {
        type nat hook prerouting priority dstnat;
        ip daddr 10.1.0.1 tcp dport 80 dnat to numgen inc mod 3 map {
            0 : 203.0.113.5, 1 : 203.0.113.6, 2 : 203.0.113.7 }
    }
}
NFT
mkdir -p "$LAB_TMP/www"
head -c 20000 /dev/urandom >"$LAB_TMP/www/file"
lab_daemon s python3 -m http.server -d "$LAB_TMP/www" 80
lab_await 10 lab_in s bash -c 'exec 3<>/dev/tcp/203.0.113.5/80' || corr_die "no web server"
captures 'c c0' 'f f0' 'f f1' 's s0'
for _ in $(seq 12); do
    lab_in c curl -sS -m 20 -o /dev/null http://10.1.0.1/file || corr_die "curl failed"
done
finished c0 f0 f1 s0
judge map
lab_reset

title "a bridge floods until it has learned"
lab_ns x y z sw
lab_ip sw link add br0 type bridge
lab_ip sw link set br0 up
for host in x y z; do
    lab_wire "$host" "${host}0" sw "to-$host"
    lab_ip sw link set "to-$host" master br0
done
lab_ip x addr add 10.5.0.1/24 dev x0
lab_ip y addr add 10.5.0.2/24 dev y0
lab_ip z addr add 10.5.0.3/24 dev z0
mac() { lab_in "$1" cat "/sys/class/net/${1}0/address"; }
lab_ip x neigh add 10.5.0.2 lladdr "$(mac y)" dev x0
lab_ip y neigh add 10.5.0.1 lladdr "$(mac x)" dev y0
lab_ip sw link set to-y type bridge_slave fdb_flush
captures 'x x0' 'y y0' 'z z0'
lab_in x ping -q -i 0.05 -c 20 10.5.0.2 >/dev/null || corr_die "no answer across the bridge"
finished x0 y0 z0
judge flood
lab_reset

title "a tunnel whose outer packets are fragmented, and fragmented again"
lab_tunnel
lab_ip west link set dev under-w mtu 1000
lab_ip router link set dev re mtu 700
lab_ip east link set dev under-e mtu 700
captures 'west vxwest' 'west under-w' 'east under-e' 'east vxeast'
lab_in west ping -q -M dont -s 1400 -i 0.02 -c 10 172.30.0.2 >/dev/null || corr_die "no answer"
finished vxwest under-w under-e vxeast
judge tunnel
finish
