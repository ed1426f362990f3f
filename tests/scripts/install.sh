#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cmake --install: both plug-ins where Wireshark looks, and scripts that work from there.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

need cmake python3 tshark
sample=$CORR_SOURCE/tests/sample/sample.pcapng
[ -f "$sample" ] || skip "no sample capture at $sample"
root=$T/root
# A package is made like this: no file outside of the folder.
manifest=$CORR_BUILD/install_manifest.txt
[ ! -e "$manifest" ] || cp -p "$manifest" "$T/manifest"
DESTDIR=$root expect 0 cmake --install "$CORR_BUILD" --prefix /usr
if [ -e "$T/manifest" ]; then cp -p "$T/manifest" "$manifest"; else rm -f "$manifest"; fi
(cd "$root" && find . ! -type d | LC_ALL=C sort) >"$T/files"

title "exactly the plug-ins, the profile, the scripts and their module"
has files '^\./usr/bin/corr-capture$'
has files '^\./usr/share/wireshark-corr/corr-capture$'
has files '^\./usr/bin/corr-merge$'
has files '^\./usr/share/wireshark-corr/corr-merge$'
has files '^\./usr/share/wireshark-corr/pcapng\.py$'
has files '/corr\.so$'
has files '/corr-tap\.so$'
for page in man1/corr-capture.1 man1/corr-merge.1 man7/wireshark-corr.7; do
    has files "^\\./usr/share/man/$page\$"
done
for script in corr-capture corr-merge; do
    has files "^\\./usr/share/bash-completion/completions/$script\$"
done
for file in colorfilters dfilter_buttons io_graphs preferences recent; do
    has files "^\\./usr/share/wireshark/profiles/Correlation/$file\$"
done
[ "$(wc -l <"$T/files")" -eq 17 ] || fail "more or less than seventeen files: $(cat "$T/files")"

title "the plug-ins: in the folder from which the installed Wireshark takes its own"
folder=$(tshark -G folders 2>/dev/null | sed -nE 's/^Global Plugins:[[:space:]]*//p')
for plugin in corr corr-tap; do
    grep -qE "^\./.*/epan/$plugin\.so$" "$T/files" || fail "$plugin.so is not in a folder epan"
    if [ -n "$folder" ] && [ "${CORR_TSHARK:-tshark}" = tshark ]; then
        [ -f "$root$folder/epan/$plugin.so" ] || fail "$plugin.so is not in $folder/epan"
    fi
done

title "they load from there"
plugins=$(sed -nE 's#^\.(.*)/[0-9.]+/epan/corr\.so$#\1#p' "$T/files")
mkdir "$T/prefix"
cp -R "$root$plugins" "$T/prefix/wireshark"
corr_user_begin "$T/prefix"
expect 0 corr_tshark -G plugins
has out '^corr-tap\.so'

title "corr-merge: a link that may move with its prefix, and works from any folder"
link=$(readlink "$root/usr/bin/corr-merge")
[[ $link != /* ]] || fail "the link is absolute: $link"
cd "$T"
expect 0 "$root/usr/bin/corr-merge" --help
expect 0 "$root/usr/bin/corr-merge" "all=$sample" -o merged.pcapng
[ -s merged.pcapng ] || fail "nothing merged"
(cd "$root" && find . ! -type d | LC_ALL=C sort) >"$T/after"
same "$T/files" "$T/after"

title "and if they are called by another name"
ln -s "$root/usr/bin/corr-merge" "$T/merge"
expect 0 "$T/merge" "all=$sample" -o again.pcapng
same merged.pcapng again.pcapng
finish
