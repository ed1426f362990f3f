#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes truth.json: what the kernel between two capture points counted and translated.

usage: truth.py --order A,B,C,D --between B,C --counters NFT.json
                [--conntrack EVENTS --since EPOCH] [--own ADDRESS,... [--forward PORT]]
                MERGED.pcapng [RULE ...]

Every RULE is "NAME|up or down|MATCH|STATEMENT" as given to nat_drops; up is from B to C. --own
are the router's addresses: packets for them end there, except those to the forwarded PORT.
The frames of the dropped packets come from the oracle; exit code 1 if their number differs from
the kernel's counters.
"""
import argparse
import json
import re
import sys

import capture
import oracle


def endpoints(words):
    """{"src": ..., "src_port": ...} of one conntrack tuple; an echo has its identifier there."""
    found = dict(words)
    entry = {"src": found["src"], "dst": found["dst"]}
    if "sport" in found:
        entry["src_port"], entry["dst_port"] = int(found["sport"]), int(found["dport"])
    elif "id" in found:
        entry["src_port"] = int(found["id"])
    return entry


def translations(options):
    """One entry per conntrack event whose reply tuple is not the mirrored original."""
    entries = []
    if not options.conntrack:
        return entries
    with open(options.conntrack, encoding="ascii") as file:
        for line in file:
            protocol = re.search(r"\b(tcp|udp|icmp)\b", line)
            words = re.findall(r"\b(src|dst|sport|dport|id)=([0-9.]+)", line)
            stamp = re.match(r"\[([0-9.]+)", line)
            if not protocol or not words or float(stamp.group(1)) < options.since:
                continue
            starts = [i for i, (key, _) in enumerate(words) if key == "src"]
            before = endpoints(words[starts[0] : starts[1]])
            reply = dict(words[starts[1] :])
            after = {"src": reply["dst"], "dst": reply["src"]}
            if protocol.group(1) == "icmp":
                after["src_port"] = int(reply["id"])
            else:
                after["src_port"], after["dst_port"] = int(reply["dport"]), int(reply["sport"])
            # The router's own packets are translated before any point sees them.
            if before == after or before["src"] in options.own:
                continue
            inward = before["dst"] != after["dst"]
            entries.append({"kind": "dnat" if inward else "snat", "protocol": protocol.group(1),
                            "from": options.between[inward],
                            "to": options.between[not inward],
                            "before": before, "after": after})
    return entries


def is_forwarded(packet, options, down, nat):
    """Whether it came from an end and was not for the router itself, where it ends by design."""
    info, points = packet.info, packet.points()
    if packet.protocol == "other" or points[0] != options.order[-1 if down else 0]:
        return False
    if info["dst"] not in options.own:
        return True
    if not down:
        return False
    port = info.get("dst_port", info.get("src_port"))
    return port == options.forward or any(
        n["after"]["src"] == info["dst"] and n["after"].get("src_port") == port
        and n["protocol"] == packet.protocol for n in nat)


def lost_between(packets, options, down, nat):
    """Packets whose way ended between the two points: last seen at one, never behind it."""
    order = options.order[::-1] if down else options.order
    after, before = options.between[::-1] if down else options.between
    beyond = set(order[order.index(before) :])
    return [p for p in packets if p.points()[-1] == after and not beyond & set(p.points())
            and is_forwarded(p, options, down, nat)]


def parse_arguments():
    parser = argparse.ArgumentParser(description="kernel truth of a lab run")
    words = lambda text: text.split(",")
    parser.add_argument("--order", type=words, required=True)
    parser.add_argument("--between", type=words, required=True)
    parser.add_argument("--counters", required=True)
    parser.add_argument("--conntrack")
    parser.add_argument("--since", type=float, default=0)
    parser.add_argument("--own", type=words, default=[])
    parser.add_argument("--forward", type=int)
    parser.add_argument("capture")
    parser.add_argument("rules", nargs="*")
    return parser.parse_args()


def main():
    options = parse_arguments()
    with open(options.counters, encoding="utf-8") as file:
        objects = json.load(file)["nftables"]
    counted = {o["counter"]["name"]: o["counter"]["packets"] for o in objects if "counter" in o}
    drops, total = [], [0, 0]
    for rule in options.rules:
        name, direction, match, statement = rule.split("|")
        down = direction == "down"
        drops.append({"rule": name, "after": options.between[down],
                      "before": options.between[not down], "match": match,
                      "statement": statement, "packets": counted[name]})
        total[down] += counted[name]

    frames = capture.read(options.capture)
    packets = oracle.match(frames)
    nat = translations(options)
    lost, expired, agreed = [], [], True
    for down in (False, True):
        mine = {False: [], True: []}
        for packet in lost_between(packets, options, down, nat):
            mine[packet.info["ttl"] <= 1].append(
                {"frame": packet.frames()[-1], "after": options.between[down],
                 "before": options.between[not down]})
        lost += mine[False]
        expired += mine[True]
        if len(mine[False]) != total[down]:
            print(f"truth.py: after {options.between[down]}: nft dropped {total[down]}, the "
                  f"captures lack {len(mine[False])}", file=sys.stderr)
            agreed = False
    truth = {"order": options.order, "between": options.between, "frames": len(frames),
             "packets": len(packets), "drops": drops,
             "dropped_frames": sorted(lost, key=lambda d: d["frame"]),
             "expired_frames": sorted(expired, key=lambda d: d["frame"]), "nat": nat}
    json.dump(truth, sys.stdout, indent=1)
    print()
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
