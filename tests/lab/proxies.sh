#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: a SYN proxy (nftables) and a proxy that relays bytes, between two real kernels. The SYN
# proxy passes packets on, with shifted numbers; its two handshakes are different packets. The
# relay makes all packets anew. Neither loses any.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"
# shellcheck source=net/wires.sh
. "$LAB_DIR/net/wires.sh"

lab_require curl
corr_user_begin "$CORR_BUILD"
lab_begin

# client c0 == f0 [box] f1 == s0 server; frames as a network has them.
build() {
    lab_line 10.2.0.1 10.2.0.10
    lab_ip s route add default via 10.2.0.1
    mkdir -p "$LAB_TMP/www"
    head -c 60000 /dev/urandom >"$LAB_TMP/www/file"
    lab_daemon s python3 -m http.server -d "$LAB_TMP/www" 80
    lab_await 10 lab_in s bash -c 'exec 3<>/dev/tcp/10.2.0.10/80' || corr_die "no server"
}

# capture URL: four connections, one after the other.
capture() {
    local point
    lab_capture c0 c c0
    lab_capture f0 f f0
    lab_capture f1 f f1
    lab_capture s0 s s0
    for _ in 1 2 3 4; do
        lab_in c curl -sS -m 20 -o /dev/null "$1" || corr_die "curl failed"
    done
    sleep 0.3
    lab_capture_stop c0 f0 f1 s0
    lab_files c0 f0 f1 s0
    lab_merge "$LAB_TMP/merged.pcapng" "${LAB_FILES[@]}"
    corr_readable "$LAB_TMP/merged.pcapng"
    corr_tshark -2 -r "$CORR_FILE" -Y tcp -T fields -E occurrence=f -e frame.interface_name \
        -e ip.src -e ip.id -e tcp.len -e tcp.flags -e ip.ttl -e corr.match_id -e corr.dropped \
        >"$LAB_TMP/fields.tsv" 2>"$T/err" || corr_die "tshark: $(cat "$T/err")"
    lab_report "$LAB_TMP/merged.pcapng" "$LAB_TMP/report.json"
}

# judge KIND: by identifications, which the kernel keeps where it passes a packet on.
judge() {
    expect 0 python3 - "$1" "$LAB_TMP/fields.tsv" "$LAB_TMP/report.json" <<'PY'
import json
import sys

kind, fields, report = sys.argv[1:]
rows = [line.rstrip("\n").split("\t") for line in open(fields)]
near, far = ("c0", "f0"), ("f1", "s0")
sides, both, faults = {}, 0, []
for point, src, ident, length, flags, ttl, number, dropped in rows:
    syn = int(flags, 16) & 2
    # The server repeats its SYN-ACK now and then, and the router passes that one on.
    if syn and kind == "synproxy" and ttl == "63":
        continue
    key = (src, ident, length)
    if dropped:
        faults.append("dropped: %s" % " ".join(key))
    sides.setdefault("SYN" if syn else key, {}).setdefault(point in far, set()).add(number)
for key, side in sides.items():
    if len(side) < 2:
        continue
    joined = side[False] & side[True]
    if key == "SYN" or kind == "relay":
        if joined:
            faults.append("paired: %s %s" % (key, sorted(joined)))
    elif int(key[1], 16) != 0:
        both += 1
        if len(side[False] | side[True]) != 1:
            faults.append("torn apart: %s" % " ".join(key))
if kind == "synproxy" and both < 100:
    faults.append("only %d packets passed the box" % both)
links = [link for flow in json.load(open(report))["flows"] for link in flow.get("links", ())
         if link["role"] == "client side"]
# The relay has an address on each side, so nothing but bytes and times speak for it.
if kind == "relay" and (len(links) != 4 or any(x["confidence"] != "possible" for x in links)):
    faults.append("%d links, not 4 that are possible" % len(links))
if kind == "synproxy" and links:
    faults.append("%d links, not 0" % len(links))
print("\n".join(faults[:10]) or "%d frames, %d packets on both sides" % (len(rows), both))
sys.exit(bool(faults))
PY
    cat "$T/out"
}

title "a SYN proxy: data is matched, the two handshakes are not, and nothing is lost"
build
if lab_in f nft -f - 2>"$T/err" <<'NFT'; then
table ip box {
    chain pre {
        type filter hook prerouting priority raw;
        iifname "f0" tcp dport 80 tcp flags syn notrack
    }
    chain forward {
        type filter hook forward priority filter;
        tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
        ct state invalid drop
    }
}
NFT
    lab_in f sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0
    capture http://10.2.0.10/file
    judge synproxy
else
    printf 'SKIPPED: this kernel has no synproxy: %s\n' "$(head -n 1 "$T/err")"
fi
lab_reset

title "a relay: no packet is matched across it, connections are linked, nothing is lost"
build
cat >"$LAB_TMP/relay.py" <<'PY'
import socket
import threading


def pump(a, b):
    while data := a.recv(3000):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)


listener = socket.create_server(("10.1.0.1", 8080))
while True:
    near, _ = listener.accept()
    far = socket.create_connection(("10.2.0.10", 80))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
PY
lab_daemon f python3 "$LAB_TMP/relay.py"
lab_await 10 lab_in c bash -c 'exec 3<>/dev/tcp/10.1.0.1/8080' || corr_die "no relay"
capture http://10.1.0.1:8080/file
judge relay
finish
