# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the generated parts of README.md are made of.  To be sourced, after corr_user_begin.
#
#     docs_collect FOLDER    asks tshark and corr-describe; writes a file per answer

# shellcheck disable=SC2154  # CORR_SOURCE, CORR_BUILD, CORR_FILE are the caller's and lib.sh's
docs_collect() {
    local folder=$1 table
    "$CORR_BUILD/tests/corr-describe" >"$folder/columns.tsv"
    corr_readable "$CORR_SOURCE/tests/sample/sample.pcapng"
    corr_tshark -G fields | awk -F'\t' '$1 == "F" && $5 == "corr"' >"$folder/fields.tsv"
    for table in points segments nat drops; do
        corr_tshark -q -r "$CORR_FILE" -z "corr,$table" >"$folder/$table.txt"
    done
    corr_tshark -q -r "$CORR_FILE" -z corr,report,json >"$folder/report.json"
    corr_tshark -2 -r "$CORR_FILE" -Y 'tcp.dstport == 81' -T fields -e frame.number \
        -e corr.point -e corr.hop -e corr.hop_latency -e corr.nat >"$folder/packet.txt"
}
