#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tshark, as an ordinary user, loads both plug-ins and explains every mistake in -z corr.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark python3 jq
corr_user_begin "$CORR_BUILD"
python "$T" <<'END'
import sys, pcapng as p
with open(sys.argv[1] + "/empty.pcapng", "wb") as out:
    out.write(p.section_header() + p.Interface(1, 65535, [(2, b"lan")]).block())
END
chmod 755 "$T"
empty=$T/empty.pcapng

title "both are listed, and nothing is said about them at the start"
expect 0 corr_tshark -G plugins
has out '^corr\.so[[:space:]]'
has out '^corr-tap\.so[[:space:]]'
hasnt err 'corr|plug-?in'

title "as root the folder is ignored, so the wrapper must not be root"
[ "$(corr_as_user id -u)" -ne 0 ] || fail "corr_as_user runs as root"

title "plug-ins that are missing or do not load are a loud failure"
mkdir -p "$T/other/wireshark/4.0/epan"
echo "no library" >"$T/other/wireshark/4.0/epan/corr.so"
begin_again() (trap corr_clean_up EXIT && CORR_TMP='' && corr_user_begin "$1")
expect 1 begin_again "$T/other"
has err 'does not load corr.so and corr-tap.so from .*wireshark'
expect 1 begin_again "$T"
has err 'no plug-ins in .*: run cmake --build'

title "each field of the list is registered once, under corr."
expect 0 corr_tshark -G fields
mv "$T/out" "$T/all"
awk -F'\t' '$1 == "F" && $3 ~ /^corr\./ { print $3 }' "$T/all" | sort >"$T/registered"
sed -nE 's/^ *X\([a-z_0-9]+, *[A-Z0-9]+, *"(corr\.[a-z_.0-9]+)".*/\1/p' \
    "$CORR_SOURCE/plugins/libcorr/view.h" | sort >"$T/listed"
[ -s "$T/listed" ] || fail "no field found in view.h"
comm -13 "$T/registered" "$T/listed" >"$T/unregistered"
hasnt unregistered .
uniq -d "$T/registered" >"$T/twice"
hasnt twice .

title "each table of the list answers in each format, also for an empty capture"
sed -nE 's/^ *X\(([a-z]+)\).*/\1/p' "$CORR_SOURCE/plugins/libcorr/report/report.h" >"$T/tables"
[ -s "$T/tables" ] || fail "no table found in report.h"
tables=$(paste -sd' ' "$T/tables")
for table in $tables report; do
    expect 0 corr_tshark -q -r "$empty" -z "corr,$table"
    has out .
    expect 0 corr_tshark -q -r "$empty" -z "corr,$table,text"
    expect 0 corr_tshark -q -r "$empty" -z "corr,$table,csv"
    expect 0 corr_tshark -q -r "$empty" -z "corr,$table,json"
    jq -e --arg table "$table" '.schema == "corr-report/1" and
        ($table == "report" or has($table))' "$T/out" >/dev/null 2>"$T/jq" ||
        fail "corr,$table,json: no JSON object with schema and $table: $(head -c 200 "$T/out")"
    expect 0 corr_tshark -q -r "$empty" -z "corr,$table,json,tcp.port == 80 || udp.port in {1, 2}"
done

title "mistakes in -z: status, the value, what is possible"
mistake() {
    local status=0
    corr_tshark -q -r "$empty" -z "$1" >"$T/out" 2>"$T/err" || status=$?
    if [ "$status" -eq 0 ] || [ "$status" -ge 128 ]; then
        fail "exit status $status for -z $1"
    fi
    has err "$2"
}
mistake 'corr' 'segments'
mistake 'corr,' 'segments'
mistake 'corr,nosuch' 'nosuch.*|segments'
has err 'segments'
mistake 'corr,dropsX' 'dropsX'
mistake 'corr,drops,no.such.field == 1' 'no\.such\.field|filter'
mistake 'corr,drops,json,tcp.port ==' 'filter|==|unexpected|syntax'
finish
