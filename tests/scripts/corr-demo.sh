#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# corr-demo: prints the report, and the commands it proposes do what they say.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark cmake ninja python3 jq
demo=$SCRIPTS/corr-demo
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"

title "the sample's report, the same as tshark's, and only that on standard output before Next"
expect 0 "$demo" --build "$CORR_BUILD"
mv "$T/out" "$T/demo"
corr_readable "$sample"
expect 0 corr_tshark -q -r "$CORR_FILE" -z corr,report
sed '/^Next (/,$d' "$T/demo" | sed '$d' >"$T/report"
same "$T/out" "$T/report"

title "the proposed commands work"
sed -n 's/^    \(tshark .*-z corr,report,json\) | jq \.[a-z]*$/\1/p' "$T/demo" >"$T/command"
has command '^tshark -q'
read -ra line < <(sed "s|$(printf '%q' "$(realpath "$sample")")|$CORR_FILE|" "$T/command")
expect 0 corr_tshark "${line[@]:1}"
jq -e .segments "$T/out" >"$T/jq" || fail "no segments in the JSON report"
packet=$(sed -n "s/.*'corr.match_id == \([0-9]*\)'.*/\1/p" "$T/demo")
[ -n "$packet" ] || fail "no packet to look at"
expect 0 corr_tshark -2 -r "$CORR_FILE" -Y "corr.match_id == ${packet:-0}" -T fields -e corr.point
[ "$(sort -u "$T/out" | wc -l)" -ge 2 ] || fail "packet ${packet:-none} was not at two points"

title "a capture that only its owner can read"
mkdir -m 700 "$T/closed"
cp "$sample" "$T/closed/my capture.pcapng"
chmod 600 "$T/closed/my capture.pcapng"
expect 0 "$demo" --build "$CORR_BUILD" --file "$T/closed/my capture.pcapng" -v
has out 'my\\ capture\.pcapng'
has err '^\+ WIRESHARK_PLUGIN_DIR='
sed '/^Next (/,$d' "$T/out" | sed '$d' >"$T/again"
same "$T/report" "$T/again"

title "mistakes"
expect 1 "$demo" --build "$CORR_BUILD" --file "$T/absent.pcapng"
has err 'no such file: ".*absent.pcapng"'
expect 2 "$demo" --file
has err '--file needs a value'
expect 2 "$demo" sample.pcapng
has err 'unknown argument "sample.pcapng"'
echo "this is not a capture" >"$T/text.pcap"
expect 1 "$demo" --build "$CORR_BUILD" --file "$T/text.pcap"
has err 'could not report ".*text.pcap"'
finish
