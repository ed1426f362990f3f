#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What Wireshark itself says about a capture is the same with and without the plug-ins.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"
corr_readable "$sample"

# The tree's one item of ours starts a block at column 0; the fields follow indented.
without_ours() {
    awk '/^[^ ]/ { ours = /^Correlation/ } /^$/ { ours = 0 } !ours' |
        sed -E '/^    \[Protocols in frame: /s/:corr\b//g'
}

compare() {
    local status=0
    title "tshark $*"
    corr_tshark_plain -r "$CORR_FILE" "$@" >"$T/plain" 2>"$T/plain-err" || status=$?
    expect "$status" corr_tshark -r "$CORR_FILE" "$@"
    without_ours <"$T/plain" >"$T/wanted"
    without_ours <"$T/out" >"$T/got"
    [ -s "$T/wanted" ] || fail "nothing to compare"
    same "$T/wanted" "$T/got"
    same "$T/plain-err" "$T/err"
}
compare
compare -2
compare -V
compare -2 -V
compare -x
compare -q -z expert
compare -q -z io,phs
compare -q -z conv,tcp
compare -2 -Y 'tcp.analysis.flags'
compare -2 -R 'tcp' -Y 'tcp.flags.syn == 1'
compare -T fields -e frame.number -e ip.id -e tcp.stream -e _ws.col.Info

title "and the plug-ins did work meanwhile"
expect 0 corr_tshark -2 -r "$CORR_FILE" -Y corr.match_id -T fields -e corr.point
has out .
finish
