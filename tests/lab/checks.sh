#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab's judge itself: check.py accepts true answers and refuses each kind of wrong one. Needs
# neither root nor plug-ins.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"

check=$LAB_DIR/check.py
cd "$T" || exit 1
# refuse WORD ARG...: judged wrong, by the judge and not by an accident.
refuse() {
    expect 1 python3 "$check" "$@"
    has err "^check.py $1: "
}
# Packet 1 passes a, b, c; packet 2 is lost after b; packet 3 returns.
printf '%s\n' $'1\ttcp\t1\ta:1 b:2 c:3' $'2\ttcp\t1\ta:4 b:5' $'3\tudp\t1\tc:6 b:7 a:8' >packets
# fields LINE...: frame, match_id, hop, then nothing.
fields() { printf '%s\n' "$@" | tr ' ' '\t' >fields; }
good=('1 1 1' '2 1 2' '3 1 3' '4 2 1' '5 2 2' '6 3 1' '7 3 2' '8 3 3')

title "true matches and hops pass"
fields "${good[@]}"
expect 0 python3 "$check" match packets fields
has out '7 true pairs, 0 wrong, 0 missing'
expect 0 python3 "$check" hops packets fields a,b,c

title "a frame in the wrong packet is refused"
fields "${good[@]:0:4}" '5 1 2' "${good[@]:5}"
refuse match packets fields
has err '^check.py match: wrong: \(1, 5\).*missing: \(4, 5\)'

title "a missing match is refused"
fields "${good[@]:0:7}" '8 4 1'
refuse match packets fields
has out ' 0 wrong, 2 missing'

title "a wrong hop and too many absent ones are refused"
fields "${good[@]:0:5}" '6 3 3' '7 3 2' '8 3 1'
refuse hops packets fields a,b,c
fields '1 1' "${good[@]:1}"
refuse hops packets fields a,b,c
has err '1 of 8 are absent'

title "no plug-in, no pass"
fields 1 2 3 4 5 6 7 8
refuse match packets fields
has err 'is the plug-in loaded'

title "drops"
cat >truth.json <<'JSON'
{"between": ["b", "c"], "drops": [{"rule": "r", "after": "b", "before": "c", "packets": 2}],
 "dropped_frames": [{"frame": 5, "after": "b", "before": "c"},
                    {"frame": 9, "after": "b", "before": "c"}],
 "expired_frames": [{"frame": 11, "after": "b", "before": "c"}],
 "nat": [{"kind": "snat", "protocol": "tcp", "from": "b", "to": "c",
          "before": {"src": "10.0.0.1", "src_port": 5, "dst": "10.9.0.1", "dst_port": 80},
          "after": {"src": "10.1.0.1", "src_port": 7, "dst": "10.9.0.1", "dst_port": 80}}]}
JSON
# report SCRIPT: the true report, changed by Python statements on the rows d and the table n.
report() {
    python3 - "$1" >report.json <<'PY'
import json, sys
truth = json.load(open("truth.json"))
d = [{"frame": f, "after": "b", "before": "c", "verdict": "confirmed"} for f in (5, 9)]
d.append({"frame": 11, "after": "b", "before": "c", "verdict": "confirmed", "cause": "ttl"})
n = truth["nat"]
exec(sys.argv[1])
print(json.dumps({"drops": d, "nat": n}))
PY
}
report pass
expect 0 python3 "$check" drops truth.json report.json
report 'd[0] = {"packets": 1, "after": "b", "before": "c", "verdict": "probable"}'
expect 0 python3 "$check" drops truth.json report.json
for wrong in 'd.pop(0)' 'd[0]["frame"] = 6' 'd[0]["before"] = "a"' 'd[0]["verdict"] = "maybe"' \
    'd.append(dict(d[0], frame=7))' 'd[2].pop("cause")' 'd[0]["cause"] = "ttl"' 'd.pop(2)'; do
    title "drops refused after: $wrong"
    report "$wrong"
    refuse drops truth.json report.json
done

title "segments and drops of one report"
segments() { printf '{"segments": [%s], "drops": [%s]}\n' "$1" "$2" >report.json; }
row='{"from": "b", "to": "c", "lost": 2}'
segments "$row" '{"after": "b", "before": "c", "packets": 2}'
expect 0 python3 "$check" segments report.json
segments "$row" '{"after": "b", "before": "c", "frame": 1}'
refuse segments report.json
segments "$row" '{"after": "a", "before": "c", "packets": 2}'
refuse segments report.json

title "causes"
lost() { printf '{"drops": [%s]}\n' "$1" >report.json; }
causes() { python3 "$LAB_DIR/causes.py" judge report.json b c 2 "$1"; }
lost '{"after": "b", "before": "c", "packets": 2, "cause": "queue"}'
expect 0 causes queue,none
lost '{"after": "b", "before": "c", "packets": 2}'
expect 0 causes queue,none
for wrong in '{"after": "b", "before": "c", "packets": 1, "cause": "queue"}' \
    '{"after": "b", "before": "c", "packets": 2, "cause": "mtu"}' \
    '{"after": "b", "packets": 2, "cause": "queue"}' \
    '{"after": "a", "before": "c", "cause": "queue"}' ''; do
    title "causes refused: $wrong"
    lost "$wrong"
    expect 1 causes queue
    has err '^causes.py judge: '
done

