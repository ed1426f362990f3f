#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A filter that asks for what later frames tell: in one pass tshark warns, with -2 it answers.
# And how several -z, the words for formats and expert information look.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark jq
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"
corr_readable "$sample"
warning='^corr: the filter ".*" asks for .*tshark -2'

title "one pass: a warning that names the filter and the remedy, once"
for filter in 'corr.dropped' 'tcp && !corr.hop' 'corr.point == "lan" && (corr.match_count>1)'; do
    expect 0 corr_tshark -q -r "$CORR_FILE" -z "corr,flows,text,$filter"
    has err "$warning"
    grep -qF -- "\"$filter\"" "$T/err" || fail "the warning does not name $filter"
    [ "$(grep -c . "$T/err")" -eq 1 ] || fail "more than one line: $(cat "$T/err")"
done

title "also when another table has settled the engine before"
expect 0 corr_tshark -q -r "$CORR_FILE" -z corr,points -z corr,flows,text,corr.dropped
has err "$warning"
expect 0 corr_tshark -q -r "$CORR_FILE" -z corr,flows,text,corr.dropped -z corr,points
has err "$warning"

title "no warning where the answer is whole"
for filter in '' ',tcp.port == 80' ',corr.point == "lan"' ',corr.point'; do
    expect 0 corr_tshark -q -r "$CORR_FILE" -z "corr,flows,text$filter"
    hasnt err .
done
for filter in corr.dropped 'corr.hop == 2' 'corr.point == "lan"'; do
    expect 0 corr_tshark -2 -q -r "$CORR_FILE" -z "corr,flows,text,$filter"
    hasnt err .
    hasnt out '^\(none\)'
done

title "one pass: a display filter or a column that asks for the future is told so, once"
note='^corr: corr\.[a-z_.]+ is known after the last frame only; .*tshark -2'
for words in '-Y corr.dropped' '-Y corr.hop==2||corr.dropped' '-2 -R corr.dropped'; do
    # shellcheck disable=SC2086 # words are several arguments
    expect 0 corr_tshark -r "$CORR_FILE" $words
    has err "$note"
    [ "$(grep -c . "$T/err")" -eq 1 ] || fail "$words: more than one line: $(cat "$T/err")"
done
for words in '-Y corr.point==lan' '-Y tcp' '-V' '-2 -Y corr.dropped' '-2 -Y corr.dropped&&!ip' \
    '-2 -R ip -Y corr.dropped' '-q -z corr,report'; do
    # shellcheck disable=SC2086 # words are several arguments
    expect 0 corr_tshark -r "$CORR_FILE" $words
    hasnt err .
done

title "two passes: each field by itself finds the frames that it has in the whole tree"
sed -nE 's/^ *X\([a-z_0-9]+, *[A-Z0-9]+, *"(corr\.[a-z_.0-9]+)".*/\1/p' \
    "$CORR_SOURCE/plugins/libcorr/view.h" >"$T/fields"
corr_tshark -2 -r "$CORR_FILE" -T json -J corr >"$T/json" 2>"$T/err"
jq -r '.[]._source.layers | .corr | objects | keys[]' "$T/json" | sort | uniq -c |
    awk '{ print $2, $1 }' >"$T/counts"
while read -r field; do
    wanted=$(awk -v field="$field" '$1 == field { print $2 }' "$T/counts")
    expect 0 corr_tshark -2 -r "$CORR_FILE" -Y "$field" -o 'gui.column.format:"No.","%m"'
    got=$(grep -c . "$T/out" || true)
    [ "$got" -eq "${wanted:-0}" ] || fail "$field: $got frames, ${wanted:-0} in the whole tree"
done <"$T/fields"
[ -s "$T/counts" ] || fail "no fields in the whole tree"

title "expert information: a filter, a listener, and one text for each kind"
lost=$(awk '$1 == "corr.dropped" { print $2 }' "$T/counts")
expect 0 corr_tshark -2 -r "$CORR_FILE" \
    -Y 'corr.expert.lost || corr.expert.lost_probably || corr.expert.blocked'
[ "$(grep -c . "$T/out")" -eq "$lost" ] || fail "corr.expert.lost ... are not on $lost frames"
expect 0 corr_tshark -2 -r "$CORR_FILE" -Y '_ws.expert.message contains "Packet lost"'
[ "$(grep -c . "$T/out")" -eq "$lost" ] || fail "_ws.expert.message is not on $lost frames"
expect 0 corr_tshark -2 -q -r "$CORR_FILE" -z expert
counted=$(awk '/ CORR  Packet lost \(/ { sum += $1; rows++ } END { print rows <= 3, sum }' "$T/out")
[ "$counted" = "1 $lost" ] || fail "$lost losses are counted as: $(grep CORR "$T/out")"
expect 0 corr_tshark -2 -r "$CORR_FILE" -Y corr.dropped -O corr
has out 'Expert Info .*Packet lost \(.*\): packet [0-9]+ after '

title "addresses elsewhere: found by network, not shown twice"
expect 0 corr_tshark -2 -r "$CORR_FILE" -Y 'corr.nat.ip == 192.168.0.0/16' -O corr
has out 'Source elsewhere'
hasnt out 'IPv4 address elsewhere'

title "formats in capital letters; several tables are parted by an empty line"
expect 0 corr_tshark -q -r "$CORR_FILE" -z corr,drops,JSON
jq -e .drops "$T/out" >"$T/jq" || fail "JSON is not taken for json"
expect 0 corr_tshark -q -r "$CORR_FILE" -z corr,drops -z corr,points
sed -n 1p "$T/out" | grep -q . || fail "begins with an empty line"
awk '/^(Capture points|Lost packets)/ { print NR == 1 || before == "" ? "parted" : "joined" }
     { before = $0 }' "$T/out" >"$T/titles"
[ "$(paste -sd' ' "$T/titles")" = "parted parted" ] || fail "titles: $(cat "$T/titles")"
if corr_tshark -q -r "$CORR_FILE" -z corr,drops,yaml >"$T/out" 2>"$T/err"; then
    fail "the format yaml is taken"
fi
has err 'formats are text, json and csv'
finish
