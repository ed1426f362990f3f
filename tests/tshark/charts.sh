#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Wireshark's own windows, as tshark prints them: the same numbers as in the tables.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark jq
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"
corr_readable "$sample"
corr_tshark -q -r "$CORR_FILE" -z corr,report,json >"$T/json"

title "every table has a window, with the rows of -z corr and its numbers; with a filter, too"
tables=$(sed -nE '/define CORR_TABLES/,/clang-format on/s/^ *X\(([a-z]+)\).*/\1/p' \
    "$CORR_SOURCE/plugins/libcorr/report/report.h")
for table in $tables; do
    for filter in '' 'udp || icmp'; do
        expect 0 corr_tshark -q -r "$CORR_FILE" -z "corrtable,$table${filter:+,$filter}"
        hasnt err .
        mv "$T/out" "$T/window"
        expect 0 corr_tshark -q -r "$CORR_FILE" -z "corr,$table,json${filter:+,$filter}"
        jq -r --arg table "$table" '
            def leaves: if type == "object" then .[] | leaves else . end;
            .[$table][] | [leaves | select(type == "string" or type == "number") | tostring] | @tsv' \
            "$T/out" >"$T/rows"
        [ -n "$filter" ] || [ -s "$T/rows" ] || [ "$table" = phases ] || fail "$table: no rows"
        python "$T/window" "$T/rows" >"$T/wrong" <<'END' || fail "$table: cannot compare"
import re
import sys

window, rows = (open(name, encoding="utf-8").read().splitlines() for name in sys.argv[1:])
shown = [[cell.strip() for cell in line.split(" |")] for line in window if line.endswith(" |")]
shown = shown[1:]  # without the heading
if [cells[0] for cells in shown] != [str(i + 1) for i in range(len(rows))]:
    print(f"{len(shown)} rows in the window, {len(rows)} in the table")
for cells, row in zip(shown, rows):
    text = " ".join(cells[1:])
    # Objects in objects stand in one cell: "min (ms) 0.05, n 32".
    numbers = [float(word) for word in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])", text)]
    for value in row.split("\t"):
        try:
            number = float(value)
        except ValueError:
            if value.replace("\\n", "\n") not in text:
                print(f"not in the window: {value!r}: {text}")
            continue
        # Seconds are shown as milliseconds, shares as per cent; JSON has ppm to three decimals.
        same = ((number, 0 if number.is_integer() else 6e-4), (number * 1000, 2e-6),
                (number * 100, 6e-5))
        if not any(abs(shown - wanted) <= error for shown in numbers for wanted, error in same):
            print(f"not in the window: {value}: {text}")
END
        hasnt wrong .
        jq -r '.notes[]? | "Note: " + .' "$T/out" >"$T/notes"
        grep '^Note: ' "$T/window" >"$T/shown" || true
        same "$T/shown" "$T/notes"
    done
done

title "there is no window for what is no table"
if corr_tshark -q -r "$CORR_FILE" -z corrtable,dropsX >"$T/out" 2>"$T/err"; then
    fail "accepted: corrtable,dropsX"
fi
has err 'no table "corrtable,dropsX"; did you mean "corrtable,drops"'

title "response times: a row per segment, with as many packets as the table has latencies of"
expect 0 corr_tshark -2 -q -r "$CORR_FILE" -z corr,srt
sed -nE 's/^ *[0-9]+  (.+ > [^ ]+) +([0-9]+) +([0-9.]+) +([0-9.]+) .*/\1\t\2\t\3\t\4/p' "$T/out" |
    LC_ALL=C sort >"$T/srt"
jq -r '.segments[] | select(.to) | [.from + " > " + .to, .packets,
    (.latency_s.min * 1e6 | round / 1e6), (.latency_s.max * 1e6 | round / 1e6)] | @tsv' "$T/json" |
    LC_ALL=C sort >"$T/segments"
[ "$(grep -c . "$T/srt")" -eq "$(grep -c . "$T/segments")" ] || fail "$(cat "$T/srt")"
paste "$T/srt" "$T/segments" | awk -F '\t' '
    $1 != $5 || $2 != $6 || ($3 - $7) ^ 2 > 2.5e-12 || ($4 - $8) ^ 2 > 2.5e-12 { print }' >"$T/wrong"
hasnt wrong .

title "the tree of paths: every packet once, every loss where the table has it"
for passes in "" -2; do
    # shellcheck disable=SC2086 # none or one word
    expect 0 corr_tshark $passes -q -r "$CORR_FILE" -z corr_paths,tree
    cp "$T/out" "$T/tree$passes"
done
same "$T/tree" "$T/tree-2"
packets=$(corr_tshark -2 -r "$CORR_FILE" -T fields -e corr.match_id | tr , '\n' | sort -u | grep -c .)
has out "^Packets +$packets "
lost=$(sed -nE 's/^ *lost before .*\) +([0-9]+) .*/\1/p' "$T/out" |
    awk '{ n += $1 } END { print n + 0 }')
[ "$lost" -eq "$(jq '.drops | length' "$T/json")" ] || fail "$lost losses in the tree"
has out '^ client > bridge > lan > wan > server +[0-9]+ '
has out '^  lost before wan \(blocked\) +[34] '

title "the tree of phases: as many transactions and phases of each kind as the table has"
for filter in "" dns 'ip.addr == 198.51.100.5'; do
    expect 0 corr_tshark -q -r "$CORR_FILE" -z "corr_phases,tree${filter:+,$filter}"
    # Transactions, then kinds, then phases: one blank more for each.
    awk '/^ ?[A-Za-z0-9]+ +[0-9]+ / && !/^Topic/ { sub(/^ /, "k "); print $1 == "k" ? "kind " $2 " " $3 : "all " $2 }
         /^  [a-z]+ +[0-9]+ / { phases[$1] += $2 }
         END { for (name in phases) print "phase " name " " phases[name] }' "$T/out" | sort >"$T/tree"
    expect 0 corr_tshark -q -r "$CORR_FILE" -z "corr,phases,json${filter:+,$filter}"
    jq -r '.phases | "all \(length)", (group_by(.kind)[] | "kind \(.[0].kind) \(length)"),
        ([.[].phases[]?] | group_by(.name)[] | "phase \(.[0].name) \(length)")' "$T/out" |
        sort >"$T/table"
    same "$T/tree" "$T/table"
done

title "the ladder: columns in path order, latencies, translations and losses on the arrows"
expect 0 corr_tshark -2 -q -r "$CORR_FILE" -z flow,corr,standard
sed -n 1,2p "$T/out" | tr -s '| ' '\n' | grep -xE 'client|bridge|lan|wan|server' | sort >"$T/columns"
printf '%s\n' bridge client lan server wan >"$T/wanted"
same "$T/columns" "$T/wanted"
head -n 1 "$T/out" | grep -qE '\| client +\| lan +\| server' || fail "$(head -n 2 "$T/out")"
sed -n 2p "$T/out" | grep -qE '\| bridge +\| +\| wan' || fail "$(head -n 2 "$T/out")"
has out '#[0-9]+ [0-9.]+ µs SNAT'
has out '#[0-9]+ LOST policy'
arrows=$(grep -cE -- '(--->|<---)' "$T/out")
steps=$(jq '[.segments[] | .packets + .lost] | add' "$T/json")
[ "$arrows" -eq "$steps" ] || fail "$arrows arrows, $steps steps and losses in the table"
finish
