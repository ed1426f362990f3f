# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Other Debian releases in folders of their own, for their Wireshark.  To be sourced after lib.sh.
#
#     corr_chroot_need trixie        makes it at first need (root, network; minutes), else skips the test
#     corr_chroot_build trixie [--target ...]   for its Wireshark; false if the build fails
#     corr_chroot_run trixie CMD...  runs CMD in it, as root
#     corr_chroot_as_user trixie CMD...   likewise, as nobody with a home: Wireshark ignores plug-in
#                                    folders for root
#
# Inside, the source tree is /corr/source (read-only), the build folder of this release /corr/build,
# and the test's own folder $T has the same path as outside.  The mounts belong to a namespace that
# ends with the command, so nothing is left behind and removing a folder cannot reach beyond it.
#
# They are kept in CORR_CHROOTS (default /var/cache/corr-chroots) and brought up to date when the
# list of packages below changes; to get newer packages, delete the folder.

CORR_CHROOTS=${CORR_CHROOTS:-/var/cache/corr-chroots}
CORR_CHROOT_MIRROR=${CORR_CHROOT_MIRROR:-http://deb.debian.org/debian}
CORR_CHROOT_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libglib2.0-dev libxxhash-dev
    wireshark-dev tshark wireshark python3 jq procps xz-utils zstd lz4 shellcheck git dpkg-dev file"

# The releases, and the Wireshark that each brings.
# shellcheck disable=SC2034  # read by those who source this file
declare -A CORR_CHROOT_WIRESHARK=([trixie]=4.4 [sid]=4.6)

corr_chroot_packages() {
    local words
    read -ra words <<<"${CORR_CHROOT_PACKAGES//$'\n'/ }"
    printf '%s\n' "${words[@]}"
}

# SUITE ROOT: a minimal system.  Its output is of interest when it fails.
corr_chroot_make() {
    local suite=$1 root=$2
    # Where a mirror's Release file has expired, its packages are still those that were signed.
    debootstrap --variant=minbase "$suite" "$root" "$CORR_CHROOT_MIRROR" &&
        printf 'Acquire::Check-Valid-Until "false";\nAPT::Install-Recommends "false";\n' \
            >"$root/etc/apt/apt.conf.d/corr" &&
        printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" &&
        chmod 755 "$root/usr/sbin/policy-rc.d"
}

# ROOT: the packages of the list.
corr_chroot_install() {
    local root=$1
    local -a words
    read -ra words <<<"$(corr_chroot_packages | paste -sd' ')"
    corr_chroot_enter "$root" apt-get -qy update &&
        corr_chroot_enter "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qy install \
            "${words[@]}" &&
        corr_chroot_packages >"$root/.ready" &&
        rm -rf "$root/var/cache/apt/archives" && mkdir -p "$root/var/cache/apt/archives/partial"
}

# ROOT CMD...: with /proc, /dev and the folders of a test, in a mount namespace of its own.
corr_chroot_enter() {
    local root=$1 build
    shift
    build=$CORR_BUILD/chroot-${root##*/}
    mkdir -p "$root/corr/source" "$root/corr/build" "$root$T" "$build"
    # shellcheck disable=SC2016  # expanded by the inner shell
    unshare --mount --fork sh -ec '
        root=$1 source=$2 build=$3 work=$4
        shift 4
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind "$source" "$root/corr/source"
        mount -o remount,bind,ro "$root/corr/source"
        mount --bind "$build" "$root/corr/build"
        mount --bind "$work" "$root$work"
        if [ -d /tmp/.X11-unix ]; then
            mkdir -p "$root/tmp/.X11-unix"
            mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
        fi
        exec chroot "$root" "$@"' sh "$root" "$CORR_SOURCE" "$build" "$T" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        ${DISPLAY:+"DISPLAY=$DISPLAY"} "$@"
}

corr_chroot_refuse() {
    tail -n 15 "$2" | sed 's/^/    /'
    skip "Wireshark of Debian $1: its packages could not be installed from $CORR_CHROOT_MIRROR;" \
        "the whole log is $2"
}

corr_chroot_need() {
    local suite=$1 root=$CORR_CHROOTS/$1 log
    [ "$(id -u)" -eq 0 ] || skip "Wireshark of Debian $suite: making a chroot needs root"
    need unshare chroot
    mkdir -p "$CORR_CHROOTS"
    exec {CORR_CHROOT_LOCK}>"$root.lock"
    flock "$CORR_CHROOT_LOCK"
    log=$CORR_CHROOTS/$suite.log
    if ! cmp -s "$root/.ready" <(corr_chroot_packages); then
        printf 'making %s (takes minutes)\n' "$root"
        if [ ! -e "$root/.ready" ]; then
            need debootstrap
            rm -rf --one-file-system "$root"
            corr_chroot_make "$suite" "$root" >"$log" 2>&1 || corr_chroot_refuse "$suite" "$log"
        fi
        corr_chroot_install "$root" >"$log" 2>&1 || corr_chroot_refuse "$suite" "$log"
    fi
    exec {CORR_CHROOT_LOCK}>&-
}

corr_chroot_run() {
    local suite=$1
    shift
    corr_chroot_enter "$CORR_CHROOTS/$suite" "$@"
}

corr_chroot_build() {
    local suite=$1
    shift
    corr_chroot_run "$suite" cmake -S /corr/source -B /corr/build -G Ninja -DCORR_WERROR=ON \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
        corr_chroot_run "$suite" cmake --build /corr/build "$@"
}

corr_chroot_as_user() {
    local suite=$1
    shift
    mkdir -p "$T/home"
    chmod 777 "$T/home"
    corr_chroot_run "$suite" setpriv --reuid=65534 --regid=65534 --clear-groups \
        env HOME="$T/home" WIRESHARK_PLUGIN_DIR=/corr/build/wireshark "$@"
}
