# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Namespaces, wires, captures and cleaning up: what every lab test and make-sample sources.
#
#     lab_require TOOL...        skips, loudly, where the lab cannot work
#     lab_begin                  LAB_TMP, and the exit trap that removes processes and namespaces
#     lab_ns, lab_wire ...       build; lab_capture, lab_capture_stop, lab_merge  capture
#     lab_reset                  for tests with several rounds
#
# Namespaces have names of their own (corrlab<pid>...), so that several labs can run at once.
# It stands on tests/lib.sh, of which expect, fail and finish do the judging.
LAB_DIR=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")
# shellcheck source-path=SCRIPTDIR source=../../lib.sh
. "$LAB_DIR/../lib.sh"
export PYTHONDONTWRITEBYTECODE=1

LAB_ID=corrlab$$
LAB_TMP=
LAB_NAMES=()
LAB_PIDS=()
declare -A LAB_CAPTURES=()

lab_require() {
    [ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
    need ip nft dumpcap mergecap editcap python3 sysctl "$@"
    ip netns add "$LAB_ID-probe" 2>/dev/null || skip "'ip netns add' is not permitted here"
    ip netns del "$LAB_ID-probe"
}

lab_begin() {
    LAB_TMP=$CORR_TMP/lab
    mkdir -m 711 "$LAB_TMP"
    trap 'status=$?; trap "" INT TERM; lab_reset || true; corr_clean_up; exit "$status"' EXIT
}

# Processes go first, else the namespaces outlive their names.
lab_reset() {
    local name pid
    for pid in "${LAB_PIDS[@]}" "${LAB_CAPTURES[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for name in "${LAB_NAMES[@]}"; do
        for pid in $(ip netns pids "$LAB_ID$name" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null || true
        done
        ip netns del "$LAB_ID$name" 2>/dev/null || true
    done
    for pid in "${LAB_PIDS[@]}" "${LAB_CAPTURES[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    LAB_NAMES=() LAB_PIDS=() LAB_CAPTURES=()
}

# lab_ns NAME...: a namespace each; IPv6 off, so that no router solicitation blurs the counts.
lab_ns() {
    local name
    for name; do
        ip netns add "$LAB_ID$name" || corr_die "namespace $LAB_ID$name cannot be made"
        LAB_NAMES+=("$name")
        lab_in "$name" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 \
            net.ipv6.conf.default.disable_ipv6=1 2>/dev/null || true
        lab_ip "$name" link set lo up
    done
}

# lab_in NAME COMMAND..., lab_ip NAME ARG...: inside the namespace.
lab_in() { ip netns exec "$LAB_ID$1" "${@:2}"; }
lab_ip() { ip -n "$LAB_ID$1" "${@:2}"; }

# lab_wire NS_A IF_A NS_B IF_B: a veth pair, both ends up. Interfaces bear the names of capture
# points, so that the captures name themselves.
lab_wire() {
    ip link add "$2" netns "$LAB_ID$1" type veth peer name "$4" netns "$LAB_ID$3"
    lab_ip "$1" link set dev "$2" up
    lab_ip "$3" link set dev "$4" up
}

# lab_offload NS IF FEATURE=0|1...: veth by itself carries super-segments and partial checksums.
lab_offload() { lab_in "$1" python3 "$LAB_DIR/ethset.py" "${@:2}"; }

# lab_real_wire NS IF: frames as a network has them.
lab_real_wire() { lab_offload "$1" "$2" tso=0 gso=0 gro=0 txcsum=0; }

# lab_await SECONDS COMMAND...: polls until the command succeeds.
lab_await() {
    local tries=$(($1 * 50))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.02
    done
}

# lab_daemon NS COMMAND...: runs until the end of the lab.
lab_daemon() {
    ip netns exec "$LAB_ID$1" "${@:2}" >>"$LAB_TMP/$1.log" 2>&1 &
    LAB_PIDS+=($!)
}

# lab_capture POINT NS IF [dumpcap option...]: $LAB_TMP/POINT.pcapng grows until
# lab_capture_stop. The process id must be dumpcap's own, hence no function in the background.
lab_capture() {
    local log=$LAB_TMP/$1.dumpcap
    ip netns exec "$LAB_ID$2" dumpcap -q -p -B 16 -i "$3" "${@:4}" -w "$LAB_TMP/$1.pcapng" \
        2>"$log" &
    LAB_CAPTURES[$1]=$!
    lab_await 10 grep -q '^File:' "$log" || corr_die "dumpcap at $1: $(cat "$log")"
}

# lab_capture_stop POINT...: SIGTERM, or the file lacks its tail. The kernel hands over what it holds
# every 250 ms, and what it still holds at the end is lost without being counted: so that is waited
# for. What dumpcap itself loses would make every expectation wrong, so it ends the test.
lab_capture_stop() {
    local point
    sleep 0.6
    for point; do
        kill -TERM "${LAB_CAPTURES[$point]}"
    done
    for point; do
        wait "${LAB_CAPTURES[$point]}" || true
        unset "LAB_CAPTURES[$point]"
        grep -q '/0 (pcap:0' "$LAB_TMP/$point.dumpcap" ||
            corr_die "dumpcap at $point lost packets: $(tail -n 1 "$LAB_TMP/$point.dumpcap")"
    done
}

# lab_merge OUT FILE...: one interface per file, whatever their names.
lab_merge() { mergecap -I none -w "$1" "${@:2}"; }

# lab_files POINT...: LAB_FILES = their captures.
lab_files() {
    local point
    LAB_FILES=()
    for point; do
        LAB_FILES+=("$LAB_TMP/$point.pcapng")
    done
}

# lab_check WORD ARG...: a comparison of check.py; its line of figures is shown.
lab_check() {
    expect 0 python3 "$LAB_DIR/check.py" "$@"
    cat "$T/out"
}

# lab_fields CAPTURE OUT: what the plug-ins say about every frame, in check.py's columns.
lab_fields() {
    local field args=()
    for field in frame.number corr.match_id corr.hop corr.hop_latency corr.hop_latency.error \
        corr.dropped corr.drop.after corr.drop.before; do
        args+=(-e "$field")
    done
    corr_readable "$1"
    corr_tshark -2 -r "$CORR_FILE" -T fields -E occurrence=a "${args[@]}" >"$2" 2>"$T/err" ||
        corr_die "tshark: $(cat "$T/err")"
}

# lab_report CAPTURE OUT: the report as JSON.
lab_report() {
    corr_readable "$1"
    corr_tshark -2 -q -r "$CORR_FILE" -z corr,report,json >"$2" 2>"$T/err" ||
        corr_die "tshark: $(cat "$T/err")"
}
