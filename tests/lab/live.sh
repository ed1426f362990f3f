#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live: tshark -i lan -i wan on a router that translates, at the highest rate that tshark without
# plug-ins keeps up with. The capture loses no more with them, memory stops growing at the limit,
# and frames say at once what the past tells.
#
# CORR_LIVE_SECONDS=300: the long run; else 20 seconds each.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"

seconds=${CORR_LIVE_SECONDS:-20}
memory_mb=${CORR_LIVE_MEMORY:-15}
lab_require tshark setpriv
corr_user_begin "$CORR_BUILD"
lab_begin
lab_ns left router right
lab_wire left left0 router lan
lab_wire router wan right right0
for end in 'left left0' 'router lan' 'router wan' 'right right0'; do
    # shellcheck disable=SC2086 # two words
    lab_real_wire $end
done
lab_ip left addr add 192.168.1.10/24 dev left0
lab_ip router addr add 192.168.1.1/24 dev lan
lab_ip router addr add 203.0.113.1/24 dev wan
lab_ip right addr add 203.0.113.9/24 dev right0
lab_ip left route add default via 192.168.1.1
lab_in router sysctl -q -w net.ipv4.ip_forward=1
lab_in router nft -f - <<'END'
table ip nat {
    chain post {
        type nat hook postrouting priority 100
        oifname "wan" masquerade
    }
}
END
lab_daemon right python3 "$LAB_DIR/live.py" answer 203.0.113.9 9

# tshark as an ordinary user that may capture: dumpcap inherits the capabilities.
caps=+net_raw,+net_admin
as_capturer=("${CORR_AS[@]}" "--inh-caps=$caps" "--ambient-caps=$caps")
[ "${#CORR_AS[@]}" -gt 0 ] || skip "this test runs as root, and tshark as an ordinary user"
if ! lab_in router "${as_capturer[@]}" env HOME="$CORR_TMP/home" tshark -D >"$T/out" 2>&1 ||
    ! grep -q lan "$T/out"; then
    skip "an ordinary user cannot capture here: $(head -n 1 "$T/out")"
fi

plain=(-T fields -e frame.number -e ip.src -e ip.dst -e udp.length)
ours=(-T fields -e corr.point -e corr.match_id -e corr.hop_latency -e corr.nat -e corr.hop)

# live NAME RATE SECONDS PLUGINS tshark option...: sets sent, shown (frames), lost (by the capture's
# own counter), late (seconds from the end until all was shown), and writes NAME.rss
live() {
    local name=$1 rate=$2 for=$3 folder=$4 pid begin
    shift 4
    ip netns exec "${LAB_ID}router" "${as_capturer[@]}" env HOME="$CORR_TMP/home" \
        WIRESHARK_PLUGIN_DIR="$folder" tshark -n -B 32 -i lan -i wan "$@" \
        >"$CORR_OUT/$name.out" 2>"$CORR_OUT/$name.err" &
    pid=$!
    lab_await 20 grep -q 'Capture started\|File:' "$CORR_OUT/$name.err" ||
        corr_die "tshark does not capture: $(cat "$CORR_OUT/$name.err")"
    sleep 0.5
    python3 "$LAB_DIR/live.py" watch "$pid" >"$CORR_OUT/$name.rss" &
    sent=$(lab_in left python3 "$LAB_DIR/live.py" send 203.0.113.9 9 "$rate" "$for")
    sleep 1
    begin=$(date +%s%N)
    kill -INT "$pid"
    wait "$pid" || true
    late=$((($(date +%s%N) - begin) / 1000000000))
    shown=$(wc -l <"$CORR_OUT/$name.out")
    lost=$(awk '/packets? dropped from/ { n += $1 } END { print n + 0 }' "$CORR_OUT/$name.err")
    printf '%s: %d datagrams/s for %d s: %d frames, %d shown, %d lost by the capture, %d s late\n' \
        "$name" "$rate" "$for" "$((2 * sent))" "$shown" "$lost" "$late"
}

title "the highest rate that tshark by itself keeps up with"
for rate in ${CORR_LIVE_RATE:-40000 30000 20000 15000 10000 7000 5000 3000 2000}; do
    live plain "$rate" 5 "$CORR_TMP/none" "${plain[@]}"
    [ "$lost" -gt 0 ] || [ "$late" -gt 1 ] || [ "$shown" -lt $((2 * sent * 99 / 100)) ] || break
done
[ "$lost" -eq 0 ] || skip "tshark without plug-ins loses frames at 2000 datagrams per second here"

title "the capture's own loss is no worse with the plug-ins"
live plain "$rate" "$seconds" "$CORR_TMP/none" "${plain[@]}"
plain_share=$((lost * 10000 / (2 * sent)))
# Most in the first half of the time, and in the second.
halves() { awk -v at="$((seconds / 2))" '{ half = $1 > at; if ($2 > most[half]) most[half] = $2 }
    END { print most[0], most[1] }' "$CORR_OUT/$1.rss"; }
read -r plain_mid plain_end <<<"$(halves plain)"
live corr "$rate" "$seconds" "$CORR_PLUGINS" -o "corr.memory:$memory_mb" "${ours[@]}"
[ $((lost * 10000 / (2 * sent))) -le $((plain_share + 100)) ] ||
    fail "lost $lost of $((2 * sent)) frames; without plug-ins $plain_share of 10000"

title "memory stops growing at the limit, which announces itself once"
grep -c 'the limit of memory is reached' "$CORR_OUT/corr.err" >"$T/said" || true
[ "$(cat "$T/said")" = 1 ] || fail "said $(cat "$T/said") times: $(tail -n 3 "$CORR_OUT/corr.err")"
read -r corr_mid corr_end <<<"$(halves corr)"
grown=$((plain_end > plain_mid ? plain_end - plain_mid : 0))
printf 'most kB in the first and second half of the time: plain %d %d, with the plug-ins %d %d, limit %d MB\n' \
    "$plain_mid" "$plain_end" "$corr_mid" "$corr_end" "$memory_mb"
[ $((corr_end - corr_mid)) -le $((grown + 4096)) ] ||
    fail "grew by $((corr_end - corr_mid)) kB after half of the time"
[ $((corr_end - plain_end)) -le $((memory_mb * 1250 + 8192)) ] ||
    fail "$((corr_end - plain_end)) kB above tshark's own"

title "a frame says at once which one it follows, by which translation, after how long"
# dumpcap hands over the frames of one interface and then of the other: of about half of the
# datagrams the frame at wan comes first, and has nothing to follow.
awk -F '\t' '$1 == "wan" { n++ }
    $1 == "wan" && $5 == 2 { hop++; nat += $4 ~ /^SNAT 192\.168\.1\.10/; took += $3 != "" }
    END { print n + 0, hop + 0, nat + 0, took + 0 }' "$CORR_OUT/corr.out" >"$T/said"
read -r n hop nat took <"$T/said"
echo "of $n frames at wan, $hop follow one at lan; $nat tell the translation, $took the latency"
if [ "$hop" -lt 1000 ] || [ "$nat" -lt $((hop * 9 / 10)) ] || [ "$took" -lt $((hop * 9 / 10)) ]; then
    fail "too few"
fi
finish
