#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/conditions.txt: every condition of the design has a test, and that test exists.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

title "conditions and their tests"
for program in "$CORR_BUILD"/tests/test_*; do
    if [ -f "$program" ] && [ -x "$program" ]; then
        "$program" -l | grep '^/'
    fi
done >"$T/cases"
[ -s "$T/cases" ] || fail "no unit tests in $CORR_BUILD/tests: build first"
expect 0 python3 "$CORR_SOURCE/tests/style/conditions.py" "$CORR_SOURCE/tests" "$T/cases"
cat "$T/out"
finish
