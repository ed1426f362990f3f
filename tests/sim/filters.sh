#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each finding's display filter compiles, and shows what the finding speaks of: at least one of
# the frames that prove it. One finding of each rule, from scenarios that have them.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark jq python3
corr_user_begin "$CORR_BUILD"
scenarios=(A06 A08 B13 B14 B18 C10 C12b C15 C17 C18 C19 C20 C21 C22 E06 E09 E10 E12 E14 E18 E21 E23
    E24 F13 F18 G01 G03 J01 J02 J03 J04 J05 J06 J07 J08 J09 L05 L06 L07 L08 L09 L10 L13 L14 L15
    L17b)
python3 "$CORR_SOURCE/tests/sim/mpgen" -o "$T/sim" "${scenarios[@]}" >/dev/null
chmod -R a+rX "$T/sim"
declare -A seen=()

title "filters show the frames that prove their findings"
for scenario in "${scenarios[@]}"; do
    corr_readable "$T/sim/$scenario.pcapng"
    expect 0 corr_tshark -q -r "$CORR_FILE" -z corr,findings,json
    cp "$T/out" "$T/findings.json"
    while IFS=$'\t' read -r rule evidence filter; do
        [ -z "${seen[$rule]:-}" ] || continue
        seen[$rule]=$scenario
        expect 0 corr_tshark -2 -r "$CORR_FILE" -Y "$filter" -T fields -e frame.number
        [ -s "$T/out" ] || fail "$scenario, $rule: $filter shows no frame"
        # shellcheck disable=SC2086
        [ -z "${evidence// /}" ] || printf '%s\n' $evidence | grep -qxFf "$T/out" ||
            fail "$scenario, $rule: $filter shows none of the frames $evidence"
    done < <(jq -r '.findings[] | select(.filter) |
        [.rule, ((.evidence // []) | map(tostring) | join(" ")), .filter] | @tsv' \
        "$T/findings.json" | sed 's/\t\t/\t \t/; s/\\\\/\\/g')
done
printf '%d rules: %s\n' "${#seen[@]}" "${!seen[*]}"
[ "${#seen[@]}" -ge 40 ] || fail "${#seen[@]} rules only"
finish
