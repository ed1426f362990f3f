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

# The manual pages of the source in folder $1, from what docs_collect wrote into $2, into folder $3.
docs_man() {
    local source=$1 collected=$2 out=$3 page script
    mkdir -p "$out"
    for page in "$source"/tshark-scripts/man/*.1; do
        script=$(basename "$page" .1)
        # Python's help texts follow the width of the terminal.
        COLUMNS=80 "$source/tshark-scripts/$script" --help |
            python3 "$source/tests/docs/man.py" script "$script" >"$out/$script.1"
    done
    python3 "$source/tests/docs/man.py" tables "$collected" >"$out/wireshark-corr.7"
}
