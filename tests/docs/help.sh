#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every program that people start explains itself like a man page: usage, options, an example,
# exit status; on standard output, without starting to work, and in a terminal's width.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$CORR_SOURCE"
programs=(tests/run tests/docs/update tests/lab/make-sample)
for file in tshark-scripts/*; do
    if [ -f "$file" ] && [ -x "$file" ] && [[ $file != *.py ]]; then
        programs+=("$file")
    fi
done
[ "${#programs[@]}" -ge 5 ] || fail "only ${programs[*]}"

for file in "${programs[@]}"; do
    name=${file##*/}
    title "$file --help"
    for option in --help -h; do
        expect 0 timeout 20 "$file" "$option"
        [ ! -s "$T/err" ] || fail "$option: help belongs to standard output, there is: $(cat "$T/err")"
    done
    head -n 1 "$T/out" | grep -qE "^usage: .*$name" || fail "the first line is no usage of $name"
    has out '^Examples?:?'
    has out '^Exit status'
    grep -A3 '^Example' "$T/out" | grep -qE "^  (sudo )?([A-Za-z./-]*/)?$name " ||
        fail "no example that begins with $name and two blanks"
    awk 'length($0) > 100 { print }' "$T/out" >"$T/wide"
    hasnt wide .

    title "$file: every option is explained, every explained option exists"
    # In shell: the branches of `case`; in Python: add_argument.
    if head -n 1 "$file" | grep -q python; then
        grep -oE 'add_argument\([^)]*' "$file" | grep -oE '"--[a-z-]+"' | tr -d '"'
    else
        grep -E '^ *--?[a-zA-Z-]+( \| --?[a-z-]+)*\)' "$file" | grep -oE -- '--[a-z-]+'
    fi | grep -vxE -- '--(help|verbose)' | sort -u >"$T/taken" || true
    # Options of other programs stand in examples; those in usage and list are this one's.
    sed -n '1,/^Example/p' "$T/out" | grep -vE '^Example' |
        grep -oE -- '(^|[][ ,|])--[a-z-]+' | grep -oE -- '--[a-z-]+' |
        grep -vxE -- '--(help|verbose)' | sort -u >"$T/explained" || true
    same "$T/taken" "$T/explained"

    title "$file: what it does not know"
    expect 2 timeout 20 "$file" --no-such-option
    has err 'no-such-option|required'
done
finish
