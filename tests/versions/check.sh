# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What every other Wireshark has to show.  To be sourced by the test of a Debian release, which
# sets `suite`; run inside its chroot (see ../chroots.sh).
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=../chroots.sh
. "$(dirname "${BASH_SOURCE[0]}")/../chroots.sh"

# shellcheck disable=SC2154  # set by who sources this file
release=$suite
wireshark=${CORR_CHROOT_WIRESHARK[$release]}
corr_chroot_need "$release"
inside() { corr_chroot_run "$release" "$@"; }

title "$release brings Wireshark $wireshark"
expect 0 inside tshark --version
has out "^TShark \\(Wireshark\\) $wireshark\\."

title "builds there, warnings are errors"
expect 0 corr_chroot_build "$release"
[ "$failures" -eq 0 ] || { grep -E 'error|warning' "$T/out" | head -n 20; finish; }

title "unit tests, tshark with the plug-ins, README's examples, installation"
expect 0 inside ctest --test-dir /corr/build -L '^(unit|tshark)$' --output-on-failure \
    --no-tests=error
sed 's/^/    /' "$T/out"
expect 0 inside ctest --test-dir /corr/build -R '^(docs-readme|scripts-install)$' \
    --output-on-failure --no-tests=error
sed 's/^/    /' "$T/out"

title "the simulator's truth: one scenario of each kind"
expect 0 inside env CORR_SOURCE=/corr/source CORR_BUILD=/corr/build \
    bash /corr/source/tests/sim/run.sh A05 B01 B18 C03 C08 C21 E14 E18
sed 's/^/    /' "$T/out"

title "the package installs, works for every user, and leaves nothing when it is purged"
expect 0 inside sh -c 'cd /corr/build && rm -f ./*.deb && cpack -G DEB'
expect 0 inside sh -c 'dpkg -i /corr/build/wireshark-corr_*.deb'
expect 0 inside setpriv --reuid=65534 --regid=65534 --clear-groups tshark -G plugins
has out '^corr\.so'
has out '^corr-tap\.so'
expect 0 inside corr-merge --help
expect 0 inside dpkg --purge wireshark-corr
expect 0 inside find / -xdev '(' -name 'corr*.so' -o -name corr-merge ')' -not -path '/corr/*' \
    -not -path '/proc/*'
hasnt out .

title "the same answers as with the Wireshark that is installed here"
sample=$CORR_SOURCE/tests/sample/sample.pcapng
corr_user_begin "$CORR_BUILD"
corr_readable "$sample"
sed -nE 's/^ *X\([a-z_0-9]+, *[A-Z0-9]+, *"(corr\.[a-z_.0-9]+)".*/-e \1/p' \
    "$CORR_SOURCE/plugins/libcorr/view.h" >"$T/fields"
read -ra fields <<<"$(paste -sd' ' "$T/fields")"
[ "${#fields[@]}" -gt 20 ] || fail "no fields found in view.h"
for way in "-q -z corr,report,json" "-2 -q -z corr,report,json" "-2 -T fields ${fields[*]}"; do
    read -ra words <<<"$way"
    expect 0 corr_tshark -r "$CORR_FILE" "${words[@]}"
    mv "$T/out" "$T/here"
    [ -s "$T/here" ] || fail "no output: tshark ${words[*]}"
    expect 0 corr_chroot_as_user "$release" tshark -r /corr/source/tests/sample/sample.pcapng \
        "${words[@]}"
    # Booleans print 1 until 4.2 and True from then on.
    sed -E 's/\bTrue\b/1/g' "$T/here" >"$T/here.same"
    sed -E 's/\bTrue\b/1/g' "$T/out" >"$T/there.same"
    same "$T/here.same" "$T/there.same"
done
finish
