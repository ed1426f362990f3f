#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens a capture in sharkd again and again, with other preferences between, and asks for frames
in random order: the answers must be the same each time, and memory must not grow.

  reload.py FILE ROUNDS SHARKD...     sharkd with its environment, as a command

Prints what differs, and "memory KB KB": resident after a quarter of the rounds, and at the end.
With PLAIN as the first word of SHARKD it is one without the plug-ins: memory only.
"""
import json
import random
import subprocess
import sys

SETTINGS = [
    {},
    {"corr.correction": "off"},
    {"corr.memory": "1"},
    {"corr.export_point": "lan", "corr.tunnel_vxlan": "false"},
]
DEFAULTS = {"corr.correction": "auto", "corr.memory": "0", "corr.export_point": "",
            "corr.tunnel_vxlan": "true"}


class Sharkd:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.id = 0

    def ask(self, method, **params):
        self.id += 1
        request = {"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"sharkd ended at {request}")
        answer = json.loads(answer)
        if "error" in answer:
            sys.exit(f"{request}: {answer['error']}")
        return answer["result"]

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


def labels(nodes):
    for node in nodes:
        yield node.get("l", "")
        yield from labels(node.get("n", []))


def correlation(sharkd, frame):
    """All lines below "Correlation", as text."""
    tree = sharkd.ask("frame", frame=frame, proto=True)["tree"]
    return [line for node in tree if node.get("l", "").startswith("Correlation")
            for line in labels([node])]


def main(path, rounds, command):
    plain = command[0] == "PLAIN"
    sharkd = Sharkd(command[plain:])
    chance = random.Random(1)
    known, wrong, quarter = {}, 0, 0
    for number in range(rounds):
        which = number % len(SETTINGS)
        if not plain:
            for name, value in {**DEFAULTS, **SETTINGS[which]}.items():
                sharkd.ask("setconf", name=name, value=value)
        sharkd.ask("load", file=path)
        count = sharkd.ask("status")["frames"]
        frames = list(range(1, count + 1, 7)) # the same each time, in another order
        chance.shuffle(frames)
        for frame in frames:
            lines = correlation(sharkd, frame)
            if plain:
                continue
            before = known.setdefault((which, frame), lines)
            if lines != before and (wrong := wrong + 1) < 10:
                print(f"round {number}: frame {frame}: {lines}, was {before}")
            if which == 0 and not lines:
                print(f"round {number}: frame {frame}: nothing")
                wrong += 1
        if number == rounds // 4:
            quarter = sharkd.resident_kb()
    end = sharkd.resident_kb()
    if sharkd.end() != 0:
        print("sharkd failed")
        wrong += 1
    for (which, frame), lines in sorted(known.items()):
        if which == 0:
            print("answer", frame, next((line.split(": ")[1] for line in lines
                                         if line.startswith("Packet: ")), "-"))
    print("memory", quarter, end)
    return wrong > 0


sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
