#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One copy of each packet: what is exported is, for Wireshark's own TCP analysis, the capture of a
# single point.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark editcap jq
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"
corr_readable "$sample"
merged=$CORR_FILE
name='CORR one copy per packet'

# All that Wireshark says of the TCP packets of a file, by conversation.
analysis() {
    corr_tshark_plain -2 -r "$1" -Y tcp -T fields -E separator=' ' \
        -e ip.src -e tcp.srcport -e ip.dst -e tcp.dstport -e frame.time_epoch -e tcp.seq -e tcp.ack \
        -e tcp.len -e tcp.analysis.retransmission -e tcp.analysis.fast_retransmission \
        -e tcp.analysis.spurious_retransmission -e tcp.analysis.out_of_order \
        -e tcp.analysis.duplicate_ack_num -e tcp.analysis.lost_segment \
        -e tcp.analysis.ack_lost_segment -e tcp.analysis.ack_rtt -e tcp.analysis.bytes_in_flight
}

title "the sample: conversations that began at client as client saw them, the others as server did"
expect 0 corr_tshark -2 -r "$merged" -U "$name" -w "$CORR_OUT/clean.pcapng"
hasnt err '^corr'
for point in client server; do
    corr_tshark_plain -r "$merged" -Y "frame.interface_name == \"$point\"" -w "$point.pcapng"
done
analysis "$CORR_OUT/clean.pcapng" >"$T/clean"
analysis "$CORR_OUT/client.pcapng" | grep -v ' 8080 ' >"$T/single"
analysis "$CORR_OUT/server.pcapng" | grep ' 8080 ' >>"$T/single"
sort "$T/clean" >"$T/clean.sorted"
sort "$T/single" >"$T/single.sorted"
[ "$(grep -c . "$T/single")" -gt 300 ] || fail "the single captures hold no TCP"
grep -q ' 8080 ' "$T/single" || fail "no conversation began at the server"
same "$T/clean.sorted" "$T/single.sorted"
corr_tshark_plain -r "$CORR_OUT/clean.pcapng" -Y tcp.analysis.retransmission >"$T/clean.real"
corr_tshark_plain -r "$merged" -Y tcp.analysis.retransmission >"$T/merged.real"
real=$(grep -c . "$T/clean.real") false=$(grep -c . "$T/merged.real")
if [ "$real" -eq 0 ] || [ "$false" -le $((10 * real)) ]; then
    fail "retransmissions: $real in the copy, $false in the merged file"
fi

title "every packet that reached the chosen point, once"
copies=$(corr_tshark_plain -r "$CORR_OUT/clean.pcapng" | grep -c .)
# Segments that were lost on their way to the client are none of what it saw.
wanted=$(jq '.packets - (.drops[] | select(.rule == "bulk_down") | .packets)' \
    "$CORR_SOURCE/tests/sample/truth.json")
[ "$copies" -eq "$wanted" ] || fail "$copies packets are exported, not $wanted"

title "the copy of the copy is the same"
expect 0 corr_tshark -2 -r "$CORR_OUT/clean.pcapng" -U "$name" -w "$CORR_OUT/again.pcapng"
for file in clean again; do
    corr_tshark_plain -r "$CORR_OUT/$file.pcapng" -x >"$T/$file.hex"
done
same "$T/clean.hex" "$T/again.hex"

title "one pass: nothing, and why"
expect 0 corr_tshark -r "$merged" -U "$name" -w "$CORR_OUT/early.pcapng"
has err '^corr: nothing was exported: .*tshark -2'

title "two link types: each has its export, and each says what the other holds"
editcap -L -C 14 -T rawip "$CORR_OUT/client.pcapng" "$CORR_TMP/in/client-raw.pcap" 2>"$T/err"
editcap -F nsecpcap "$CORR_OUT/server.pcapng" "$CORR_TMP/in/server.pcap" 2>>"$T/err"
"$SCRIPTS/corr-merge" client="$CORR_TMP/in/client-raw.pcap" server="$CORR_TMP/in/server.pcap" \
    -o "$CORR_TMP/in/mixed.pcapng" >>"$T/err" 2>&1 || fail "no merged file: $(cat "$T/err")"
chmod 644 "$CORR_TMP/in/mixed.pcapng"
expect 0 corr_tshark -2 -r "$CORR_TMP/in/mixed.pcapng" -U "$name (raw IP)" -w "$CORR_OUT/raw.pcapng"
has err '^corr: [0-9]+ more packets have another link type .*"CORR one copy per packet"'
[ "$(sed -nE 's/^corr: ([0-9]+) more.*/\1/p' "$T/err")" -gt 0 ] || fail "no number"
analysis "$CORR_OUT/raw.pcapng" | sort >"$T/raw"
analysis "$CORR_OUT/client.pcapng" | grep -v ' 8080 ' | sort >"$T/client"
same "$T/raw" "$T/client"
expect 0 corr_tshark -2 -r "$CORR_TMP/in/mixed.pcapng" -U "$name" -w "$CORR_OUT/ether.pcapng"
has err '^corr: [0-9]+ more packets have another link type .*"CORR one copy per packet \(raw IP\)"'
analysis "$CORR_OUT/ether.pcapng" | sort >"$T/ether"
analysis "$CORR_OUT/server.pcapng" | grep ' 8080 ' | sort >"$T/server"
same "$T/ether" "$T/server"

title "all link types in one file, for Wireshark: what the exports of single ones hold"
expect 0 corr_tshark -2 -r "$CORR_TMP/in/mixed.pcapng" \
    -U "$name (all link types, for Wireshark)" -w "$CORR_OUT/all.pcapng"
hasnt err '^corr'
analysis "$CORR_OUT/all.pcapng" | sort >"$T/all"
sort "$T/raw" "$T/ether" >"$T/both"
same "$T/all" "$T/both"
finish
