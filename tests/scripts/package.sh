#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cpack makes a Debian package that says what it needs.  tests/versions/ installs it.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need cpack dpkg-deb dpkg-shlibdeps tshark
title "one package, from the build"
expect 0 cpack -G DEB --config "$CORR_BUILD/CPackConfig.cmake" -B "$T/package"
packages=("$T"/package/wireshark-corr_*.deb)
if [ "${#packages[@]}" -ne 1 ] || [ ! -f "${packages[0]}" ]; then
    fail "not one package: ${packages[*]}"
fi

title "it belongs to the Wireshark that it was built with"
expect 0 dpkg-deb -f "${packages[0]}"
cp "$T/out" "$T/control"
version=$(tshark --version | sed -nE '1s/.* ([0-9]+\.[0-9]+)\..*/\1/p')
has control "^Depends: .*wireshark-common \\(>= $version\\), wireshark-common \\(<< "
has control '^Depends: .*libwireshark[0-9]+'
has control '^Depends: .*libglib2\.0-0'
has control '^Depends: .*python3'
has control '^Recommends: .*tcpdump'

title "and holds plug-ins, scripts, manual pages and completions"
expect 0 dpkg-deb -c "${packages[0]}"
for file in epan/corr.so epan/corr-tap.so bin/corr-capture bin/corr-merge man1/corr-merge.1 \
    man7/wireshark-corr.7 completions/corr-capture; do
    has out "root/root .*/$file( |\$)"
done
finish
