#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every source file: licence line, purpose, size, width, no tabs, nothing left undone.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

title "files"
cd "$CORR_SOURCE"
expect 0 python <<'END'
import os, re, sys

UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
FOLDERS = ("plugins", "epan-hooks", "tshark-scripts", "tests", ".ci")
faults = []
count = 0

def source(path):
    name = os.path.basename(path)
    if name.endswith((".c", ".h", ".sh", ".py", ".cmake")) or name == "CMakeLists.txt":
        return True
    if "." in name or not os.access(path, os.X_OK):
        return False
    with open(path, "rb") as stream:
        return stream.read(2) == b"#!"

for top in FOLDERS:
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders if f not in ("corpus", "__pycache__"))
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not source(path):
                continue
            count += 1
            lines = open(path, encoding="utf-8").read().split("\n")
            say = lambda line, what: faults.append("%s:%d: %s" % (path, line, what))
            if not any("SPDX-License-Identifier: GPL-2.0-or-later" in l for l in lines[:2]):
                say(1, "no SPDX line")
            if len(lines) > 601:
                say(len(lines), "longer than 600 lines")
            if lines[-1] != "":
                say(len(lines), "no newline at the end")
            for number, line in enumerate(lines, 1):
                if len(line) > 100 and "http" not in line and name.endswith((".c", ".h")):
                    say(number, "%d columns" % len(line))
                if "\t" in line:
                    say(number, "a tab")
                if line != line.rstrip():
                    say(number, "a blank at the end")
                if UNDONE.search(line):
                    say(number, "something left undone")
print("\n".join(faults))
if count < 10:
    sys.exit("only %d files found" % count)
sys.exit(1 if faults else 0)
END
cat "$T/out"
finish
