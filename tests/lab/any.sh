#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: one capture of all interfaces of the router (cooked v2, as tcpdump -i any): one capture
# point per interface index, with the translation and the loss between them.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"
# shellcheck source-path=SCRIPTDIR source=net/nat.sh
. "$LAB_DIR/net/nat.sh"

nat_require
corr_user_begin "$CORR_BUILD"
lab_begin
nat_build real
nat_servers 200000
nat_watch
rules=('echo_request|up|icmp type echo-request numgen inc mod 7 == 5|drop'
    'bulk_down|down|tcp sport 80 meta length > 1000 numgen inc mod 25 == 12|drop')
nat_drops "${rules[@]}"
lab_capture any router any -y LINUX_SLL2
sleep 0.1
since=$(date +%s.%N)
go_ping -c 20 "$NAT_WEB"
go_get http://web.test/ http://web.test/
go_get http://web.test/bulk
go_names one two three
go_back
go_get http://web.test/
sleep 0.3
lab_capture_stop any

index() { lab_in router cat "/sys/class/net/$1/ifindex"; }
lan=any/if$(index lan)
wan=any/if$(index wan)
lab_in router nft -j list counters >"$LAB_TMP/counters.json"
python3 "$LAB_DIR/truth.py" --order "$lan,$wan" --between "$lan,$wan" \
    --own 192.168.1.1,203.0.113.7 --forward 8080 --counters "$LAB_TMP/counters.json" \
    --conntrack "$LAB_TMP/conntrack.new" --since "$since" "$LAB_TMP/any.pcapng" "${rules[@]}" \
    >"$LAB_TMP/truth.json" || corr_die "the truth contradicts itself"
python3 "$LAB_DIR/oracle.py" "$LAB_TMP/any.pcapng" >"$LAB_TMP/packets.tsv"
lab_fields "$LAB_TMP/any.pcapng" "$LAB_TMP/fields.tsv"
lab_report "$LAB_TMP/any.pcapng" "$LAB_TMP/report.json"
title "a packet that passes the router is one packet on two interfaces"
lab_check match "$LAB_TMP/packets.tsv" "$LAB_TMP/fields.tsv"
title "in at one, out at the other"
lab_check hops "$LAB_TMP/packets.tsv" "$LAB_TMP/fields.tsv" "$lan,$wan"
title "drops equal the kernel's counters"
lab_check drops "$LAB_TMP/truth.json" "$LAB_TMP/report.json"
title "translations equal conntrack's"
lab_check nat "$LAB_TMP/truth.json" "$LAB_TMP/report.json"
finish
