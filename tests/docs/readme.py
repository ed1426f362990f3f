#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps README.md true: makes its generated parts, finds its commands, paths and links.

    readme.py parts README FOLDER      README with new generated parts, to standard output;
                                       FOLDER is what docs_collect of collect.sh wrote
    readme.py commands README          its shell commands, each ended by a zero byte
    readme.py paths README SOURCE      checks its links and the files that it names
    readme.py keys FOLDER              checks that every JSON key is a documented column
    readme.py tables README            the tables that it documents, one a line
"""
import json
import os
import re
import sys

BEGIN = re.compile(r"<!-- generated: (\w+) -->\n")
END = "<!-- end -->\n"
FIELD_TYPES = {
    "FT_STRING": "text", "FT_UINT32": "number", "FT_UINT16": "number", "FT_FRAMENUM": "frame",
    "FT_RELATIVE_TIME": "time", "FT_BOOLEAN": "true", "FT_IPv4": "IPv4", "FT_IPv6": "IPv6",
    "FT_NONE": "label",
}
# Folders in which the tour names files without saying the whole path.
ROOTS = ("", "plugins/libcorr/", "epan-hooks/", "tests/", "tests/unit/")
NAMED = re.compile(r"^[\w.+-]*(/[\w.+-]+)*/?$")
ENDINGS = (".c", ".h", ".md", ".sh", ".py", ".txt", ".json", ".tsv", "/")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as stream:
        return stream.read()


def rows(folder, name):
    return [line.split("\t") for line in read(folder, name).splitlines()]


def cell(text):
    return text.replace("|", "\\|")


# -- generated parts -----------------------------------------------------------------------------

def groups(text):
    """A text table: lines of its heading, rows with the lines below them, notes at its end."""
    lines = text.rstrip("\n").split("\n")
    found, notes = [], []
    for number, line in enumerate(lines[3:], 3):
        if not line:
            notes = lines[number:]
            break
        if line.startswith("    ") and found:
            found[-1].append(line)
        else:
            found.append([line])
    return lines[:3], found, notes


def excerpt(text, kind):
    """The first row of each kind, a TCP one if there is one; dots tell of others."""
    head, all_rows, notes = groups(text)
    chosen = {}
    for number, row in enumerate(all_rows):
        key = kind(row)
        if key not in chosen or ("tcp" in " ".join(row).lower() and
                                 "tcp" not in " ".join(all_rows[chosen[key]]).lower()):
            chosen[key] = number
    lines = list(head)
    for number in sorted(chosen.values()):
        lines += all_rows[number]
    if len(chosen) < len(all_rows):
        lines.append("[...]")
    return "\n".join(lines + notes) + "\n"


def make_report(folder):
    parts = [read(folder, "points.txt"), read(folder, "segments.txt"),
             excerpt(read(folder, "nat.txt"), lambda row: row[0].split()[0]),
             excerpt(read(folder, "drops.txt"), lambda row: tuple(row[0].split()[5:7]))]
    return ("```text\n$ tshark -q -r tests/sample/sample.pcapng -z corr,report\n" +
            "\n".join(parts) + "```\n")


def make_packet(folder):
    table = rows(folder, "packet.txt")
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths)).rstrip()
             for row in table]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def make_fields(folder):
    lines = ["| field | type | meaning |", "|---|---|---|"]
    for row in rows(folder, "fields.tsv"):
        name, meaning = row[2], row[7] if len(row) > 7 else ""
        meaning = meaning or "Expert information: " + row[1]
        lines.append("| `%s` | %s | %s |" % (name, FIELD_TYPES[row[3]], cell(meaning)))
    return "\n".join(lines) + "\n"


def make_tables(folder):
    """Columns of every table; those of an object follow in brackets."""
    columns = rows(folder, "columns.tsv")
    lines = []
    for table, key, _, _, about in columns:
        if key:
            continue
        lines += ["", "**`%s`**: %s" % (table, about), "", "| column | type | meaning |",
                  "|---|---|---|"]
        for name, sub, kind, _, meaning in columns:
            if name != table or not sub or "." in sub:
                continue
            inner = ["`%s` %s" % (k[len(sub) + 1:], m[:1].lower() + m[1:])
                     for n, k, _, _, m in columns if n == table and k.startswith(sub + ".")]
            lines.append("| `%s` | %s | %s%s |" % (
                sub, kind, cell(meaning), ": " + cell("; ".join(inner)) if inner else ""))
    return "\n".join(lines[1:]) + "\n"


MAKERS = {"report": make_report, "packet": make_packet, "fields": make_fields,
          "tables": make_tables}


def parts(readme, folder):
    text, out, seen = read(readme), [], []
    while True:
        begin = BEGIN.search(text)
        if not begin:
            break
        seen.append(begin.group(1))
        out += [text[:begin.end()], "\n", MAKERS[seen[-1]](folder), "\n", END]
        text = text[text.index(END, begin.end()) + len(END):]
    if sorted(seen) != sorted(MAKERS):
        sys.exit("readme.py: generated parts are %s, not %s" % (seen, sorted(MAKERS)))
    sys.stdout.write("".join(out) + text)


# -- checks --------------------------------------------------------------------------------------

def commands(readme):
    """Lines of the sh blocks; a backslash joins, comments and empty lines are left out."""
    for block in re.findall(r"^```sh\n(.*?)^```$", read(readme), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                sys.stdout.write(line.strip() + "\0")


def slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def paths(readme, source):
    text = read(readme)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    slugs = {slug(h) for h in re.findall(r"^#+ (.*)$", prose, re.M)}
    faults = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        if path and not os.path.exists(os.path.join(source, path)):
            faults.append("link to %s" % target)
        if not path and anchor not in slugs:
            faults.append("link to #%s, but no such heading" % anchor)
    count = 0
    for span in re.findall(r"`([^`\n]+)`", prose) + re.findall(r"^ {4}([\w/.-]+)(?= )", prose,
                                                              re.M):
        if not NAMED.match(span) or not ("/" in span or span.endswith(ENDINGS)):
            continue
        if not span.endswith(ENDINGS) and "/" not in span.rstrip("/"):
            continue
        if span.startswith(("build", "/", "corr-report/")):
            continue
        count += 1
        if not any(os.path.exists(os.path.join(source, root + span)) for root in ROOTS):
            faults.append("`%s` does not exist" % span)
    if count < 20:
        faults.append("only %d paths found: is the search right?" % count)
    if faults:
        sys.exit("\n".join(faults))


def keys(folder):
    documented = {(row[0], row[1]) for row in rows(folder, "columns.tsv")}
    tables = {table for table, _ in documented}
    found = set()

    def walk(value, table, before):
        if isinstance(value, list):
            for item in value:
                walk(item, table, before)
        elif isinstance(value, dict):
            for key, item in value.items():
                found.add((table, before + key))
                walk(item, table, before + key + ".")

    report = json.loads(read(folder, "report.json"))
    for key, value in report.items():
        if key in tables:
            walk(value, key, "")
        elif key not in ("schema", "notes"):
            sys.exit("JSON has the key %s, which is no table" % key)
    missing = sorted(found - documented)
    if missing or len(found) < 40:
        sys.exit("%d keys; not documented: %s" % (len(found), missing))


def tables(readme):
    for name in re.findall(r"^\*\*`(\w+)`\*\*: ", read(readme), re.M):
        print(name)


def main():
    actions = {"parts": parts, "commands": commands, "paths": paths, "keys": keys,
               "tables": tables}
    if len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help"):
        print(__doc__.rstrip())
        return
    if len(sys.argv) < 3 or sys.argv[1] not in actions:
        sys.exit("usage: readme.py %s ..." % "|".join(actions))
    actions[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
