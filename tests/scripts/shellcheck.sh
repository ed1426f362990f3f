#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every shell script is quiet under shellcheck; every Python file compiles.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need shellcheck
cd "$CORR_SOURCE"
shells=() pythons=()
while IFS= read -r -d '' file; do
    case $(head -n 1 "$file" | tr -d '\0') in
    '#!'*python3*) pythons+=("$file") ;;
    '#!'*sh) shells+=("$file") ;;
    *) case $file in
        *.sh) shells+=("$file") ;;
        *.py) pythons+=("$file") ;;
        esac ;;
    esac
done < <(find tshark-scripts tests .ci -type f -size -200k ! -name '*.pcap*' ! -name '*.c' \
    ! -path 'tests/cases/*' -print0)

title "${#shells[@]} shell scripts"
[ "${#shells[@]}" -ge 5 ] || fail "the search finds too little: ${shells[*]}"
for file in "${shells[@]}"; do
    expect 0 shellcheck -x "$file"
    cat "$T/out"
done

title "${#pythons[@]} Python files"
for file in "${pythons[@]}"; do
    expect 0 python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file"
done

title "each script of tshark-scripts has a help with an example"
for file in tshark-scripts/*; do
    if [ -f "$file" ] && [ -x "$file" ]; then
        expect 0 "$file" --help
        has out '^Example'
        has out '^Exit status'
        expect 2 "$file" --no-such-option
        has err 'no-such-option|required'
    fi
done
finish
