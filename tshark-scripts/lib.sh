# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Common ground of the scripts and the tests: packages, messages, and how to run tshark with the
# plug-ins of a build folder.  To be sourced; it installs the EXIT trap that removes its files.
#
#     corr_user_begin BUILD      once: an ordinary user, a home, the plug-ins where it can read them
#     corr_readable FILE         CORR_FILE = FILE, or a copy that this user can read
#     corr_tshark ARGS...        tshark with the plug-ins
#     corr_tshark_plain ARGS...  tshark without any plug-in
#     CORR_OUT                   a folder in which this user may write
#
# Wireshark ignores plug-in folders given by the environment when it runs as root, and it should
# not dissect as root anyway.

# The one list of Debian packages: to build and use, and beside these to test.
# shellcheck disable=SC2034  # read by those who source this file
CORR_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libglib2.0-dev libxxhash-dev
    wireshark-dev tshark python3 jq"
# Most of these are for the lab of network namespaces: its servers, probes and translations.
# shellcheck disable=SC2034
CORR_PACKAGES_TEST="clang shellcheck debootstrap dpkg-dev zstd lz4 xz-utils
    iproute2 ethtool nftables conntrack tcpdump
    iputils-ping curl openssl nginx-light dnsmasq-base bind9-dnsutils
    wireshark xvfb openbox xdotool xclip imagemagick
    dbus-daemon at-spi2-core python3-gi gir1.2-atspi-2.0"

