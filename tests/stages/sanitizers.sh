#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The unit tests and fuzzers once more, under the address and undefined-behaviour sanitizers.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need gcc cmake ninja ctest
build=$CORR_BUILD/sanitizers
title "build"
expect 0 cmake -S "$CORR_SOURCE" -B "$build" -G Ninja -DCMAKE_C_COMPILER=gcc \
    -DCMAKE_BUILD_TYPE=Debug -DCORR_SANITIZE=ON -DCMAKE_C_FLAGS=-fno-sanitize-recover=all
expect 0 cmake --build "$build" --target corr-unit-tests
[ "$failures" -eq 0 ] || { sed 's/^/    /' "$T/out"; finish; }

title "run"
# GLib's slices would hide what is freed too early or never.
G_SLICE=always-malloc ASAN_OPTIONS=detect_stack_use_after_return=1 \
    expect 0 ctest --test-dir "$build" -L '^(unit|fuzz)$' --output-on-failure --no-tests=error
sed 's/^/    /' "$T/out"
# Also what did not end the program: CTest shows no output of tests that pass.
sed 's/^/    /' "$build/Testing/Temporary/LastTest.log" >"$T/out"
hasnt out 'runtime error|ERROR: (Address|Leak)Sanitizer'
finish
