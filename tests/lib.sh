# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the shell tests share.  CTest gives CORR_SOURCE and CORR_BUILD; by hand they are guessed.
#
#     title "what the next lines show"
#     expect 0 command...        runs it, checks its exit status; output in $T/out and $T/err
#     has out 'PATTERN'          $T/out has a line that matches the extended regular expression
#     hasnt err 'PATTERN'
#     same FILE FILE             equal byte for byte
#     fail "what is wrong"       counts, and goes on
#     skip "why"                 ends the test, not passed and not failed
#     finish                     last line of a test
set -euo pipefail

CORR_SOURCE=${CORR_SOURCE:-$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")}
CORR_BUILD=${CORR_BUILD:-$CORR_SOURCE/build-tests}
export CORR_SOURCE CORR_BUILD
# shellcheck source-path=SCRIPTDIR source=../tshark-scripts/lib.sh
. "$CORR_SOURCE/tshark-scripts/lib.sh"

SCRIPTS=$CORR_SOURCE/tshark-scripts
corr_tmp_begin
T=$CORR_TMP/test
mkdir "$T"
failures=0
what='setting up'
# A test that ends by itself before `finish` must not pass.
trap 'status=$?; corr_clean_up; exit "$status"' EXIT

title() { what=$*; printf -- '-- %s\n' "$what"; }

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s: %s\n' "$what" "$*"
}

skip() {
    printf 'SKIPPED: %s\n' "$*"
    exit 77
}

finish() {
    if [ "$failures" -gt 0 ]; then
        printf '%d checks failed\n' "$failures"
        exit 1
    fi
    printf 'all checks passed\n'
}

expect() {
    local wanted=$1 status=0
    shift
    "$@" >"$T/out" 2>"$T/err" || status=$?
    if [ "$status" -ne "$wanted" ]; then
        fail "exit status $status, not $wanted: $*"
        sed 's/^/    /' "$T/err" | head -n 20
    fi
}

has() {
    if ! grep -qE -- "$2" "$T/$1"; then
        fail "no line matches '$2' in:"
        sed 's/^/    /' "$T/$1" | head -n 20
    fi
}

hasnt() {
    if grep -E -- "$2" "$T/$1" >"$T/found"; then
        fail "found '$2': $(head -n 1 "$T/found")"
    fi
}

same() {
    if ! cmp -s -- "$1" "$2"; then
        fail "${1##*/} and ${2##*/} differ"
        diff -a -- "$1" "$2" | head -n 10 || true
    fi
}

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# Runs python with the pcapng module of the scripts; the program comes on standard input.
python() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$SCRIPTS" python3 - "$@"; }
