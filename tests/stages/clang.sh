#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Everything compiles without a warning with clang as well.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need clang cmake ninja
title "clang, warnings as errors"
expect 0 cmake -S "$CORR_SOURCE" -B "$CORR_BUILD/clang" -G Ninja -DCMAKE_C_COMPILER=clang \
    -DCORR_WERROR=ON -DCMAKE_BUILD_TYPE=Debug
expect 0 cmake --build "$CORR_BUILD/clang"
[ "$failures" -eq 0 ] || sed 's/^/    /' "$T/out"
finish
