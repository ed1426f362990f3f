# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares tests/conditions.txt with the tests that there are: FOLDER CASES."""
import os
import sys

sys.dont_write_bytecode = True
folder, cases_path = sys.argv[1:]
sys.path.insert(0, os.path.join(folder, "sim"))

from generate import load  # noqa: E402

WANTED = [str(n) for n in range(1, 49)] + [
    "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "1.10", "1.15", "1.16"]

rows = set(load())
with open(cases_path, encoding="utf-8") as stream:
    cases = {line.strip() for line in stream}
faults, seen, named = [], [], 0


def tests_of(text):
    """Names of a third column: those of unit tests have blanks and may have a ';' themselves."""
    words, at = text.split(" ; "), 0
    while at < len(words):
        name = words[at].strip()
        while name.startswith("/") and name not in cases and at + 1 < len(words) and \
                not words[at + 1].strip().startswith("/"):
            at += 1
            name += "; " + words[at].strip()
        at += 1
        yield from [name] if name.startswith("/") else name.split()


with open(os.path.join(folder, "conditions.txt"), encoding="utf-8") as stream:
    for line in stream:
        if line.startswith("#") or not line.strip():
            continue
        number, _, rest = (part.strip() for part in line.partition("|"))
        about, _, tests = (part.strip() for part in rest.partition("|"))
        seen.append(number)
        names = list(tests_of(tests))
        named += len(names)
        if not about or not names:
            faults.append("%s: no %s" % (number, "test" if about else "condition"))
        for name in names:
            if name.startswith("/"):
                exists = name in cases
            elif name.startswith("lab:"):
                exists = os.path.exists(os.path.join(folder, "lab", name[4:] + ".sh"))
            else:
                exists = name in rows
            if not exists:
                faults.append("%s: there is no test %s" % (number, name))

faults += ["%s: missing" % n for n in WANTED if n not in seen]
faults += ["%s: twice" % n for n in WANTED if seen.count(n) > 1]
print("%d conditions, %d tests" % (len(seen), named))
print("\n".join(faults))
sys.exit(1 if faults else 0)
