#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Random networks: no loss that is called confirmed may be wrong, and hardly any other.
# A minute's worth; `run.sh --seed 100 --seeds 60 R01 R05` tries more.
set -eu

here=${CORR_SOURCE:+$CORR_SOURCE/tests/sim}
here=${here:-$(cd "$(dirname "$0")" && pwd)}
exec "$here/run.sh" --seeds 6 --seconds 60 R01 R03 R05