title "another clock"
python3 "$LAB_DIR/causes.py" clock "$CORR_SOURCE/tests/sample/sample.pcapng" later.pcapng 7200.5 100
expect 0 env PYTHONPATH="$LAB_DIR" python3 - "$CORR_SOURCE/tests/sample/sample.pcapng" <<'PY'
import sys
import capture
old, new = capture.read(sys.argv[1]), capture.read("later.pcapng")
start = old[0].time_ns
assert len(old) == len(new) > 0
for a, b in zip(old, new):
    true = a.time_ns + 7200.5e9 + (a.time_ns - start) * 1e-4
    assert a.data == b.data and abs(b.time_ns - true) < 2000, (a.number, b.time_ns - true)
PY

title "clocks"
clocks() {
    printf '{"points": [{"name": "a", "clock": {"reference": "a", "offset_s": 0, "error_s": 0}},
        {"name": "b", "clock": {"reference": "a", %s}}]}\n' "$1" >report.json
}
clocks '"offset_s": -7.10002, "error_s": 0.00003'
expect 0 python3 "$check" clock report.json b=-7.1
expect 0 python3 "$check" clock report.json a=7.1
refuse clock report.json b=7.1
clocks '"offset_s": -7.10002, "error_s": 0.00001'
refuse clock report.json b=-7.1
clocks '"status": "unknown"'
refuse clock report.json b=-7.1

title "translations"
report pass
expect 0 python3 "$check" nat truth.json report.json
for wrong in 'n.pop()' 'n[0]["after"]["src_port"] = 8' 'n[0]["kind"] = "dnat"' \
    'n[0]["from"] = "a"' 'n.append(dict(n[0], protocol="udp"))'; do
    title "translations refused after: $wrong"
    report "$wrong"
    refuse nat truth.json report.json
done

title "latencies, cuts and shifted clocks on a real capture"
sample=$CORR_SOURCE/tests/sample
# engine OFFSET_NS: fields as a perfect engine would print them, latencies wrong by OFFSET_NS.
engine() {
    PYTHONPATH=$LAB_DIR python3 - "$1" "$sample" <<'PY'
import sys
import capture, oracle
times = {f.number: f.time_ns for f in capture.read(sys.argv[2] + "/sample.pcapng")}
for packet in oracle.load(sys.argv[2] + "/packets.tsv"):
    frames = packet.frames()
    for hop, frame in enumerate(frames, 1):
        words = [str(frame), str(packet.number), str(hop)]
        if hop > 1:
            latency = times[frame] - times[frames[hop - 2]] + int(sys.argv[1])
            words += ["%.9f" % (latency / 1e9), "0.000001000"]
        print("\t".join(words))
PY
}
engine 900 >fields
expect 0 python3 "$check" latency "$sample/sample.pcapng" "$sample/packets.tsv" fields
engine 1100 >fields
refuse latency "$sample/sample.pcapng" "$sample/packets.tsv" fields
expect 0 python3 "$check" same "$sample/sample.pcapng" fields "$sample/sample.pcapng" fields
sed '1s/\t1\t/\t99\t/' fields >moved
refuse same "$sample/sample.pcapng" fields "$sample/sample.pcapng" moved
expect 0 python3 "$check" renumber "$sample/sample.pcapng" fields "$sample/sample.pcapng"
expect 0 python3 "$check" cut "$sample/truth.json" "$sample/packets.tsv" "$sample/sample.pcapng" \
    "$sample/sample.pcapng" wan <(python3 -c '
import json, sys
t = json.load(open(sys.argv[1]))
print(json.dumps({"drops": t["dropped_frames"] + t["expired_frames"]}))' "$sample/truth.json")
refuse cut "$sample/truth.json" "$sample/packets.tsv" "$sample/sample.pcapng" \
    "$sample/sample.pcapng" wan <(echo '{"drops": []}')
refuse cut "$sample/truth.json" "$sample/packets.tsv" "$sample/sample.pcapng" \
    "$sample/sample.pcapng" wan <(echo '{"drops": [{"frame": 1}]}')

title "phases against curl's figures"
check=$LAB_DIR/phases.py
# phases DNS_S SERVER_S: what the plug-ins would say of one request; judged against curl's figures.
phases() {
    printf '{"phases": [{"kind": "http", "client": "10.0.0.1:5", "phases": [%s]}]}\n' "$(
        printf '{"name": "%s", "duration_s": %s}, ' dns "$1" connect 0.01 server "$2"
        printf '{"name": "download", "duration_s": 0.1}'
    )" >report.json
}
printf '{"url": "u", "local_port": 5, "num_connects": 1, "time_namelookup": 0.011, %s}\n' \
    '"time_connect": 0.0211, "time_appconnect": 0, "time_pretransfer": 0.0212,
     "time_starttransfer": 0.0412, "time_total": 0.1412' | tr -d '\n' >curl.json
phases 0.0101 0.0205
expect 0 python3 "$check" timings report.json curl.json -- -
for wrong in '0.01101 0.0205' '0.0079 0.0205' '0.0101 0.0213' '0.0101 0.0187'; do
    title "phases refused: $wrong"
    # shellcheck disable=SC2086 # two words
    phases $wrong
    expect 1 python3 "$check" timings report.json curl.json -- -
    has err '^phases.py timings: .* took '
done
title "a second measurement excuses curl, and no wrong answer"
cp curl.json again.json
phases 0.0079 0.0205
cp report.json late.json
phases 0.0101 0.0205
expect 0 python3 "$check" timings late.json again.json report.json curl.json -- -
phases 0.01101 0.0205
expect 1 python3 "$check" timings late.json again.json report.json curl.json -- -

title "the first finding"
printf '{"findings": [{"finding": 1, "layer": "L3", "rule": "loss", "severity": "error", "what": "w"}]}\n' \
    >report.json
expect 0 python3 "$check" first report.json loss
expect 1 python3 "$check" first report.json server
expect 1 python3 "$check" quiet report.json
finish
