#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: two hosts joined by VXLAN across a router that drops some outer packets. The inner packet
# is one packet from end to end, and an outer loss is one lost packet.
#
#   west: vxwest 172.30.0.1 over under-w 10.9.1.1 == [router] == under-e 10.9.2.2 east: vxeast .2
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"
# shellcheck source=net/wires.sh
. "$LAB_DIR/net/wires.sh"

lab_require curl ping
corr_user_begin "$CORR_BUILD"
lab_begin
points=(vxwest under-w under-e vxeast)

lab_tunnel
mkdir "$LAB_TMP/www"
seq -f 'line %09.0f of the download' 12000 >"$LAB_TMP/www/bulk"
lab_daemon east python3 -m http.server --directory "$LAB_TMP/www" 80
lab_await 10 lab_in west curl -sf -o /dev/null http://172.30.0.2/ || corr_die "no web server"
rules=('outer_down|down|udp dport 4789 meta length > 1000 numgen inc mod 40 == 17|drop'
    'outer_up|up|udp dport 4789 meta length 100-150 numgen inc mod 50 == 20|drop')
lab_in router nft -f - <<'NFT'
table ip loss {
    counter outer_down { }
    counter outer_up { }
    chain pass {
        type filter hook forward priority filter;
        iifname "re" udp dport 4789 meta length > 1000 numgen inc mod 40 == 17 \
            counter name outer_down drop
        iifname "rw" udp dport 4789 meta length 100-150 numgen inc mod 50 == 20 \
            counter name outer_up drop
    }
}
NFT
lab_capture vxwest west vxwest
lab_capture under-w west under-w
lab_capture under-e east under-e
lab_capture vxeast east vxeast
sleep 0.1
lab_in west ping -q -i 0.02 -c 10 172.30.0.2 >/dev/null
for _ in 1 2; do
    lab_in west curl -s -o /dev/null --max-time 15 http://172.30.0.2/bulk || true
done
lab_in west ping -q -i 0.02 -c 10 172.30.0.2 >/dev/null || true
sleep 0.3
lab_capture_stop "${points[@]}"
lab_files "${points[@]}"
lab_merge "$LAB_TMP/vxlan.pcapng" "${LAB_FILES[@]}"
lab_in router nft -j list counters >"$LAB_TMP/counters.json"
python3 "$LAB_DIR/truth.py" --order vxwest,under-w,under-e,vxeast --between under-w,under-e \
    --counters "$LAB_TMP/counters.json" "$LAB_TMP/vxlan.pcapng" "${rules[@]}" \
    >"$LAB_TMP/truth.json" || corr_die "the truth contradicts itself"
python3 "$LAB_DIR/oracle.py" "$LAB_TMP/vxlan.pcapng" >"$LAB_TMP/packets.tsv"
lab_fields "$LAB_TMP/vxlan.pcapng" "$LAB_TMP/fields.tsv"
lab_report "$LAB_TMP/vxlan.pcapng" "$LAB_TMP/report.json"
title "inner packets are matched end to end"
lab_check match "$LAB_TMP/packets.tsv" "$LAB_TMP/fields.tsv"
title "through the tunnel in order"
lab_check hops "$LAB_TMP/packets.tsv" "$LAB_TMP/fields.tsv" vxwest,under-w,under-e,vxeast
title "one outer loss is one lost packet"
lab_check drops "$LAB_TMP/truth.json" "$LAB_TMP/report.json"
finish