CORR_PROGRAM=${0##*/}
CORR_VERBOSE=${CORR_VERBOSE:-}
CORR_TSHARK=${CORR_TSHARK:-tshark}
CORR_TMP=
CORR_POLICY=

corr_note() { printf '%s: %s\n' "$CORR_PROGRAM" "$*" >&2; }

corr_die() { corr_note "$@"; exit 1; }

corr_misuse() { corr_note "$* (see $CORR_PROGRAM --help)"; exit 2; }

# Prints a command line so that it can be pasted into a shell.
corr_show() {
    if [ -n "$CORR_VERBOSE" ]; then
        printf '+' >&2
        printf ' %q' "$@" >&2
        printf '\n' >&2
    fi
}

corr_run() { corr_show "$@"; "$@"; }

corr_clean_up() {
    if [ -n "$CORR_POLICY" ]; then
        rm -f -- "$CORR_POLICY"
        CORR_POLICY=
    fi
    if [ -n "$CORR_TMP" ]; then
        rm -rf -- "$CORR_TMP"
    fi
}
trap corr_clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# -- packages ------------------------------------------------------------------------------------

# The packages of a list that are not installed.
corr_packages_missing() {
    local package
    for package in "$@"; do
        if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed; then
            printf '%s ' "$package"
        fi
    done
}

# Runs apt-get; what it says is of interest only when it fails.
corr_apt() {
    local log
    log=$(mktemp)
    corr_show apt-get "$@"
    if DEBIAN_FRONTEND=noninteractive apt-get -qy "$@" >"$log" 2>&1; then
        rm -f -- "$log"
        return 0
    fi
    cat "$log" >&2
    rm -f -- "$log"
    return 1
}

# Installs what is missing of a list of packages; says what to do where it cannot.
corr_packages_need() {
    local -a missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        corr_note "not a Debian system: install what corresponds to: $*"
        return 0
    fi
    read -ra missing <<<"$(corr_packages_missing "$@")" || true
    if [ "${#missing[@]}" -eq 0 ]; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        corr_die "not installed: ${missing[*]}; run: sudo apt-get install ${missing[*]}"
    fi
    corr_note "installing ${missing[*]} (takes minutes on a bare system)"
    # No server that comes along shall start: invoke-rc.d(8) asks this file.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        CORR_POLICY=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$CORR_POLICY"
        chmod 755 "$CORR_POLICY"
    fi
    # A fresh container has no package lists; an old machine has outdated ones.
    if ! corr_apt install --no-install-recommends "${missing[@]}" 2>/dev/null; then
        corr_apt update || corr_die "apt-get update failed: is the network there?"
        corr_apt install --no-install-recommends "${missing[@]}" ||
            corr_die "apt-get could not install ${missing[*]}"
    fi
    if [ -n "$CORR_POLICY" ]; then
        rm -f -- "$CORR_POLICY"
        CORR_POLICY=
    fi
    if [[ " ${missing[*]} " == *" nginx-light "* ]] && command -v systemctl >/dev/null; then
        systemctl --quiet disable nginx.service 2>/dev/null || true
    fi
}

# -- who works -----------------------------------------------------------------------------------

# CORR_OWNER = words to put before a command so that files become those of the person who called
# sudo, when that person may write into folder $1; empty otherwise.
corr_owner_begin() {
    local folder=$1 name
    CORR_OWNER=()
    if [ "$(id -u)" -ne 0 ] || [ "${SUDO_UID:-0}" -eq 0 ]; then
        return 0
    fi
    name=$(id -nu "$SUDO_UID" 2>/dev/null) || return 0
    local -a words=(setpriv "--reuid=$SUDO_UID" "--regid=${SUDO_GID:-$SUDO_UID}" --init-groups
        env "HOME=$(getent passwd "$name" | cut -d: -f6)")
    while [ ! -e "$folder" ]; do
        folder=$(dirname "$folder")
    done
    if "${words[@]}" test -w "$folder" 2>/dev/null; then
        CORR_OWNER=("${words[@]}")
    fi
}

# Configures and builds: SOURCE BUILD [cmake option...].  An existing build is only brought up to
# date.  Chatter goes to standard error.
corr_build() {
    local source=$1 build=$2
    shift 2
    corr_owner_begin "$build"
    corr_run "${CORR_OWNER[@]}" cmake -S "$source" -B "$build" -G Ninja "$@" >&2 &&
        corr_run "${CORR_OWNER[@]}" cmake --build "$build" --parallel "$(nproc)" >&2
}

# Where to build: the folder NAME in the source tree, or in the user's cache where the source
# cannot be written.
corr_build_folder() {
    local source=$1 name=$2
    if [ -w "$source" ]; then
        printf '%s\n' "$source/$name"
    else
        printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/corr/$name"
    fi
}

# -- tshark as an ordinary user ------------------------------------------------------------------

corr_as_user() {
    "${CORR_AS[@]}" env -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u WIRESHARK_CONFIG_DIR \
        HOME="$CORR_TMP/home" LC_ALL=C.UTF-8 WIRESHARK_PLUGIN_DIR="$CORR_PLUGINS" "$@"
}

# Creates CORR_TMP, a folder that everybody may enter and only its owner may write.  $TMPDIR may
# be closed to others, so candidates are tried.
corr_tmp_begin() {
    local base
    if [ -n "$CORR_TMP" ]; then
        return 0
    fi
    for base in "${TMPDIR:-/tmp}" /tmp /var/tmp /dev/shm; do
        if CORR_TMP=$(mktemp -d "$base/corr-XXXXXXXX" 2>/dev/null); then
            chmod 755 "$CORR_TMP"
            if [ "$(id -u)" -ne 0 ] || setpriv --reuid=nobody --regid="$(id -g nobody)" \
                --clear-groups test -x "$CORR_TMP" 2>/dev/null; then
                return 0
            fi
            rmdir "$CORR_TMP"
        fi
    done
    CORR_TMP=
    corr_die "no temporary folder that an ordinary user can enter (tried ${TMPDIR:-/tmp}, /tmp," \
        "/var/tmp, /dev/shm), or setpriv may not change the user in this container"
}

# Prepares the calls of corr_tshark with the plug-ins that were built in folder $1.
corr_user_begin() {
    local build=$1 listing
    command -v "$CORR_TSHARK" >/dev/null ||
        corr_die "no $CORR_TSHARK here: sudo apt-get install tshark"
    build=$(realpath "$build")
    [ -d "$build/wireshark" ] ||
        corr_die "no plug-ins in $build/wireshark: run cmake --build $build first"
    corr_tmp_begin
    mkdir -p "$CORR_TMP/home" "$CORR_TMP/out" "$CORR_TMP/in" "$CORR_TMP/none"
    CORR_OUT=$CORR_TMP/out
    CORR_PLUGINS=$build/wireshark
    CORR_AS=()
    if [ "$(id -u)" -eq 0 ]; then
        CORR_AS=(setpriv "--reuid=nobody" "--regid=$(id -g nobody)" --clear-groups)
        if [ "${SUDO_UID:-0}" -ne 0 ]; then
            CORR_AS=(setpriv "--reuid=$SUDO_UID" "--regid=${SUDO_GID:-$SUDO_UID}" --clear-groups)
        fi
        chown "$("${CORR_AS[@]}" id -u):$("${CORR_AS[@]}" id -g)" "$CORR_TMP/home" "$CORR_OUT"
        # find complains of a folder that it cannot enter, also of the one it was started in.
        if [ -n "$(cd / && "${CORR_AS[@]}" find "$CORR_PLUGINS" ! -readable 2>&1)" ]; then
            cp -RL "$build/wireshark" "$CORR_TMP/wireshark"
            chmod -R u+rwX,go+rX "$CORR_TMP/wireshark"
            CORR_PLUGINS=$CORR_TMP/wireshark
        fi
    fi
    # Not in a pipe: tshark would take a closed one for an error.
    listing=$(cd "$CORR_TMP" && corr_as_user "$CORR_TSHARK" -G plugins 2>"$CORR_TMP/err") || true
    if ! grep -q '^corr\.so' <<<"$listing" || ! grep -q '^corr-tap\.so' <<<"$listing"; then
        cat "$CORR_TMP/err" >&2
        find "$CORR_PLUGINS" -name '*.so' -printf 'found %p\n' >&2
        corr_die "$("$CORR_TSHARK" --version 2>/dev/null | head -n 1) does not load corr.so and" \
            "corr-tap.so from $CORR_PLUGINS: were they built for another Wireshark?"
    fi
}

# CORR_FILE = a path of capture file $1 that the ordinary user can read; a copy if need be.
corr_readable() {
    local file=$1
    [ -e "$file" ] || corr_die "no such file: \"$file\""
    if [ ! -f "$file" ] || [ ! -r "$file" ]; then
        corr_die "cannot read \"$file\""
    fi
    CORR_FILE=$(realpath "$file")
    if ! "${CORR_AS[@]}" test -r "$CORR_FILE"; then
        cp -- "$CORR_FILE" "$CORR_TMP/in/"
        CORR_FILE=$CORR_TMP/in/${CORR_FILE##*/}
        chmod 644 "$CORR_FILE"
    fi
}

# Both run in a folder that exists for the user: the current one may be closed to it.
corr_tshark() {
    if [ -n "$CORR_VERBOSE" ]; then
        printf '+ WIRESHARK_PLUGIN_DIR=%q' "$CORR_PLUGINS" >&2
        printf ' %q' "$CORR_TSHARK" "$@" >&2
        printf '\n' >&2
    fi
    (cd "$CORR_OUT" && corr_as_user "$CORR_TSHARK" "$@")
}

corr_tshark_plain() {
    (cd "$CORR_OUT" && CORR_PLUGINS=$CORR_TMP/none corr_as_user "$CORR_TSHARK" "$@")
}
