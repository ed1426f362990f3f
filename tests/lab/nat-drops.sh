#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: five points around a masquerading router that drops by counted rules. What the plug-ins
# report equals the kernel's counters and conntrack's table; whatever the clocks say, and without
# invention where a capture covers less.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"
# shellcheck source-path=SCRIPTDIR source=net/nat.sh
. "$LAB_DIR/net/nat.sh"

nat_require
corr_user_begin "$CORR_BUILD"
lab_begin

# judge ROUND FILE...: the captures of one round against its truth.
judge() {
    local round=$1
    lab_merge "$LAB_TMP/$round.pcapng" "${@:2}"
    nat_truth "$LAB_TMP/$round.json" "$LAB_TMP/$round.pcapng"
    python3 "$LAB_DIR/oracle.py" "$LAB_TMP/$round.pcapng" >"$LAB_TMP/$round.tsv"
    lab_fields "$LAB_TMP/$round.pcapng" "$LAB_TMP/$round.fields"
    lab_report "$LAB_TMP/$round.pcapng" "$LAB_TMP/$round.report"
    title "$round: the same frames show the same packet"
    lab_check match "$LAB_TMP/$round.tsv" "$LAB_TMP/$round.fields"
    title "$round: hops follow the way"
    lab_check hops "$LAB_TMP/$round.tsv" "$LAB_TMP/$round.fields" client,bridge,lan,wan,server
    title "$round: drops equal the kernel's counters"
    lab_check drops "$LAB_TMP/$round.json" "$LAB_TMP/$round.report"
    lab_check segments "$LAB_TMP/$round.report"
    title "$round: translations equal conntrack's"
    lab_check nat "$LAB_TMP/$round.json" "$LAB_TMP/$round.report"
}

# round NAME [real] -- RULE...: network, servers, loss, captures.
round() {
    local wires=$2
    lab_reset
    nat_build "$wires"
    nat_servers 1000000
    nat_watch
    nat_drops "${@:3}"
    nat_capture_all
}

finish_captures() {
    sleep 0.3
    lab_capture_stop "${NAT_POINTS[@]}"
    lab_files "${NAT_POINTS[@]}"
}

round none real
go_ping -c 5 "$NAT_WEB"
go_get http://web.test/ https://web.test/
go_get http://web.test/bulk
go_back
go_closed
go_expire 2
go_names one two
go_get http://web.test/
finish_captures
judge none "${LAB_FILES[@]}"

# Every n-th in one direction, at random in the other; small protocols too; one port closed.
round mixed real \
    'bulk_down|down|tcp sport 80 meta length > 1000 numgen inc mod 40 == 17|drop' \
    'bulk_up|up|tcp dport 80 meta length > 1000 numgen random mod 25 == 0|drop' \
    'acks|up|tcp dport 80 meta length < 60 numgen random mod 50 == 0|drop' \
    'echo_reply|down|icmp type echo-reply numgen inc mod 9 == 4|drop' \
    'dns_query|up|udp dport 53 numgen inc mod 10 == 6|drop' \
    'blocked|up|tcp dport 9999|drop'
go_ping -c 5 "$NAT_WEB"
go_get http://web.test/ http://web.test/
go_names one two three four five
go_get http://web.test/bulk
go_ping -c 30 "$NAT_WEB"
go_up 300000
go_get --connect-timeout 1.5 http://web.test:9999/
go_back
go_ping -c 5 "$NAT_WEB"
go_get http://web.test/ https://web.test/
finish_captures
judge mixed "${LAB_FILES[@]}"
title "mixed: latencies within their bounds"
lab_check latency "$LAB_TMP/mixed.pcapng" "$LAB_TMP/mixed.tsv" "$LAB_TMP/mixed.fields"

title "wrong clocks change nothing"
editcap -t -3600.25 "$LAB_TMP/wan.pcapng" "$LAB_TMP/wan-late.pcapng"
editcap -t 5.3 "$LAB_TMP/server.pcapng" "$LAB_TMP/server-late.pcapng"
shifted=("$LAB_TMP"/{client,bridge,lan,wan-late,server-late}.pcapng)
lab_merge "$LAB_TMP/shifted.pcapng" "${shifted[@]}"
lab_fields "$LAB_TMP/shifted.pcapng" "$LAB_TMP/shifted.fields"
lab_check same "$LAB_TMP/mixed.pcapng" "$LAB_TMP/mixed.fields" \
    "$LAB_TMP/shifted.pcapng" "$LAB_TMP/shifted.fields"
