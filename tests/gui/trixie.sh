#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian trixie: Wireshark 4.4.
suite=trixie
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
