#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Simulates the catalogue's scenarios and compares the plug-ins' answers with the truth.
#
#   CORR_BUILD=build tests/sim/run.sh            all scenarios, after the scorer's own test
#   CORR_BUILD=build tests/sim/run.sh A02 B01    these only
#   tests/sim/run.sh --seeds 30 R01 R02          many random networks: is any loss wrong?
#   tests/sim/run.sh --oracle                    options of score.py (--help)
#
# CORR_BUILD is the build folder; CORR_SOURCE the source tree (default: where this file is).
# Exit status: 0 all bounds met, 1 a bound missed, 2 wrong usage.
set -eu

here=${CORR_SOURCE:+$CORR_SOURCE/tests/sim}
here=${here:-$(cd "$(dirname "$0")" && pwd)}
: "${CORR_BUILD:=$here/../../build}"
export CORR_BUILD

if [ $# -eq 0 ]; then
    # A scorer that cannot fail would prove nothing.
    python3 "$here/score.py" --selftest || exit 1
fi
exec python3 "$here/score.py" "$@"
