# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What Wireshark must show, on a screen without a monitor.  To be sourced by the test of one
# Wireshark, which sets `suite`: a Debian release (see ../chroots.sh), or nothing for the one that
# is installed here.
#
# look.py looks: with the eyes of an assistive program (AT-SPI), a mouse and a keyboard.  The
# pictures stay in CORR_BUILD/screenshots; README.md shows three of them (see update).
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../chroots.sh
. "$(dirname "${BASH_SOURCE[0]}")/../chroots.sh"

GUI=$CORR_SOURCE/tests/gui
# Debian's own Python: another one does not find its modules.
GUI_PYTHON=/usr/bin/python3
# shellcheck disable=SC2154  # set by who sources this file
release=$suite
pids=()

need Xvfb openbox dbus-daemon xdotool xclip import jq
"$GUI_PYTHON" -c 'import gi; gi.require_version("Atspi", "2.0")' 2>/dev/null ||
    skip "python3-gi or gir1.2-atspi-2.0 is not installed"
[ -x /usr/libexec/at-spi-bus-launcher ] || skip "at-spi2-core is not installed"

end() {
    local pid
    for pid in "${pids[@]}"; do # the screen first: programs end with it
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    corr_clean_up
}
trap 'status=$?; end; exit "$status"' EXIT

# until_true COMMAND...: false if it still fails after a minute.
until_true() {
    local end=$((SECONDS + 60))
    while ! "$@" >"$T/until" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# -- which Wireshark -----------------------------------------------------------------------------

if [ -n "$release" ]; then
    corr_chroot_need "$release"
    corr_chroot_build "$release" --target plugin-corr plugin-corr-tap >"$T/build" 2>&1 || fail "the build in $release: $(tail "$T/build")"
    GUI_AS=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    program() { corr_chroot_as_user "$release" "$@"; }
    cp "$CORR_SOURCE/tests/sample/sample.pcapng" "$T/"
    CORR_FILE=$T/sample.pcapng
else
    need wireshark tshark
    corr_user_begin "$CORR_BUILD"
    GUI_AS=("${CORR_AS[@]}")
    program() { (cd / && HOME=$T/home corr_as_user env "HOME=$T/home" "$@"); }
    corr_readable "$CORR_SOURCE/tests/sample/sample.pcapng"
fi
chmod a+r "$CORR_FILE"

# -- the screen ----------------------------------------------------------------------------------

mkdir "$T/home" "$T/run" "$T/pictures" "$T/said"
mkdir -p "$T/home/.config/wireshark/profiles"
cp -r "$CORR_SOURCE/epan-hooks/profile/Correlation" "$T/home/.config/wireshark/profiles/"
cp "$GUI"/*.py "$T/"
chmod 700 "$T/run"
if [ "${#GUI_AS[@]}" -gt 0 ]; then
    user=$("${GUI_AS[@]}" id -u):$("${GUI_AS[@]}" id -g)
    chown -R "$user" "$T/home" "$T/run" "$T/pictures" "$T/said"
fi
chmod -R a+rX "$T"/*.py

# Without -noreset it begins anew when its last client leaves, and clients that come then find none.
Xvfb -noreset -displayfd 3 -screen 0 1280x900x24 -nolisten tcp 3>"$T/display" >"$T/xvfb" 2>&1 &
pids+=($!)
until_true test -s "$T/display" || skip "no Xvfb: $(tail -n 1 "$T/xvfb")"
DISPLAY=:$(cat "$T/display")
export DISPLAY
desktop=(XDG_RUNTIME_DIR="$T/run" DBUS_SESSION_BUS_ADDRESS="unix:path=$T/run/bus"
    GSETTINGS_BACKEND=memory)

# PROGRAM...: in the background, as a part of the desktop.
desktop_run() {
    (cd "$T/home" && exec "${GUI_AS[@]}" env "HOME=$T/home" "${desktop[@]}" "$@") \
        >"$T/${1##*/}.log" 2>&1 &
    pids+=($!)
}

desktop_run dbus-daemon --session --nofork --address="unix:path=$T/run/bus"
until_true test -S "$T/run/bus" || fail "no session bus: $(cat "$T/dbus-daemon.log")"
desktop_run /usr/libexec/at-spi-bus-launcher --launch-immediately --a11y=1
desktop_run openbox
until_true xdotool get_num_desktops || fail "no window manager: $(cat "$T/openbox.log")"
until_true test -S "$T/run/at-spi/bus_${DISPLAY#:}" ||
    fail "no bus for assistive programs: $(cat "$T/at-spi-bus-launcher.log")"

# -- what tshark says ----------------------------------------------------------------------------

# NAME ARGS...: what this tshark prints, in $T/said/NAME.
said() {
    local name=$1
    shift
    program tshark -r "$CORR_FILE" "$@" >"$T/said/$name" 2>"$T/err" || fail "tshark $*: $(cat "$T/err")"
}

# Every window of the Wireshark that is installed here; two of others.
tables=(segments drops)
[ -n "$release" ] || mapfile -t tables < <(
    sed -nE '/define CORR_TABLES/,/clang-format on/s/^ *X\(([a-z]+)\).*/\1/p' \
        "$CORR_SOURCE/plugins/libcorr/report/report.h")

said columns -2 -C Correlation -T tabs -Y 'frame.number in {10, 651, 663, 2088, 2300}'
said details -2 -C Correlation -O corr -Y 'frame.number == 663'
# What is closed in Wireshark stands further to the right.
sed -i -nE '/^Correlation:/,$ { /^ {8}|^$/!p }' "$T/said/details"
said points.json -q -z corr,points,json
jq -r '.points[].name' "$T/said/points.json" >"$T/said/points"
# tests/tshark/charts.sh compares these with the same tables as JSON.
for table in "${tables[@]}"; do
    said "$table.window" -q -z "corrtable,$table"
done
said filtered.window -q -z corrtable,drops,udp
said flow -2 -T fields -e corr.flow -Y 'frame.number == 358'
said ladder -2 -q -z "flow,corr,standard,corr.flow == $(cat "$T/said/flow")"
said fields -2 -T fields -e frame.number -e frame.time_relative -e corr.dropped -e corr.hop \
    -e corr.duplicate -e corr.match_id -e corr.flow
sed -nE 's/^"(En|Dis)abled","([^"]*)","([^"]*)".*/\2, \3/p' \
    "$CORR_SOURCE/epan-hooks/profile/Correlation/io_graphs" >"$T/said/graphs"
said none -2 -U 'CORR one copy per packet' -w "$T/said/clean.pcapng"
program tshark -r "$T/said/clean.pcapng" 2>"$T/err" | wc -l >"$T/said/one-copy"

# -- the look ------------------------------------------------------------------------------------

mkdir "$T/copied"
[ "${#GUI_AS[@]}" -eq 0 ] || chown "$user" "$T/copied"
program env QT_QPA_PLATFORM=xcb "${desktop[@]}" \
    wireshark -C Correlation -r "$CORR_FILE" >"$T/wireshark.log" 2>&1 &
wireshark=$!
pids+=("$wireshark")
looked=0
(cd "$T/home" && "${GUI_AS[@]}" env "HOME=$T/home" "${desktop[@]}" PYTHONDONTWRITEBYTECODE=1 \
    "$GUI_PYTHON" -W ignore "$T/look.py" "$T" "${tables[@]}") || looked=$?
pictures=$CORR_BUILD/screenshots/${release:-here}
rm -rf "$pictures"
mkdir -p "$pictures"
cp "$T"/pictures/*.png "$pictures/" || fail "no pictures"
[ "$looked" -eq 0 ] || fail "see above"
finish
