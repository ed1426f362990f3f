#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Wireshark on a screen without a monitor: opens the sample with the profile, a table window
# by the menu, and reads each window: by its title, by what its Copy button copies, and by optical
# character recognition of its picture.
#
# The pictures stay in CORR_BUILD/screenshots; two of them, in few colours, are shown by README.md.
# Nothing waits a fixed time: each step waits until the screen shows what it needs.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../lib.sh"

need Xvfb openbox wireshark xdotool xclip import convert tesseract
corr_user_begin "$CORR_BUILD"
corr_readable "$CORR_SOURCE/tests/sample/sample.pcapng"

PICTURES=$CORR_BUILD/screenshots
# Seconds until a window must show what it has to, on a busy machine.
PATIENCE=${CORR_GUI_PATIENCE:-30}
pids=()
export OMP_THREAD_LIMIT=1 # more threads make tesseract slower

end() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    corr_clean_up
}
trap 'status=$?; end; exit "$status"' EXIT

# -- the screen ----------------------------------------------------------------------------------

screen_begin() {
    mkdir -p "$PICTURES"
    Xvfb -displayfd 3 -screen 0 1280x900x24 -nolisten tcp 3>"$T/display" >"$T/xvfb" 2>&1 &
    pids+=($!)
    until_true test -s "$T/display" || skip "no Xvfb: $(tail -n 1 "$T/xvfb")"
    DISPLAY=:$(cat "$T/display")
    export DISPLAY
    corr_as_user mkdir -m 700 "$CORR_OUT/run"
    corr_as_user mkdir -p "$CORR_TMP/home/.config/wireshark/profiles"
    corr_as_user cp -r "$CORR_TMP/in/Correlation" "$CORR_TMP/home/.config/wireshark/profiles/"
    (cd "$CORR_OUT" && exec "${CORR_AS[@]}" env "HOME=$CORR_TMP/home" openbox) >"$T/openbox" 2>&1 &
    pids+=($!)
    until_true xdotool get_num_desktops || fail "no window manager"
}

