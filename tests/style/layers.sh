#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who may include whom: the engine knows no Wireshark, stages read earlier stages only, and
# one file alone knows Wireshark's versions.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$CORR_SOURCE"
engine=plugins/libcorr
includes() { grep -rnE '^[[:space:]]*#[[:space:]]*include' "$@" --include='*.[ch]' || true; }

title "the engine includes nothing of Wireshark and nothing of the hooks"
includes $engine >"$T/engine"
[ -s "$T/engine" ] || fail "no #include found in $engine"
hasnt engine '[<"](epan|wiretap|wsutil|ui)/|<(wireshark|config|cfile|ws_)[a-z_]*\.h>|hooks?[a-z_]*\.h|compat\.h'

title "the engine opens nothing, asks no clock, has no say in the process"
grep -rnE '\b(fopen|popen|system|getenv|exit|abort|clock_gettime|gettimeofday|g_get_(real|monotonic)_time|printf|puts|g_print|g_warning|g_message)[[:space:]]*\(' \
    $engine --include='*.c' | grep -vE '^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)' >"$T/calls" || true
hasnt calls .

title "stages: parse, store, match, path, layers, report; none includes a later one"
stages=(parse l7 store match path layers report)
for i in "${!stages[@]}"; do
    [ -d "$engine/${stages[i]}" ] || continue
    later=$(IFS='|'; printf '%s' "${stages[*]:i+1}")
    [ -n "$later" ] || continue
    # Matching asks for the order of points and for their clocks on the way, and match and path
    # write one set of answers: these headers of path, by name, are what match may read.
    includes "$engine/${stages[i]}" |
        grep -vE '^plugins/libcorr/match/.*"path/(result|order|clock)\.h"' >"$T/stage" || true
    hasnt stage "[\"/]($later)/"
done

title "the plug-ins are thin: they reach the engine through the hooks"
includes plugins/corr plugins/corr-tap >"$T/thin"
hasnt thin '"(corr|view|report|parse|store|match|path|layers)(/|\.h)'

title "Wireshark's version numbers are in compat.h only"
grep -rnE '(WIRESHARK|Wireshark)_?(VERSION|MAJOR|MINOR)|VERSION_(MAJOR|MINOR|MICRO)' \
    epan-hooks plugins --include='*.[ch]' | grep -v '^epan-hooks/compat\.h:' >"$T/versions" || true
hasnt versions .
finish
