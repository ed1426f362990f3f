#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# corr.tcp.* of a merged file is what Wireshark 4.4 says of each point's own capture, frame by frame;
# each difference is printed, and is Wireshark's mistake by the simulator's truth.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../chroots.sh
. "$(dirname "${BASH_SOURCE[0]}")/../chroots.sh"

need tshark python3
corr_user_begin "$CORR_BUILD"
mkdir "$T/points"

# The reference: this tshark if it is new enough, else Debian trixie's.
if corr_tshark_plain --version | head -n 1 | grep -qE '\b(4\.[4-9]|4\.[1-9][0-9]|[5-9]\.)'; then
    reference() { corr_tshark_plain "$@"; }
else
    corr_chroot_need trixie
    reference() { corr_chroot_run trixie tshark "$@"; }
fi

# Wireshark's names of the fields, in the order of EVENTS in wireshark.py.
events=(retransmission fast_retransmission spurious_retransmission out_of_order duplicate_ack
    zero_window window_full keep_alive lost_segment ack_lost_segment)

# FILE: tables NAME.corr and NAME.points of a merged file.
tables() {
    local name=$1 file=$2 point
    local -a ours=() theirs=() points
    for event in "${events[@]}"; do
        ours+=(-e "corr.tcp.$event")
        theirs+=(-e "tcp.analysis.$event")
    done
    corr_readable "$file"
    corr_tshark -2 -r "$CORR_FILE" -T fields -e frame.number -e corr.point -e corr.match_id \
        "${ours[@]}" >"$T/$name.corr"
    corr_tshark_plain -r "$CORR_FILE" -T fields -e frame.interface_id -e frame.number >"$T/frames"
    mapfile -t points < <(cut -f 1 "$T/frames" | sort -nu)
    : >"$T/$name.points"
    for point in "${points[@]}"; do
        corr_tshark_plain -r "$CORR_FILE" -Y "frame.interface_id == $point" -w "$CORR_OUT/point.pcapng"
        cp "$CORR_OUT/point.pcapng" "$T/points/point.pcapng"
        chmod 644 "$T/points/point.pcapng"
        awk -v point="$point" '$1 == point { print $2 }' "$T/frames" >"$T/numbers"
        reference -r "$T/points/point.pcapng" -T fields "${theirs[@]}" 2>/dev/null |
            paste "$T/numbers" - >>"$T/$name.points"
    done
}

# Clean ones, translated ones; losses, timers, offload, capture loss, reordering, windows.
for id in A02 B01 C03 C07 C09 C10 C11 C14 C15 C21 E14 E15 F08 L13; do
    title "$id"
    expect 0 python3 "$CORR_SOURCE/tests/sim/mpgen" -o "$T" "$id"
    tables "$id" "$T/$id.pcapng"
    expect 0 python3 "$CORR_SOURCE/tests/sim/wireshark.py" "$T/$id.points" "$T/$id.corr" \
        "$T/$id.truth.jsonl"
    sed 's/^/    /' "$T/out"
    case $id in A* | B01) hasnt out 'retransmission|ack|window|segment|order' ;; esac
done

title "real hosts: the sample"
tables sample "$CORR_SOURCE/tests/sample/sample.pcapng"
expect 0 python3 "$CORR_SOURCE/tests/sim/wireshark.py" "$T/sample.points" "$T/sample.corr"
sed 's/^/    /' "$T/out"
has out '^equal: [0-9]{2,} retransmission, .*[0-9]{2,} duplicate_ack'
finish
