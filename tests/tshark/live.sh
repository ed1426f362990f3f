#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Frames that are being captured: what the past tells is shown at once, and agrees with what is
# known in the end; the end of the capture tells everything.  The sample, moved to this moment,
# stands in for a capture: the plug-ins cannot tell the difference.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need tshark editcap python3
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
corr_user_begin "$CORR_BUILD"

# Moves a capture to now: its first frame's time becomes that of this call, plus a second.
begun=$(corr_tshark -r "$sample" -c 1 -T fields -e frame.time_epoch)
to_now() {
    editcap -t "$(python3 -c "import time; print('%.9f' % (time.time() + 1 - $begun))")" \
        "$sample" "$CORR_OUT/now.pcapng"
}
fields=(-T fields -E occurrence=f -e frame.number -e corr.match_id -e corr.first_frame -e corr.prev_frame
    -e corr.hop -e corr.nat -e corr.hop_latency -e corr.hop_latency.error)

title "an old file in one pass says nothing of this, a capture does"
expect 0 corr_tshark -r "$sample" -Y corr.hop
hasnt out .
to_now
expect 0 corr_tshark -n -r "$CORR_OUT/now.pcapng" "${fields[@]}"
hasnt err .
cp "$T/out" "$T/early"
corr_tshark -2 -n -r "$sample" "${fields[@]}" >"$T/late"

title "what is told at once agrees with what is known in the end"
python3 - "$T/early" "$T/late" <<'END' >"$T/judged" || fail "$(cat "$T/judged")"
import sys
def read(path):
    return [line.rstrip("\n").split("\t") for line in open(path)]
early, late = read(sys.argv[1]), read(sys.argv[2])
told = hops = nats = latencies = wrong = 0
packets = {}
for a, b in zip(early, late):
    number, packet, first, prev, hop, nat, latency, error = a
    if packet:
        # one number, one packet: not the same numbers, but the same frames share one
        if packets.setdefault(packet, b[1]) != b[1]:
            wrong += 1
            print("frame", number, "shares early number", packet, "with another packet")
    if prev:
        told += 1
        if first != b[2] and b[2]:
            wrong += 1
            print("frame", number, "first", first, "is", b[2])
    if hop and b[4]:
        hops += 1
        # a point whose frame comes later in the file is not counted yet
        if int(hop) > int(b[4]):
            wrong += 1
            print("frame", number, "hop", hop, "is", b[4])
    if nat:
        nats += 1
        if nat != b[5]:
            wrong += 1
            print("frame", number, "nat", nat, "is", b[5])
    if latency and b[6]:
        latencies += 1
        if abs(float(latency) - float(b[6])) > float(error) + float(b[7]) + 1e-9 and prev == b[3]:
            wrong += 1
            print("frame", number, "latency", latency, "+-", error, "is", b[6])
print(len(early), "frames,", told, "follow another,", nats, "translated,", latencies, "latencies")
sys.exit(wrong > 0 or told < len(early) / 3 or nats < 100 or latencies < len(early) / 4)
END
cat "$T/judged"

title "at the end of the capture the tables are those of the file"
to_now
expect 0 corr_tshark -q -r "$CORR_OUT/now.pcapng" -z corr,report,json
cp "$T/out" "$T/now.json"
expect 0 corr_tshark -q -r "$sample" -z corr,report,json
same "$T/out" "$T/now.json"

title "a filter that wants the future is told what helps in a capture"
to_now
expect 0 corr_tshark -q -r "$CORR_OUT/now.pcapng" -z corr,flows,text,corr.dropped
has err 'tshark -2 -r with a file written by -w'
finish
