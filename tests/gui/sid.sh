#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian sid: Wireshark 4.6.
suite=sid
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