# Runs a command until it succeeds; false after PATIENCE seconds.
until_true() {
    local end=$((SECONDS + PATIENCE))
    while ! "$@" >"$T/until" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# W = the window with a title like this.
has_window() {
    local found
    found=$(xdotool search --onlyvisible --name "$1" 2>/dev/null) && W=${found##*$'\n'} && [ -n "$W" ]
}

window() {
    local end=$((SECONDS + PATIENCE))
    while ! has_window "$1"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

gone() { ! has_window "$1"; }

# Brings window W to the front, WIDTH HEIGHT at the upper left corner.
front() {
    xdotool windowsize "$W" "$1" "$2" windowmove "$W" 0 0 windowactivate --sync "$W"
}

# The picture of W, NAME.png; its letters in $T/text.
picture() {
    import -window "$W" -strip -colors 64 "PNG8:$PICTURES/$1.png"
    convert "$PICTURES/$1.png" -colorspace gray -resize 200% "$T/large.png"
    tesseract "$T/large.png" - --psm 11 >"$T/text" 2>/dev/null
}

# Whether the picture NAME of W has a line like every PATTERN.
shows() {
    local name=$1 pattern
    shift
    picture "$name"
    for pattern in "$@"; do
        grep -qE -- "$pattern" "$T/text" || return 1
    done
}

readable() {
    if ! until_true shows "$@"; then
        local name=$1 pattern
        shift
        for pattern in "$@"; do
            grep -qE -- "$pattern" "$T/text" ||
                fail "$name.png has no text '$pattern', but: $(tr -s '\n' '|' <"$T/text" | head -c 1500)"
        done
    fi
}

# -- Wireshark -----------------------------------------------------------------------------------

MAIN='^sample\.pcapng'

start_once() {
    (cd "$CORR_OUT" && corr_as_user env QT_QPA_PLATFORM=xcb "XDG_RUNTIME_DIR=$CORR_OUT/run" \
        wireshark -C Correlation -r "$CORR_FILE") >"$T/wireshark" 2>&1 &
    pids+=($!)
    WIRESHARK=$!
    window "$MAIN"
}

# Wireshark on the sample.
start() {
    local try
    for try in 1 2; do
        start_once && return 0
        printf 'start %s of Wireshark showed no capture file: %s\n' "$try" "$(tail -n 1 "$T/wireshark")"
        kill "$WIRESHARK" 2>/dev/null || true
    done
    fail "Wireshark does not show the sample: $(tail -n 3 "$T/wireshark")"
    finish
}

stop() {
    kill "$WIRESHARK" 2>/dev/null || true
    wait "$WIRESHARK" 2>/dev/null || true
}

# -- a person with a mouse -----------------------------------------------------------------------

# Where the screen shows this WORD: X and Y.  One word: the spaces of a menu are wide enough to be
# taken for columns.
where() {
    import -window root "$T/root.png"
    convert "$T/root.png" -colorspace gray -resize 200% "$T/large.png"
    tesseract "$T/large.png" - --psm 11 tsv 2>/dev/null >"$T/words"
    awk -F '\t' -v word="$1" '
        $12 == word { printf "%d %d\n", ($7 + $9 / 2) / 2, ($8 + $10 / 2) / 2; found = 1; exit }
        END { exit !found }' "$T/words" >"$T/place" && read -r X Y <"$T/place"
}

clicks=0
click() {
    if ! until_true where "$1"; then
        fail "nowhere on the screen: '$1'; but: $(cut -f 12 "$T/words" | tr -s '\n' ' ' | head -c 1500)"
        return 0
    fi
    xdotool mousemove "$X" "$Y" click 1
    clicks=$((clicks + 1))
}

copied() { xclip -o -selection clipboard >"$T/copied" && grep -q "$1" "$T/copied"; }

# same_as_tshark TABLE COLUMN...: what Copy told has the rows that tshark prints, in these columns,
# of which the second and later ones are neighbours.
same_as_tshark() {
    local table=$1
    shift
    corr_tshark -q -r "$CORR_FILE" -z "corr,$table,csv" >"$T/csv"
    python "$T/csv" "$T/copied" "$@" <<'END' || fail "the copied table lacks rows that tshark prints"
import csv, re, sys

wanted, copied, columns = sys.argv[1], open(sys.argv[2]).read(), sys.argv[3:]
rows = [[row[c] for c in columns] for row in csv.DictReader(open(wanted))]
missing = [row for row in rows
           if not re.search(r"(?m)^\s*\d+\s+%s\s(?:.*\s)?%s(?:\s|$)" % (
               re.escape(row[0]), r"\s+".join(map(re.escape, row[1:]))), copied)]
print(len(rows), "rows,", len(missing), "of them not copied")
for row in missing[:5]:
    print("not copied:", *row)
sys.exit(not rows or bool(missing))
END
}

# table_window TITLE PICTURE COLUMN...: from the main window, by the menu; clicks counts.
table_window() {
    local title=$1 name=$2
    shift 2
    clicks=0
    click Statistics
    click "$title"
    if ! window "Correlation: $title"; then
        fail "no window \"Correlation: $title\""
        return 0
    fi
    [ "$clicks" -le 3 ] || fail "$clicks clicks"
    front 1000 620
    readable "$name" "$@"
    printf 'nothing yet' | xclip -selection clipboard
    click Copy
    until_true copied "^# *$1" || fail 'nothing was copied'
    same_as_tshark "$name" "$@"
    xdotool windowactivate --sync "$W" key Escape
    until_true gone "Correlation: $title" || fail "the window $title does not close"
}

cp -r "$CORR_SOURCE/epan-hooks/profile/Correlation" "$CORR_TMP/in/"
chmod -R a+rX "$CORR_TMP/in/Correlation"
screen_begin
start

title 'packet list with the profile'
front 1240 800
readable packets 'Dropped' 'Point' 'Hop latency' 'Correlation'

title 'from the sample to which segment dropped which packets: three clicks at most'
table_window Drops drops frame after before verdict

stop
finish
