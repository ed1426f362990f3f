#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: six points along two routers, and one cause of loss at a time: a full queue, a policer, a
# filter before, in and behind the routing, an MTU, a refusal. The kernel counts what it throws
# away; the plug-ins must count the same, at the same place, and name no cause that is not true.
#
#   client 10.1.0.2 c0 == f0 [f] f1 == r0 [r] r1 == s0 10.3.0.2 server
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"

lab_require tc ping
corr_user_begin "$CORR_BUILD"
lab_begin
points=(c0 f0 f1 r0 r1 s0)
server=10.3.0.2
tool=$LAB_DIR/causes.py

# address NS IF ADDRESS NS IF ADDRESS: both ends of a wire, which know each other for good: no
# ARP request waits in a queue or is counted.
address() {
    lab_wire "$1" "$2" "$4" "$5"
    lab_ip "$1" addr add "$3/24" dev "$2"
    lab_ip "$4" addr add "$6/24" dev "$5"
    lab_ip "$1" neigh replace "$6" dev "$2" lladdr "$(mac "$4" "$5")" nud permanent
    lab_ip "$4" neigh replace "$3" dev "$5" lladdr "$(mac "$1" "$2")" nud permanent
    lab_real_wire "$1" "$2"
    lab_real_wire "$4" "$5"
}
mac() { lab_in "$1" cat "/sys/class/net/$2/address"; }

lab_ns c f r s
address c c0 10.1.0.2 f f0 10.1.0.1
address f f1 10.2.0.1 r r0 10.2.0.2
address r r1 10.3.0.1 s s0 "$server"
lab_ip c route add default via 10.1.0.1
lab_ip f route add 10.3.0.0/24 via 10.2.0.2
lab_ip r route add 10.1.0.0/24 via 10.2.0.1
lab_ip s route add default via 10.3.0.1
for router in f r; do
    lab_in "$router" sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0
done
lab_daemon s python3 "$tool" serve
lab_await 5 lab_in c python3 -c "import socket; socket.create_connection(('$server', 5000))" ||
    corr_die "no server: $(cat "$LAB_TMP/s.log")"

udp() { lab_in c python3 "$tool" udp "$server" "$@"; }
tcp() { lab_in c python3 "$tool" tcp "$server" "$@"; }
pings() { lab_in c ping -q -i 0.02 -W 1 -c "$1" "$server" >/dev/null || true; }

