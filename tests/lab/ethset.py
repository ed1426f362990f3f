#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets offload flags of a network interface through SIOCETHTOOL, for hosts without ethtool.

usage: ethset.py IFACE FEATURE=0|1 ...      (features: tso sg gso gro txcsum rxcsum)
example: ethset.py eth0 tso=0 gso=0 gro=0 txcsum=0
"""
import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# ETHTOOL_S* commands of linux/ethtool.h; each takes one u32, 0 or 1.
COMMANDS = {"rxcsum": 0x15, "txcsum": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}


def set_feature(sock, interface, feature, value):
    """Raises OSError where the driver refuses."""
    payload = array.array("B", struct.pack("II", COMMANDS[feature], value))
    address, _ = payload.buffer_info()
    request = struct.pack("16sP16x", interface.encode(), address)
    fcntl.ioctl(sock, SIOCETHTOOL, request)


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for word in sys.argv[2:]:
            feature, _, value = word.partition("=")
            if feature not in COMMANDS or value not in ("0", "1"):
                print(f"ethset.py: '{word}' is not FEATURE=0|1", file=sys.stderr)
                return 2
            set_feature(sock, sys.argv[1], feature, int(value))
    return 0


if __name__ == "__main__":
    sys.exit(main())
