#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The profile "Correlation": its files are read without complaint, every filter in them is one, and
# its columns hold the answers.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"
corr_readable "$sample"
profile=$CORR_SOURCE/epan-hooks/profile/Correlation
profiles=$CORR_TMP/home/.config/wireshark/profiles
mkdir -p "$profiles"
cp -r "$profile" "$profiles/"
chmod -R a+rwX "$CORR_TMP/home"

title "its columns: point, packet, hop, latency, translation, fate"
expect 0 corr_tshark -2 -C Correlation -r "$CORR_FILE" -Y 'frame.number in {10, 2088}'
hasnt err .
has out '^ *10 [0-9.]+ wan [0-9]+ 4 0\.[0-9]+ .*SNAT 192\.168\.1\.10:[0-9]+ -> 203\.0\.113\.7'
has out '^ *2088 .* lan 428 3 .*lost before wan \(confirmed, ttl\)'

title "each filter of the colours, the buttons and the graphs finds something, or could"
sed -nE 's/^@[^@]*@([^@]*)@.*/\1/p' "$profile/colorfilters" >"$T/filters"
sed -nE 's/^"TRUE","[^"]*","([^"]*)".*/\1/p' "$profile/dfilter_buttons" >>"$T/filters"
sed -nE 's/^"(En|Dis)abled","[^"]*","([^"]*)".*/\2/p' "$profile/io_graphs" >>"$T/filters"
[ "$(grep -c . "$T/filters")" -gt 15 ] || fail "filters: $(cat "$T/filters")"
sort -u "$T/filters" | while read -r filter; do
    # A reference to the selected packet needs one: its own form is tried with a number.
    expect 0 corr_tshark -2 -r "$CORR_FILE" -Y "$(sed -E 's/\$\{[a-z_.]+\}/74/' <<<"$filter")"
    printf '%s %s\n' "$(grep -c . "$T/out")" "$filter"
    [ "$failures" -eq 0 ] || exit 1
done >"$T/counts" || failures=$((failures + 1))
sed 's/^/    /' "$T/counts"
for filter in corr.dropped corr.nat corr.tcp.lost_between; do
    grep -qE "^[1-9][0-9]* $filter$" "$T/counts" || fail "$filter finds nothing in the sample"
done

title "colours: a rule for what is lost stands before all others"
expect 0 corr_tshark -2 --color -C Correlation -r "$CORR_FILE" -T fields -e frame.coloring_rule.name \
    -Y corr.dropped
[ "$(sort -u "$T/out")" = "Correlation: lost" ] || fail "$(sort "$T/out" | uniq -c)"
finish
