#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The answer depends on nothing but the packets: not on passes, ties, names, order of files, clocks.
#
#   CORR_BUILD=build tests/sim/invariance.sh           the sample and a choice of scenarios
#   CORR_BUILD=build tests/sim/invariance.sh E01 C08   these only
#   tests/sim/invariance.sh --variant clocks           options of invariance.py (--help)
#
# CORR_BUILD is the build folder; CORR_SOURCE the source tree (default: where this file is).
# Exit status: 0 all equal but what is named as open, 1 something differs, 2 wrong usage.
set -eu

here=${CORR_SOURCE:+$CORR_SOURCE/tests/sim}
here=${here:-$(cd "$(dirname "$0")" && pwd)}
: "${CORR_BUILD:=$here/../../build}"
export CORR_BUILD
exec python3 "$here/invariance.py" "$@"
