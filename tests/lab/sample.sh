#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The committed sample capture: what the plug-ins say about it equals its ground truth. Needs
# neither root nor namespaces.
# shellcheck source-path=SCRIPTDIR source=net/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/net/lab.sh"

sample=$CORR_SOURCE/tests/sample
corr_user_begin "$CORR_BUILD"
lab_fields "$sample/sample.pcapng" "$T/fields.tsv"
lab_report "$sample/sample.pcapng" "$T/report.json"

title "packets.tsv is what the reference matcher finds"
expect 0 python3 "$LAB_DIR/oracle.py" "$sample/sample.pcapng"
same "$T/out" "$sample/packets.tsv"

title "the same frames show the same packet"
lab_check match "$sample/packets.tsv" "$T/fields.tsv"
title "hops follow the way"
lab_check hops "$sample/packets.tsv" "$T/fields.tsv" client,bridge,lan,wan,server
title "latencies within their bounds"
lab_check latency "$sample/sample.pcapng" "$sample/packets.tsv" "$T/fields.tsv"
title "drops equal the kernel's counters"
lab_check drops "$sample/truth.json" "$T/report.json"
lab_check segments "$T/report.json"
title "clocks: one kernel's"
lab_check clock "$T/report.json"
title "translations equal conntrack's"
lab_check nat "$sample/truth.json" "$T/report.json"
finish
