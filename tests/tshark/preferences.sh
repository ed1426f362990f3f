#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Preferences, given by -o as in the profile's files: each one changes what it says it changes.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark jq
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"
corr_readable "$sample"

# point ROW... - options for rows of the table of capture points.
point() {
    local row
    options=()
    for row in "$@"; do
        options+=(-o "uat:corr_points:$row")
    done
}

report() { corr_tshark -q -r "$CORR_FILE" "$@" >"$T/out" 2>"$T/err" || fail "exit status $?: $*"; }

title "the table of capture points names interfaces by number, by section and number, by pattern"
point '"0","branch","","",""' '"1/1","tap","","",""' '"l?n","inside","","",""' \
    '"*","rest","","",""'
report "${options[@]}" -z corr,points,json
jq -r '.points[].name' "$T/out" >"$T/names"
printf '%s\n' branch tap inside rest 'rest#2' >"$T/wanted"
same "$T/names" "$T/wanted"

title "the first row that fits counts; one without a name keeps the interface's"
point '"server","","","probe",""' '"server","late","","",""'
report "${options[@]}" -z corr,points,json
[ "$(jq -r '.points[4].name' "$T/out")" = server ] || fail "$(jq -r '.points[4].name' "$T/out")"

title "an offset is what was set, if clocks are corrected manually; and zero if not at all"
point '"client","","","","-0.000250000"' '"server","","","","1.5"'
report "${options[@]}" -o corr.correction:manual -z corr,points,json
jq -r '.points[] | [.name, .clock.offset_s] | @tsv' "$T/out" >"$T/offsets"
awk -F '\t' 'NR == FNR { if ($1 == "lan") base = $2; next }
    { wanted["client"] = -0.00025; wanted["server"] = 1.5
      d = $2 - base - wanted[$1]; if (d > 1e-9 || d < -1e-9) print "differs:", $0 }' \
    "$T/offsets" "$T/offsets" >"$T/differences"
hasnt differences .
report -o corr.correction:off -z corr,points,json
[ "$(jq '[.points[].clock.offset_s // 0] | unique == [0]' "$T/out")" = true ] ||
    fail "offsets with correction off: $(jq -c '[.points[].clock.offset_s]' "$T/out")"

title "a limit of memory: packets above it are counted; tables and expert information say so"
report -o corr.memory:1 -z corr,points
has out '^The limit of memory was reached at frame [0-9]+: from there on, [0-9]+ frames are'
report -o corr.memory:1 -z corr,drops,json
[ "$(jq '[.notes[] | select(test("limit of memory"))] | length' "$T/out")" -eq 1 ] ||
    fail "notes: $(jq -c .notes "$T/out")"
expect 0 corr_tshark -2 -r "$CORR_FILE" -o corr.memory:1 -Y corr.expert.limit \
    -T fields -e frame.number -e corr.point
[ "$(grep -cE '^[0-9]+.(client|bridge|lan|wan|server)$' "$T/out")" -eq 1 ] ||
    fail "the limit is told on: $(cat "$T/out")"
expect 0 corr_tshark -2 -r "$CORR_FILE" -o corr.memory:1 -Y '!corr.point'
hasnt out .
report -z corr,points
hasnt out 'limit'

title "limits of grades: the figure is graded by them, and says so"
report -z corr,layers,json
jq -c '[.layers[].figures[]? | select(.metric == "rtt")][0] | [.quality, .good_s, .degraded_s]' \
    "$T/out" >"$T/before"
[ "$(cat "$T/before")" = '["excellent",0.1,0.3]' ] || fail "by itself: $(cat "$T/before")"
report -o 'uat:corr_limits:"rtt","0.1 us","0.001 ms"' -z corr,layers,json
jq -c '[.layers[].figures[]? | select(.metric == "rtt")][0] |
    [.quality, .good_s, .degraded_s, .source]' "$T/out" >"$T/after"
jq -e '. == ["poor", 1e-7, 1e-6, "preference"]' "$T/after" >/dev/null || fail "limited: $(cat "$T/after")"
for row in '"rrt","1 ms","2 ms"' '"rtt","1 %","2 %"' '"loss","2 %","1 %"' '"rtt","","1 s"'; do
    if corr_tshark -r "$CORR_FILE" -o "uat:corr_limits:$row" -z corr,layers >"$T/out" 2>"$T/err"; then
        fail "accepted: $row"
    fi
    has err 'is none of capture_loss, rtt|are not two ascending (times|shares), such as'
done

title "the point to export"
for name in server lan; do
    expect 0 corr_tshark -2 -r "$CORR_FILE" -o "corr.export_point:$name" \
        -U "CORR one copy per packet" -w "$CORR_OUT/$name.pcapng"
    corr_tshark_plain -r "$CORR_OUT/$name.pcapng" -T fields -e frame.time_epoch |
        sort >"$T/exported"
    corr_tshark_plain -r "$CORR_FILE" -Y "frame.interface_name == \"$name\"" -T fields \
        -e frame.time_epoch | sort >"$T/captured"
    comm -13 "$T/exported" "$T/captured" >"$T/left"
    hasnt left .
done

title "tunnels: each can be left closed"
sed -nE 's/^ *X\([A-Z0-9]+, *"([a-z0-9-]+)", *true\).*/\1/p' \
    "$CORR_SOURCE/plugins/libcorr/parse/parse.h" | tr - _ >"$T/tunnels"
[ "$(grep -c . "$T/tunnels")" -gt 5 ] || fail "no list of tunnels"
while read -r tunnel; do
    report -o "corr.tunnel_$tunnel:FALSE" -z corr,points,csv
done <"$T/tunnels"

title "what is wrong is named, with what would be right"
wrong() {
    local message=$1
    shift
    if corr_tshark -q -r "$CORR_FILE" -z corr,points "$@" >"$T/out" 2>"$T/err"; then
        fail "accepted: $*"
    fi
    has err "$message"
}
wrong 'Interface: which one' -o 'uat:corr_points:"","x","","",""'
wrong '"first" is no number' -o 'uat:corr_points:"0","x","first","",""'
wrong '"0" is no number' -o 'uat:corr_points:"0","x","0","",""'
wrong '"1h" is no number of seconds' -o 'uat:corr_points:"0","x","","","1h"'
finish