expect 0 python3 "$LAB_DIR/check.py" renumber "$LAB_TMP/shifted.pcapng" \
    "$LAB_TMP/shifted.fields" "$LAB_TMP/mixed.pcapng"
cp "$T/out" "$LAB_TMP/shifted.renumbered"
lab_check latency "$LAB_TMP/mixed.pcapng" "$LAB_TMP/mixed.tsv" "$LAB_TMP/shifted.renumbered"
lab_report "$LAB_TMP/shifted.pcapng" "$LAB_TMP/shifted.report"
lab_check clock "$LAB_TMP/shifted.report" wan=-3600.25 server=5.3

# cut POINT late|early: the file of one point loses its first or last 40 percent of time.
cut() {
    local point=$1 from until window=() file files=()
    read -r from until < <(capinfos -TreSm -a -e "$LAB_TMP/$point.pcapng" |
        awk -F, '{ print $2, $3 }')
    case $2 in
    late) window=(-A "$(awk -v a="$from" -v b="$until" 'BEGIN { printf "%.6f", a+(b-a)*.4 }')") ;;
    early) window=(-B "$(awk -v a="$from" -v b="$until" 'BEGIN { printf "%.6f", b-(b-a)*.4 }')") ;;
    esac
    editcap "${window[@]}" "$LAB_TMP/$point.pcapng" "$LAB_TMP/cut.pcapng"
    for file in "${LAB_FILES[@]}"; do
        [ "$file" != "$LAB_TMP/$point.pcapng" ] || file=$LAB_TMP/cut.pcapng
        files+=("$file")
    done
    lab_merge "$LAB_TMP/cut-merged.pcapng" "${files[@]}"
    lab_report "$LAB_TMP/cut-merged.pcapng" "$LAB_TMP/cut.report"
    title "$point starts or ends: $2"
    lab_check cut "$LAB_TMP/mixed.json" "$LAB_TMP/mixed.tsv" "$LAB_TMP/mixed.pcapng" \
        "$LAB_TMP/cut-merged.pcapng" "$point" "$LAB_TMP/cut.report"
}
cut wan late
cut wan early
cut lan late
cut server early

# veth's own offload: super-segments at every point, checksums that nobody filled in; and one
# capture that is started again in the middle of the traffic.
round offload veth \
    'bulk_down|down|tcp sport 80 meta length > 1000 numgen inc mod 6 == 3|drop' \
    'bulk_up|up|tcp dport 80 meta length > 1000 numgen random mod 5 == 0|drop'
go_get http://web.test/ http://web.test/
go_get http://web.test/bulk
go_up 300000
go_get https://web.test/
finish_captures
judge offload "${LAB_FILES[@]}"

round restart real
go_ping -c 20 "$NAT_WEB"
go_get http://web.test/ http://web.test/
lab_capture_stop wan server
mv "$LAB_TMP/wan.pcapng" "$LAB_TMP/wan-1.pcapng"
go_get http://web.test/
go_ping -c 20 "$NAT_WEB"
nat_capture wan
go_ping -c 20 "$NAT_WEB"
go_get http://web.test/ http://web.test/
sleep 0.3
lab_capture_stop client bridge lan wan
mergecap -I all -w "$LAB_TMP/wan-both.pcapng" "$LAB_TMP/wan-1.pcapng" "$LAB_TMP/wan.pcapng"
lab_merge "$LAB_TMP/restart.pcapng" "$LAB_TMP"/{client,bridge,lan,wan-both,server}.pcapng
lab_report "$LAB_TMP/restart.pcapng" "$LAB_TMP/restart.report"
title "restart: a pause of one capture and the end of another lose no packet"
printf '{"drops": [], "between": ["lan", "wan"], "dropped_frames": [], "expired_frames": []}' \
    >"$LAB_TMP/nothing.json"
lab_check drops "$LAB_TMP/nothing.json" "$LAB_TMP/restart.report"
finish
