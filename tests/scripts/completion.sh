#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the tabulator key offers for the scripts.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need python3 ip
# shellcheck source-path=SCRIPTDIR source=../../tshark-scripts/completions/corr.bash
. "$SCRIPTS/completions/corr.bash"
compopt() { :; } # works only while the shell completes
PATH=$SCRIPTS:$PATH
cd "$T"
touch lan.pcap wan.pcap

# offers LINE: the completions of its last word, as bash would ask for them
offers() {
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    local spaced=${1//=/ = }
    spaced=${spaced//:/ : }
    read -ra COMP_WORDS <<<"$spaced"
    [[ $1 != *' ' ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _corr_complete "${1%% *}"
    printf '%s\n' "${COMPREPLY[@]}" >"$T/out"
}

title "options are those of --help"
offers 'corr-capture --d'
has out '^--duration$'
[ "$(wc -l <"$T/out")" -eq 1 ] || fail "more than --duration: $(cat "$T/out")"
offers 'corr-merge --'
has out '^--force$'
has out '^--comment$'

title "capture points: interfaces, and where else there are some"
offers 'corr-capture '
has out '^lo$'
has out '^any$'
has out '^netns:$'
offers 'corr-capture lan=l'
has out '^lo$'

title "files, also behind a name"
offers 'corr-merge l'
has out '^lan\.pcap$'
offers 'corr-merge lan=w'
has out '^wan\.pcap$'

title "a text that only its author knows"
offers 'corr-capture lo -f '
hasnt out .
finish
