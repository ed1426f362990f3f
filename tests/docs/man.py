#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the manual pages: of a script from its --help, of the tables from the engine's lists.

    man.py script NAME        NAME.1 from the help text on standard input
    man.py tables FOLDER      wireshark-corr.7; FOLDER is what docs_collect of collect.sh wrote
"""
import os
import re
import sys

DATE = "2026"


def roff(text):
    """Text as roff takes it: no line is a request, no hyphen is typeset as another character."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line
                     for line in text.split("\n"))


def heading(name, section):
    return '.TH %s %d "%s" "wireshark-corr" "Packet correlation"\n' % (name.upper(), section, DATE)


def literal(lines):
    return ".nf\n" + "".join(roff(line[2:] if line.startswith("  ") else line) + "\n"
                             for line in lines) + ".fi\n"


def paragraphs(lines):
    """Runs of lines between empty ones; indented runs stay as they are."""
    run = []
    for line in lines + [""]:
        if line:
            run.append(line)
        elif run:
            yield run
            run = []


def body(lines):
    out = []
    for run in paragraphs(lines):
        plain = [line for line in run if not line.startswith("  ")]
        indented = run[len(plain):] if run[:len(plain)] == plain else run
        if indented is run:
            plain = []
        if plain:
            out.append(".PP\n" + roff("\n".join(plain)) + "\n")
        if indented and re.match(r"  -", indented[0]):
            out.append(options(indented))
        elif indented:
            out.append(".PP\n" + literal(indented))
    return "".join(out)


def options(lines):
    out = ""
    for line in lines:
        match = re.match(r"  (-.*?)(?:   *(.*))?$", line)
        if match:
            out += ".TP\n.B %s\n" % roff(match.group(1))
            out += roff(match.group(2)) + "\n" if match.group(2) else ""
        else:
            out += roff(line.strip()) + "\n"
    return out


def script(name, text):
    lines = text.rstrip("\n").split("\n")
    usage = []
    while lines and lines[0]:
        usage.append(re.sub(r"^usage: *", "", lines.pop(0)).strip())
    titles = {"Example": "EXAMPLES", "Exit status": "EXIT STATUS", "options": "OPTIONS",
              "positional arguments": "ARGUMENTS"}
    sections, current = [("DESCRIPTION", [])], None
    for line in lines:
        match = re.match(r"(Examples?|Exit status|options|positional arguments):\s*(.*)$", line)
        if match:
            current = titles[re.sub("^Examples$", "Example", match.group(1))]
            sections.append((current, [match.group(2)] if match.group(2) else []))
        elif current and line and not line.startswith(" ") and current in ("OPTIONS",
                                                                           "ARGUMENTS"):
            current = "NOTES"
            sections.append((current, [line]))
        else:
            sections[-1][1].append(line)
    summary = next(line for line in sections[0][1] if line)
    out = heading(name, 1)
    out += ".SH NAME\n%s \\- %s\n" % (roff(name), roff(summary[:1].lower() + summary[1:].rstrip(
        ".")))
    out += ".SH SYNOPSIS\n%s\n" % roff(" ".join(usage))
    for title, content in sections:
        # The positional arguments are explained at length below the options.
        if title != "ARGUMENTS" and any(content):
            out += ".SH %s\n" % title + body([line.rstrip() for line in content])
    return out + ".SH SEE ALSO\nwireshark\\-corr(7), tshark(1), mergecap(1), dumpcap(1)\n"


def rows(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as stream:
        return [line.rstrip("\n").split("\t") for line in stream]


def tables(folder):
    out = heading("wireshark-corr", 7)
    out += (".SH NAME\nwireshark\\-corr \\- which frames show the same packet, and where was it "
            "lost\n.SH SYNOPSIS\n.B tshark \\-q \\-r\n.I FILE\n.B \\-z corr,\\c\n.I TABLE\\c\n"
            "[,\\fIFORMAT\\fR][,\\fIFILTER\\fR]\n.br\n.B tshark \\-2 \\-r\n.I FILE\n"
            ".B \\-Y corr.dropped\n"
            ".SH DESCRIPTION\n"
            "Two Wireshark plug\\-ins for captures of the same traffic at several places, merged "
            "into one file.\n.I FORMAT\nis\n.BR text ,\n.B json\nor\n.BR csv ;\n"
            "all that follows is a display filter, commas included.\n.I TABLE\nis one of those "
            "below, or\n.B report\nfor all of them. Fields want\n.BR \"tshark \\-2\" .\n"
            ".SH TABLES\n")
    for table, key, kind, _, about in rows(folder, "columns.tsv"):
        if not key:
            out += ".SS %s\n%s.\n" % (roff(table), roff(about[:1].upper() + about[1:]))
        else:
            out += ".TP\n.B %s\n(%s) %s\n" % (roff(key), kind, roff(about))
    out += ".SH FIELDS\n"
    for row in rows(folder, "fields.tsv"):
        about = row[7] if len(row) > 7 and row[7] else row[1]
        out += ".TP\n.B %s\n%s\n" % (roff(row[2]), roff(about))
    return out + ".SH SEE ALSO\ncorr\\-capture(1), corr\\-merge(1), tshark(1), wireshark(1)\n"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "script":
        sys.stdout.write(script(sys.argv[2], sys.stdin.read()))
    elif len(sys.argv) == 3 and sys.argv[1] == "tables":
        sys.stdout.write(tables(sys.argv[2]))
    else:
        sys.exit(__doc__.rstrip())


if __name__ == "__main__":
    main()
