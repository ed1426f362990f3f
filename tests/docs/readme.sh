#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# README.md says the truth: its commands run, its output, fields and tables are today's, its paths
# exist.  Where it does not: tests/docs/update.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=collect.sh
. "$(dirname "${BASH_SOURCE[0]}")/collect.sh"

need tshark python3 jq editcap
readme=$CORR_SOURCE/README.md
docs() { PYTHONDONTWRITEBYTECODE=1 python3 "$CORR_SOURCE/tests/docs/readme.py" "$@"; }
corr_user_begin "$CORR_BUILD"
mkdir "$T/docs"
docs_collect "$T/docs"

title "sample output, fields and tables are those of today (else: tests/docs/update)"
expect 0 docs parts "$readme" "$T/docs"
cp "$T/out" "$T/README.md"
same "$readme" "$T/README.md"

title "so are the manual pages, one for each script and one for the tables and fields"
expect 0 docs_man "$CORR_SOURCE" "$T/docs" "$T/man"
for page in "$T"/man/*; do
    same "$CORR_SOURCE/tshark-scripts/man/${page##*/}" "$page"
    if command -v man >/dev/null; then
        MANWIDTH=80 man --warnings -l "$page" >"$T/page" 2>"$T/err" || fail "man cannot show it"
        hasnt err .
        awk 'length($0) > 120 { print }' "$T/page" >"$T/wide"
        hasnt wide .
    fi
done
for script in "$CORR_SOURCE"/tshark-scripts/corr-*; do
    [ -f "$T/man/${script##*/}.1" ] || fail "no manual page for ${script##*/}"
done

title "its fields are those that tshark has, by name and by kind of value"
awk -F'\t' '{ print $3 }' "$T/docs/fields.tsv" | sort >"$T/registered"
# shellcheck disable=SC2016  # backquotes of Markdown
sed -nE 's/^\| `(corr\.[a-z_.0-9]+)` \|.*/\1/p' "$readme" | sort >"$T/documented"
same "$T/registered" "$T/documented"
expect 0 corr_tshark -G fields
for pair in corr.point:FT_STRING corr.hop_latency:FT_RELATIVE_TIME corr.nat.ip:FT_IPv4 \
    corr.next_frame:FT_FRAMENUM corr.dropped:FT_BOOLEAN corr.match_id:FT_UINT32; do
    has out "[[:space:]]${pair%:*}[[:space:]]${pair#*:}[[:space:]]corr[[:space:]]"
done

title "its tables are those that -z corr offers"
corr_tshark -q -r "$CORR_FILE" -z corr,none >"$T/out" 2>"$T/err" || true
sed -nE 's/.*TABLE one of (.*)\./\1/p' "$T/err" | tr -d ' ' | tr ',' '\n' | grep -v '^report$' \
    >"$T/offered"
docs tables "$readme" >"$T/documented"
same "$T/offered" "$T/documented"

title "every key of the JSON report is a documented column"
expect 0 docs keys "$T/docs"
cat "$T/out" "$T/err"
jq -e '.schema == "corr-report/1" and ([.. | nulls] | length == 0)' "$T/docs/report.json" \
    >/dev/null || fail "JSON: wrong schema, or a null"

title "every file that it names exists, every link leads somewhere"
expect 0 docs paths "$readme" "$CORR_SOURCE"
cat "$T/out" "$T/err"

title "every script is mentioned"
for script in "$CORR_SOURCE"/tshark-scripts/*; do
    if [ -f "$script" ] && [ -x "$script" ] && ! [[ $script == *.* ]]; then
        grep -qF "${script##*/}" "$readme" || fail "nothing about ${script##*/}"
    fi
done

title "its commands run, as an ordinary user"
# The user gets a tree of his own with what the commands name.
home=$CORR_OUT/tree
mkdir -p "$home/tests"
cp -R "$CORR_SOURCE/tests/sample" "$home/tests/"
cp -R "$CORR_SOURCE/tshark-scripts" "$home/"
for point in client lan wan; do
    corr_tshark_plain -r "$CORR_FILE" -Y "frame.interface_name == \"$point\"" -F nsecpcap \
        -w "$CORR_OUT/$point.pcap"
    cp "$CORR_OUT/$point.pcap" "$home/"
done
chmod -R u+rwX,go+rX "$home"
if [ "$(id -u)" -eq 0 ]; then
    chown -R "$("${CORR_AS[@]}" id -u)" "$home"
fi
user_runs() {
    (cd "$home" && PYTHONDONTWRITEBYTECODE=1 corr_as_user bash -euo pipefail -c "$1")
}
run=0 skipped=0
docs commands "$readme" >"$T/commands"
while IFS= read -r -d '' command <&3; do
    read -ra words <<<"$command"
    case $command in
    sudo\ t*/*)
        # Too much for here: there must be such a script, and it must be one.
        [ -x "$CORR_SOURCE/${words[1]}" ] || fail "${words[1]} is no program"
        skipped=$((skipped + 1))
        ;;
    sudo\ * | cmake\ * | 'export WIRESHARK_PLUGIN_DIR='*) skipped=$((skipped + 1)) ;;
    *)
        printf '   $ %s\n' "$command"
        expect 0 user_runs "$command"
        # A command that writes a file is quiet; the next one reads it.
        [ -s "$T/out" ] || [[ $command == *' -w '* ]] || fail "no output: $command"
        hasnt err '[Ee]rror|[Ww]arning|traceback'
        run=$((run + 1))
        ;;
    esac
done 3<"$T/commands"
if [ "$run" -lt 8 ] || [ "$skipped" -lt 5 ]; then
    fail "only $run commands run and $skipped skipped: is the search right?"
fi

title "what it says of snap lengths, under Limits: edit it there when this changes"
chmod 755 "$T"
for bytes in 65535 64 54 40; do
    editcap -s "$bytes" "$CORR_FILE" "$T/snapped.pcapng"
    chmod 644 "$T/snapped.pcapng"
    corr_tshark -q -r "$T/snapped.pcapng" -z corr,report,json >"$T/snap.json"
    jq -r '.drops[] | "\(.frame) \(.after) \(.before)"' "$T/snap.json" | sort >"$T/snap$bytes"
    comm -13 "$T/snap65535" "$T/snap$bytes" >"$T/false"
    [ ! -s "$T/false" ] || fail "$bytes bytes make false drops: $(head -n 3 "$T/false")"
    jq -r '[.drops[].cause // empty] as $causes | (.nat | length > 0) as $nat |
        "\(.drops | length) drops, \($causes | length) causes, \($nat)"' "$T/snap.json" \
        >"$T/counts$bytes"
done
same "$T/snap65535" "$T/snap64"
for line in '65535 27 drops, 6 causes, true' '64 27 drops, 6 causes, true' \
    '54 25 drops, 3 causes, true' '40 0 drops, 0 causes, false'; do
    [ "$(cat "$T/counts${line%% *}")" = "${line#* }" ] ||
        fail "${line%% *} bytes: $(cat "$T/counts${line%% *}"), not ${line#* }"
done

title "its generator refuses what it does not know"
expect 1 docs nonsense "$readme"
sed 's/<!-- generated: fields -->/<!-- fields -->/' "$readme" >"$T/broken.md"
expect 1 docs parts "$T/broken.md" "$T/docs"
# shellcheck disable=SC2016
printf '\nSee [this](no/such/file.md) and `tests/nothing.sh`.\n' | cat "$readme" - >"$T/broken.md"
expect 1 docs paths "$T/broken.md" "$CORR_SOURCE"
has err 'no/such/file\.md'
has err 'tests/nothing\.sh'
finish
