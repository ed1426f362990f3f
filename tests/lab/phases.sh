#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: phases of real transactions (nginx, OpenSSL, curl, dig) agree with curl's own clock, and
# five faults made on purpose each yield the right first finding. Clocks of two points are wrong.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"
# shellcheck source-path=SCRIPTDIR source=net/nat.sh
. "$LAB_DIR/net/nat.sh"

nat_require
need nstat
corr_user_begin "$CORR_BUILD"
lab_begin
SLOW_NAMES=198.51.100.6
JUDGE=$LAB_DIR/phases.py

# Both ways 5 ms, so that a phase is longer than what curl itself needs.
far_away() {
    lab_ip bridge link del uplink
    lab_ns wire
    lab_wire bridge uplink wire near
    lab_wire wire far router lan
    lab_ip bridge link set dev uplink master br0
    lab_ip router addr add 192.168.1.1/24 dev lan
    lab_real_wire bridge uplink
    lab_real_wire wire near
    lab_real_wire wire far
    lab_real_wire router lan
    lab_daemon wire python3 "$LAB_DIR/delay.py" near far 0.005
}

slow_servers() {
    lab_ip server addr add "$SLOW_NAMES/32" dev lo
    printf 'nameserver %s\noptions timeout:2 attempts:2\n' "$SLOW_NAMES" >"$LAB_TMP/resolv.slow"
    lab_daemon server python3 "$LAB_DIR/slow.py" web 9000
    lab_daemon server python3 "$LAB_DIR/slow.py" names "$SLOW_NAMES" 0.4 "$NAT_WEB"
    lab_await 5 lab_in server curl -sf -o /dev/null "http://$NAT_WEB/slow/?0" ||
        corr_die "no slow web server: $(cat "$LAB_TMP/server.log")"
    lab_await 5 lab_in server dig +short +tries=1 +time=1 @"$SLOW_NAMES" web.test ||
        corr_die "no slow name server: $(cat "$LAB_TMP/server.log")"
}

# ask CURL_ARG...: curl, its figures as a line of JSON each.
ask() {
    # The usual bundle of authorities costs curl milliseconds of its handshake to load.
    nat_client nice -n -19 curl -sk --cacert "$LAB_TMP/server/cert.pem" \
        --connect-timeout 4 --max-time 15 -w '%{stderr}%{json}\n' "$@" \
        2>>"$LAB_TMP/curl.json" >/dev/null || true
}

begin() {
    : >"$LAB_TMP/curl.json"
    nat_capture "${NAT_POINTS[@]}"
}

# end NAME: captures of this round, merged with wrong clocks, and the answers as JSON.
end() {
    sleep 0.3
    lab_capture_stop "${NAT_POINTS[@]}"
    editcap -t -3600.25 "$LAB_TMP/wan.pcapng" "$LAB_TMP/wan-late.pcapng"
    editcap -t 5.3 "$LAB_TMP/server.pcapng" "$LAB_TMP/server-late.pcapng"
    expect 0 "$SCRIPTS/corr-merge" --force -o "$LAB_TMP/round-$1.pcapng" \
        client="$LAB_TMP/client.pcapng" \
        bridge="$LAB_TMP/bridge.pcapng" lan="$LAB_TMP/lan.pcapng" \
        wan="$LAB_TMP/wan-late.pcapng" server="$LAB_TMP/server-late.pcapng"
    lab_report "$LAB_TMP/round-$1.pcapng" "$LAB_TMP/$1.json"
}

judge() {
    expect 0 python3 "$JUDGE" "$@"
    cat "$T/out"
}

# timings: a machine that is busy elsewhere makes curl late, so one second measurement is allowed,
# with the same bounds.
timings() {
    local tries measured=() milliseconds
    ask http://web.test/ https://web.test/ # curl and what it loads are in memory
    for tries in 1 2; do
        begin
        ask http://web.test/ http://web.test/?again http://web.test/bulk http://web.test/slow/?0.06
        ask --http1.1 --tls-max 1.2 -H 'Connection: close' https://web.test/?a https://web.test/?b
        ask --http1.1 --tlsv1.3 -H 'Connection: close' https://web.test/?c https://web.test/?d
        ask --http1.1 --tlsv1.3 https://web.test/?e https://web.test/bulk
        milliseconds=$(lab_in client dig +tries=1 +time=1 @"$NAT_WEB" alone.test |
            awk '/Query time/ { print $4 }')
        end "timings$tries"
        mv "$LAB_TMP/curl.json" "$LAB_TMP/curl$tries.json"
        measured+=("$LAB_TMP/timings$tries.json" "$LAB_TMP/curl$tries.json")
        judge lookups "$LAB_TMP/timings$tries.json" "$milliseconds"
        judge quiet "$LAB_TMP/timings$tries.json"
        ! python3 "$JUDGE" timings "${measured[@]}" -- "${TLS[@]}" >"$T/out" 2>&1 || break
        printf 'measurement %d: %s\n' "$tries" "$(cat "$T/out")"
    done
    judge timings "${measured[@]}" -- "${TLS[@]}"
}
TLS=(- - - - 1.2 1.2+ 1.3 1.3+ 1.3 1.3)

lab_reset
nat_build real
far_away
nat_servers 400000
slow_servers

title "phases agree with curl and dig; nothing is wrong"
timings

title "fault: a slow server"
begin
ask http://web.test/ 'http://web.test/slow/?0.7'
end server
judge first "$LAB_TMP/server.json" server

title "fault: a slow resolver"
cp "$LAB_TMP/resolv.conf" "$LAB_TMP/resolv.fast"
cp "$LAB_TMP/resolv.slow" "$LAB_TMP/resolv.conf"
begin
ask http://web.test/
end resolver
cp "$LAB_TMP/resolv.fast" "$LAB_TMP/resolv.conf"
judge first "$LAB_TMP/resolver.json" resolver

title "fault: a blocked port"
nat_drops 'blocked|up|tcp dport 9999|drop'
begin
ask http://web.test/
ask --connect-timeout 1.5 http://web.test:9999/
ask http://web.test/ # else nobody knows whether the captures went on
end blocked
judge first "$LAB_TMP/blocked.json" blocked

# sent_again: segments that the server's kernel sent again so far.
sent_again() { lab_in server nstat -asz TcpRetransSegs | awk '/TcpRetransSegs/ { print $2 }'; }
# dropped NAME: counted by nftables.
dropped() {
    lab_in router nft list counter ip loss "$1" | awk '/packets/ { print $2 }'
}

title "fault: a lossy path"
lab_in router nft delete table ip loss
nat_drops 'bulk|down|tcp sport 80 meta length > 1000 numgen inc mod 60 == 17|drop'
before=$(sent_again)
begin
ask http://web.test/bulk
end lossy
after=$(sent_again)
judge first "$LAB_TMP/lossy.json" "slow_by_loss|repair" repair loss
judge again "$LAB_TMP/lossy.json" $((after - before))
printf 'nftables dropped %s\n' "$(dropped bulk)"
[ "$(dropped bulk)" -eq $((after - before)) ] ||
    fail "nftables dropped $(dropped bulk), the kernel sent $((after - before)) again"
lab_in router nft delete table ip loss

title "fault: a slow reader"
lab_in client sysctl -q -w net.ipv4.tcp_rmem='4096 32768 32768'
begin
ask --limit-rate 150k http://web.test/bulk
end reader
judge first "$LAB_TMP/reader.json" slow_reader receiver
finish
