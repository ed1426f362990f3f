# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks that several labs are made of; sourced after lab.sh.  Frames are as a network has them.

# lab_line BOX SERVER: client c, 10.1.0.10, c0 == f0 [f] f1 == s0 server s, with these addresses
# (/24) on the far side of f, which forwards.
lab_line() {
    lab_ns c f s
    lab_wire c c0 f f0
    lab_wire f f1 s s0
    lab_ip c addr add 10.1.0.10/24 dev c0
    lab_ip c route add default via 10.1.0.1
    lab_ip f addr add 10.1.0.1/24 dev f0
    lab_ip f addr add "$1/24" dev f1
    lab_ip s addr add "$2/24" dev s0
    lab_in f sysctl -q -w net.ipv4.ip_forward=1
    lab_real_wires 'c c0' 'f f0' 'f f1' 's s0'
}

# lab_tunnel: hosts west and east, joined by VXLAN (vxwest 172.30.0.1, vxeast 172.30.0.2) over
# under-w and under-e, with a router between.
lab_tunnel() {
    lab_ns west router east
    lab_wire west under-w router rw
    lab_wire east under-e router re
    lab_ip west addr add 10.9.1.1/24 dev under-w
    lab_ip west route add default via 10.9.1.254
    lab_ip east addr add 10.9.2.2/24 dev under-e
    lab_ip east route add default via 10.9.2.254
    lab_ip router addr add 10.9.1.254/24 dev rw
    lab_ip router addr add 10.9.2.254/24 dev re
    lab_in router sysctl -q -w net.ipv4.ip_forward=1
    lab_ip west link add vxwest type vxlan id 77 local 10.9.1.1 remote 10.9.2.2 dstport 4789
    lab_ip east link add vxeast type vxlan id 77 local 10.9.2.2 remote 10.9.1.1 dstport 4789
    lab_ip west addr add 172.30.0.1/24 dev vxwest
    lab_ip east addr add 172.30.0.2/24 dev vxeast
    lab_ip west link set dev vxwest mtu 1450 up
    lab_ip east link set dev vxeast mtu 1450 up
    lab_real_wires 'west under-w' 'west vxwest' 'router rw' \
        'router re' 'east under-e' 'east vxeast'
}

# lab_real_wires 'NS IF'...
lab_real_wires() {
    local place
    for place; do
        # shellcheck disable=SC2086 # two words
        lab_real_wire $place
    done
}