# rule NS FAMILY CHAIN MATCH [STATEMENT]: a table of its own that counts and throws away.
rule() {
    lab_in "$1" nft -f - <<NFT
table $2 loss {
    counter lost { }
    chain place {
        type filter hook $3 priority 0;
        $4 counter name lost ${5-drop}
    }
}
NFT
}
counted() { lab_in "$1" nft -j list counters | python3 -c '
import json, sys
print(*[o["counter"]["packets"] for o in json.load(sys.stdin)["nftables"] if "counter" in o])'; }
# Packets that were too long to be forwarded and must not be cut (RFC 1213 ipFragFails).
frag_fails() {
    # shellcheck disable=SC2016 # awk expands
    lab_in r awk '/^Ip:/ && !n { for (i = 1; i <= NF; i++) if ($i == "FragFails") n = i; next }
        /^Ip:/ { print $n }' /proc/net/snmp
}

begin() {
    title "$1"
    lab_capture c0 c c0
    lab_capture f0 f f0
    lab_capture f1 f f1
    lab_capture r0 r r0
    lab_capture r1 r r1
    lab_capture s0 s s0
    sleep 0.1
    pings 5
}

# answer NAME FILE...: what the oracle and the plug-ins say of the captures.
answer() {
    local here=$LAB_TMP/$1
    lab_merge "$here.pcapng" "${@:2}"
    python3 "$LAB_DIR/oracle.py" "$here.pcapng" >"$here.tsv"
    lab_fields "$here.pcapng" "$here.fields"
    lab_report "$here.pcapng" "$here.report"
}

end() {
    pings 5
    lab_capture_stop "${points[@]}"
    lab_files "${points[@]}"
    answer "$1" "${LAB_FILES[@]}"
    lab_check match "$LAB_TMP/$1.tsv" "$LAB_TMP/$1.fields"
}

# agree NAME AFTER BEFORE PACKETS CAUSE: the kernel's counter, the captures and the plug-ins.
agree() {
    local here=$LAB_TMP/$1
    printf '{"nftables": [{"counter": {"name": "lost", "packets": %d}}]}' "$4" >"$here.counter"
    python3 "$LAB_DIR/truth.py" --order "$(IFS=,; echo "${points[*]}")" --between "$2,$3" \
        --counters "$here.counter" "$here.pcapng" "lost|up|$1|drop" >"$here.json" ||
        corr_die "$1: the truth contradicts itself"
    lab_check drops "$here.json" "$here.report"
    lab_check segments "$here.report"
    expect 0 python3 "$tool" judge "$here.report" "${@:2}"
    cat "$T/out"
}

begin "queue: a token bucket that is slower than the traffic"
# The queue holds 48 ms: the oracle takes what is 100 ms apart for two packets.
lab_in f tc qdisc add dev f1 root tbf rate 1mbit burst 1600 limit 6000
for _ in 1 2 3; do
    udp 5001 60 1 400
    sleep 0.4
done
lost=$(lab_in f tc -s -j qdisc show dev f1 |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["drops"])')
lab_in f tc qdisc del dev f1 root
end queue
agree queue f0 f1 "$lost" queue

# again NAME AFTER BEFORE PACKETS CAUSE POINT: hours away and 100 ppm faster at one point.
again() {
    local files=("${LAB_FILES[@]/%$6.pcapng/other.pcapng}")
    python3 "$tool" clock "$LAB_TMP/$6.pcapng" "$LAB_TMP/other.pcapng" -7260.5 100
    answer "$1-again" "${files[@]}"
    lab_check same "$LAB_TMP/$1.pcapng" "$LAB_TMP/$1.fields" \
        "$LAB_TMP/$1-again.pcapng" "$LAB_TMP/$1-again.fields"
    expect 0 python3 "$tool" judge "$LAB_TMP/$1-again.report" "${@:2:4}"
    cat "$T/out"
}
title "queue: another clock at one point"
again queue f0 f1 "$lost" queue f1

# No delay grows. Who cannot tell a policer says nothing; a queue it is not.
begin "policer: 100 packets a second"
rule r ip forward 'udp dport 5002 limit rate over 100/second burst 5 packets'
udp 5002 400 3 300
lost=$(counted r)
end policer
lab_in r nft flush ruleset
agree policer r0 r1 "$lost" policer,none

begin "a filter before the routing: behind the point that shows the packets"
rule r netdev 'ingress device "r0"' 'meta length > 500 numgen inc mod 25 == 7'
tcp 5000 400000 5
udp 5003 100 4 600
lost=$(counted r)
end ingress
lab_in r nft flush ruleset
agree ingress r0 r1 "$lost" none
title "a filter before the routing: another clock at one point"
again ingress r0 r1 "$lost" none r1

begin "a filter in the routing: at random, TCP"
rule f ip forward 'tcp dport 5000 meta length > 500 numgen random mod 30 == 0'
tcp 5000 600000 5
lost=$(counted f)
end forward
lab_in f nft flush ruleset
agree forward f0 f1 "$lost" none

begin "a filter in the server: every point shows its SYNs"
rule s ip input 'tcp dport 7777'
# The last one waits for longer than a second, too.
tcp 7777 0 3.9
lost=$(counted s)
end input
lab_in s nft flush ruleset
expect 0 python3 "$tool" judge "$LAB_TMP/input.report" s0 none "$lost" policy,none
cat "$T/out"
expect 0 python3 "$tool" ends "$LAB_TMP/input.pcapng" "$LAB_TMP/input.report" s0 7777

begin "refused: each packet is answered by an error"
rule r ip forward 'meta l4proto { tcp, udp } th dport 9999' \
    'reject with icmp type admin-prohibited'
for _ in 1 2 3; do
    tcp 9999 0 0.5
done
udp 9999 20 10 100
lost=$(counted r)
end refused
lab_in r nft flush ruleset
agree refused r0 r1 "$lost" policy

begin "a black hole: too long for the next link, and nobody says so"
lab_ip r link set dev r1 mtu 1200
rule r ip output 'icmp type destination-unreachable'
fails=$(frag_fails)
udp 5004 40 10 1300,600,300
# Where nothing at all passes, the capture may have paused: small packets show that it did not.
pings 120 &
background=$!
tcp 5000 100000 2.5
wait "$background"
lost=$(($(frag_fails) - fails))
end hole
lab_in r nft flush ruleset
agree hole r0 r1 "$lost" mtu

begin "too long for the next link, and an error says so"
fails=$(frag_fails)
tcp 5000 100000 2.5
lost=$(($(frag_fails) - fails))
end told
agree told r0 r1 "$lost" mtu
finish
