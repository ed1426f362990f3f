# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be readable in Wireshark's windows, compared with what tshark printed of the same file.

    look.py FOLDER TABLE...   FOLDER/said/: what tshark said (see check.sh)
                              FOLDER/pictures/: pictures of the windows, NAME.png
                              FOLDER/copied/: tables as the Copy button gave them, NAME

Wireshark shows the sample, with the profile Correlation.  Prints what is looked at and what is
wrong; exit status 1 if anything is.
"""
import collections
import csv
import itertools
import os
import re
import subprocess
import sys
import time

from person import (Atspi, NotSeen, Person, cell_text, children, has_state, is_showing, place,
                    text_of, things, until)

FOLDER = sys.argv[1]
TABLES = sys.argv[2:]
MAIN = "sample.pcapng"
SIZE = (1270, 800)
# A frame whose packet was lost behind it, and the frame that shows it at the point before.
LOST, BEFORE = 663, 651
# Another one, whose conversation is short.
LOST_OF_FLOW = 358
# Its colour, as the profile sets it.
RED = (0xb4, 0x24, 0x24)

failures = 0
begun = time.monotonic()


def title(text):
    print(f"-- {text} ({time.monotonic() - begun:.0f} s)", flush=True)


def check(right, wrong):
    global failures
    if not right:
        failures += 1
        print("FAILED:", wrong, flush=True)


def same(seen, said, what):
    """Two lists of texts are equal; the first differences are told."""
    if seen != said:
        check(False, f"{what}: {len(seen)} seen, {len(said)} said by tshark")
        pairs = itertools.zip_longest(seen, said, fillvalue="nothing")
        for pair in [pair for pair in pairs if pair[0] != pair[1]][:3]:
            print("    seen: %s\n    said: %s" % pair)


def said(name):
    with open(os.path.join(FOLDER, "said", name), encoding="utf-8") as file:
        return file.read().splitlines()


def frames():
    """By number: what tshark said of each frame."""
    names = ("number", "time", "dropped", "hop", "duplicate", "packet", "flow")
    return {int(row["number"]): row for row in
            (dict(zip(names, line.split("\t"))) for line in said("fields"))}


def words(text):
    return " ".join(text.split())


# -- the packet list and the details ---------------------------------------------------------------

def packet_list(main):
    return person.find(main, "tree", "Packet list")


def details(main):
    return person.find(main, "tree", "Packet details")


def frame_cell(table, number, column=0):
    """Of the unfiltered list."""
    return Atspi.Table.get_accessible_at(table, number - 1, column)


def is_selected(table, number):
    return has_state(frame_cell(table, number), Atspi.StateType.SELECTED)


def go_to(main, number):
    person.menu(main, "Go", "Go to Packet…")
    person.find(main, "label", "Packet:")
    person.type(str(number))
    person.click(person.find(main, "push button", "Go to packet"))
    table = packet_list(main)
    until(lambda: is_selected(table, number), f"frame {number} is not selected")


def expand_correlation(main):
    """Its lines in the details; one click on a closed tree opens it, by the key of the arrow."""
    tree = details(main)
    person.click(person.cell(tree, "Correlation:"), at=0.2)
    person.keys("Right")

    def lines():
        rows = [row[0] for row in person.rows(tree)[1]]
        below = rows[next(i for i, row in enumerate(rows) if row.startswith("Correlation:")):]
        return below if len(below) > 1 else None
    return until(lines, "the tree does not open")


def colour_of(picture, x, y, width, height):
    """The commonest one of a rectangle."""
    pixels = subprocess.run(("convert", picture, "-crop", f"{width}x{height}+{x}+{y}", "-depth", "8",
                             "rgb:-"), check=True, capture_output=True).stdout
    return collections.Counter(zip(*[iter(pixels)] * 3)).most_common(1)[0][0]


def look_at_packets(main):
    title("the packet list with the profile: columns as tshark prints them, buttons")
    table = packet_list(main)
    columns = [Atspi.Table.get_column_description(table, c)
               for c in range(Atspi.Table.get_n_columns(table))]
    for name in ("Point", "Packet", "Hop", "Hop latency (s)", "NAT", "Fate"):
        check(name in columns, f"no column {name!r} in {columns}")
    for line in said("columns"):
        # tshark has an arrow between the two addresses.
        cells = [cell.strip() for cell in line.split("\t") if cell.strip() != "→"]
        seen = [cell_text(table, int(cells[0]) - 1, c) for c in range(len(columns))]
        same([words(cell) for cell in seen], [words(cell) for cell in cells], f"frame {cells[0]}")
    buttons = [thing.get_name() for thing in things(main, "push button")]
    for name in ("Dropped", "This packet everywhere", "Translated", "Retransmissions that are real",
                 "Slow hops"):
        check(name in buttons, f"no button {name!r}")

    title("the details of a lost packet: the sentence, and below it what tshark prints")
    go_to(main, LOST)
    tree = details(main)
    x, y, width, height = place(tree)
    person.drag(x + width + 2, y + height // 2, 250)
    lines = expand_correlation(main)
    same([words(line) for line in lines], [words(line) for line in said("details")], "details")
    person.picture(main, "packets")

    title("a link leads to the packet's sighting before")
    person.click(person.cell(details(main), f"[Previous sighting: {BEFORE}]"), times=2, at=0.2)
    until(lambda: is_selected(table, BEFORE), f"frame {BEFORE} is not selected")

    title("colours: a lost packet is red")
    person.reveal(table, frame_cell(table, LOST))
    picture = person.picture(main, "colours")
    x, y, width, height = place(frame_cell(table, LOST))
    left, top, _, _ = place(main)
    seen = colour_of(picture, x - left, y - top, width, height)
    check(all(abs(a - b) < 24 for a, b in zip(seen, RED)), f"frame {LOST} is {seen}, not {RED}")


# -- statistics ------------------------------------------------------------------------------------

def open_table(main, name):
    heading = f"Correlation: {name.capitalize()}"
    person.open(main, ("Statistics", heading), f"Wireshark · {heading}")
    window = person.front(f"Wireshark · {heading}", 1100, 560)
    return heading, window


def window_rows(window):
    """Heading and rows; titles of tables and notes, which have one cell, are left out."""
    head, rows = person.rows(person.find(window, "tree"))
    return head, [row for row in rows if row[0].strip().isdigit()], [
        row[0] for row in rows if not row[0].strip().isdigit()]


def table_said(name):
    lines = said(f"{name}.window")
    rows = [[cell.strip() for cell in line.split(" |")[:-1]] for line in lines if line.endswith(" |")]
    return rows[0], rows[1:], [line for line in lines if line.startswith("Note: ")]


def look_at_table(main, name):
    title(f"Statistics > Correlation: {name.capitalize()}: the numbers of tshark, also when copied")
    person.clicks = 0
    heading, window = open_table(main, name)
    clicks = person.clicks
    check(clicks <= 3, f"{clicks} clicks")
    head_said, rows_said, notes_said = table_said(name)
    until(lambda: len(window_rows(window)[1]) == len(rows_said), lambda: "%d rows, not %d" % (
        len(window_rows(window)[1]), len(rows_said)))
    head, rows, titles = window_rows(window)
    same(head, head_said, "heading")
    same([words(" ".join(row)) for row in rows], [words(" ".join(row)) for row in rows_said], "rows")
    same([text for text in titles if text.startswith("Note: ")], notes_said, "notes")
    first = person.cell(person.find(window, "tree"), rows[0][1], 1)
    check(place(first)[0] < 300, f"the first column begins at {place(first)[0]}")
    person.picture(window, name)

    person.forget_copied()
    person.click(person.find(window, "push button", "Copy"))
    text = person.copied("# *" + re.escape(head[1]))
    copied = [words(line) for line in text.splitlines() if re.match(r" *\d+ ", line)]
    same(copied, [words(" ".join(row)) for row in rows_said], "copied rows")
    with open(os.path.join(FOLDER, "copied", name), "w", encoding="utf-8") as file:
        file.write("\n".join(copied) + "\n")
    return heading, window


def close(window, heading):
    person.click(person.find(window, "push button", "Close"))
    person.gone(f"Wireshark · {heading}")


def look_at_tables(main):
    for name in TABLES:
        heading, window = look_at_table(main, name)
        if name == "drops":
            title("with a display filter")
            person.click(person.find(window, "text"))
            person.type("udp")
            wanted = [words(" ".join(row)) for row in table_said("filtered")[1]]

            def filtered():
                # The first click may only close the list of completions.
                person.click(person.find(window, "push button", "Apply"))
                return len(window_rows(window)[1]) == len(wanted)
            until(filtered, "the filter does not filter")
            same([words(" ".join(row)) for row in window_rows(window)[1]], wanted, "filtered rows")
        if name == "segments":
            title("opened again, it shows its notes again")
            close(window, heading)
            heading, window = open_table(main, name)
            _, wanted, notes = table_said(name)
            until(lambda: len(window_rows(window)[1]) == len(wanted), "no rows")
            same([text for text in window_rows(window)[2] if text.startswith("Note: ")], notes, "notes")
        close(window, heading)
    clear_filter(person.front(MAIN, *SIZE))  # 4.6 shows the window's filter there, too


# -- file dialogs and lists ------------------------------------------------------------------------

def choose(window, box, name):
    """An entry of a combo box, whose list may be a window of its own."""
    person.click(box)

    def entry():
        for top in person.windows():
            for some_list in things(top, "list"):
                for item in children(some_list):
                    if item.get_name() == name and place(some_list)[3] > 0:
                        return item
        return None
    person.click(until(entry, f"no entry {name!r} in {window.get_name()!r}"))
    until(lambda: box.get_name() == name, f"{name!r} is not chosen")


def save_as(begin, kind, name):
    """In a dialog that asks for a file; returns its text."""
    path = os.path.join(FOLDER, "copied", name)
    dialog = person.window(begin)
    choose(dialog, person.find(dialog, "combo box", nth=1), kind)
    person.click(person.find(dialog, "text"))
    person.keys("ctrl+a")
    person.type(path)
    person.click(person.find(dialog, "push button", "Save"))
    person.gone(begin)
    until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, f"{path} was not written")
    with open(path, encoding="utf-8") as file:
        return file.read()


# -- the ladder ------------------------------------------------------------------------------------

def look_at_ladder(main):
    title("the ladder: capture points as columns; exported, it is what tshark prints")
    flow = frames()[LOST_OF_FLOW]["flow"]
    apply_filter(main, f"corr.flow == {flow}", sum(frame["flow"] == flow for frame in frames().values()))
    person.open(main, ("Statistics", "Flow Graph"), "Wireshark · Flow")
    window = person.front("Wireshark · Flow", 1250, 720)
    choose(window, person.find(window, "combo box"), "Capture points (correlation)")
    limit = person.find(window, "check box", "Limit to display filter")
    if not has_state(limit, Atspi.StateType.CHECKED):
        person.click(limit, at=0.1)
    points = len(said("points"))
    arrows = len([line for line in said("ladder") if re.search("--->|<---", line)])
    until(lambda: any(re.match(rf"{points} node\(s\), {arrows} item", text_of(thing))
                      for thing in things(window, "label")),
          f"the graph has not {points} columns and {arrows} arrows")
    person.keys("minus", "minus")  # smaller letters: all columns in sight
    person.picture(window, "ladder")
    person.click(person.find(window, "push button", "Export"))
    text = save_as("Wireshark · Save Graph As", "ASCII (*.txt)", "ladder.txt")
    same([words(line) for line in text.splitlines() if line.startswith("|")],
         [words(line) for line in said("ladder") if line.startswith("|")], "exported ladder")
    close(window, "Flow")
    clear_filter(person.front(MAIN, *SIZE))


# -- graphs ----------------------------------------------------------------------------------------

def look_at_graphs(main):
    title("I/O graphs: those of the profile, with the counts that tshark's fields give")
    person.open(main, ("Statistics", "I/O Graphs"), "Wireshark · I/O Graph")
    window = person.front("Wireshark · I/O Graph", 1000, 640)
    rows = person.rows(person.find(window, "tree"))[1]
    same([", ".join(row[1:3]) for row in rows], said("graphs"), "graphs")
    counts = {"Lost": {}, "Packets, each counted once": {}}
    for frame in frames().values():
        second = int(float(frame["time"]))
        for graph, counted in (("Lost", frame["dropped"]), ("Packets, each counted once",
                                frame["hop"] == "1" and not frame["duplicate"])):
            counts[graph][second] = counts[graph].get(second, 0) + bool(counted)

    def plotted():
        person.forget_copied()
        person.click(person.find(window, "push button", "Copy"))
        table = list(csv.reader(person.copied('"Interval start"').splitlines()))
        return [dict(zip(table[0], row)) for row in table[1:]] if len(table) > 1 else None

    table = until(plotted, "nothing is plotted")
    for graph, wanted in counts.items():
        until(lambda: any(float(row[graph]) for row in plotted()), f"nothing is plotted of {graph!r}")
        table = plotted()
        seen = {int(float(row["Interval start"])): int(float(row[graph])) for row in table}
        same(sorted(seen.items()), [(second, wanted.get(second, 0)) for second in sorted(seen)], graph)
    person.picture(window, "graphs")
    close(window, "I/O Graph")


# -- right click -----------------------------------------------------------------------------------

def filter_text(main):
    return text_of(person.find(main, "text", "Display filter"))


def apply_filter(main, text, n):
    person.keys("ctrl+slash", "ctrl+a")
    person.type(text)
    person.keys("Return")
    until(lambda: displayed(main) == n,
          lambda: f"{displayed(main)} frames pass {text!r}, not {n}")


def clear_filter(main):
    person.keys("ctrl+slash", "ctrl+a", "BackSpace", "Return")
    until(lambda: filter_text(main) == "", "the filter stays")
    until(lambda: Atspi.Table.get_n_rows(packet_list(main)) == len(said("fields")), "still filtered")


def displayed(main):
    for label in things(main, "label"):
        match = re.search(r"Displayed: (\d+)", label.get_name())
        if match:
            return int(match.group(1))
    return None


def look_at_filters(main):
    title("right click on a packet: conversation filters of the packet, and of its flow")
    # Assistive programs are not told of this menu: from the bottom, the eighth entry is
    # Conversation Filter; in its menu, our entries are the last two.
    go_to(main, LOST)
    for ups, name, field in ((2, "packet", "corr.match_id"), (1, "flow", "corr.flow")):
        number = frames()[LOST][name]
        wanted = f"{field} in {{{number}}}"
        n = sum(frame[name] == number for frame in frames().values())
        person.click(person.reveal(packet_list(main), selected(main)), button=3)
        person.keys(*["Up"] * 8, "Right", *["Up"] * ups)
        person.picture(main, f"filter-{name}")
        person.keys("Return")
        until(lambda: filter_text(main) == wanted,
              lambda: f"the filter is {filter_text(main)!r}, not {wanted!r}")
        until(lambda: displayed(main) == n,
              lambda: f"{displayed(main)} frames are displayed, not {n}")
    clear_filter(main)


def selected(main):
    table = packet_list(main)
    for row in range(Atspi.Table.get_n_rows(table)):
        cell = Atspi.Table.get_accessible_at(table, row, 2)
        if has_state(cell, Atspi.StateType.SELECTED):
            return cell
    raise NotSeen("no packet is selected")


def look_at_buttons(main):
    title("the profile's buttons: what is dropped")
    person.click(person.find(main, "push button", "Dropped"))
    wanted = sum(bool(frame["dropped"]) for frame in frames().values())
    until(lambda: filter_text(main) == "corr.dropped" and displayed(main) == wanted,
          lambda: f"{displayed(main)} frames are displayed, not {wanted}")
    person.picture(main, "dropped")
    clear_filter(main)


# -- preferences -----------------------------------------------------------------------------------

def open_preferences(main):
    person.open(main, ("Edit", "Preferences…"), "Wireshark · Preferences")
    window = person.front("Wireshark · Preferences", 1000, 760)

    def pages():
        for tree in things(window, "tree"):
            if cell_text(tree, 0, 0) == "Appearance":
                return tree
        return None
    tree = until(pages, "no list of pages")
    person.click(person.cell(tree, "Protocols"))
    person.keys("Right")
    person.click(person.reveal(tree, person.cell(tree, "CORR")))
    person.find(window, "label", "Packet Correlation")
    return window


def enter(window, table, column, text):
    """Into a cell of the first row.  Assistive programs are not told that it can be edited."""
    def entered():
        person.click(Atspi.Table.get_accessible_at(table, 0, column), times=2)
        person.keys("ctrl+a")
        person.type(text)
        person.keys("Return")
        return cell_text(table, 0, column) == text
    until(entered, f"{text!r} does not stand in {window.get_name()!r}")


def look_at_preferences(main):
    title("preferences: the page, with a tooltip for each")
    window = open_preferences(main)
    seen = {text_of(thing): thing for role in ("label", "check box", "radio button", "push button")
            for thing in things(window, role)}
    for name in ("Capture points", "Correct the clocks", "Memory limit (MB)", "Point to export",
                 "Look into tunnels: vxlan", "Not at all: the clocks are right"):
        check(name in seen, f"no {name!r} in {sorted(seen)}")
        check(name not in seen or len(seen[name].get_description()) > 40, f"no tooltip at {name!r}")
    person.picture(window, "preferences")

    title("the table of capture points: a new name is shown without a restart")
    person.click(person.find(window, "push button", "Edit…"))
    dialog = person.window("Correlation: capture points")
    create = until(lambda: next((button for button in things(dialog, "push button")
                                 if button.get_description().startswith("Create")), None), "no +")
    person.click(create)
    table = person.find(dialog, "tree")
    until(lambda: Atspi.Table.get_n_rows(table) == 1, "no new row")
    enter(dialog, table, 0, "client")
    enter(dialog, table, 1, "branch")
    person.picture(dialog, "capture-points")
    person.click(person.find(dialog, "push button", "OK"))
    person.gone("Correlation: capture points")
    person.click(person.find(window, "push button", "OK"))
    person.gone("Wireshark · Preferences")
    until(lambda: cell_text(packet_list(main), 0, 2) == "branch",
          lambda: f"frame 1 was captured at {cell_text(packet_list(main), 0, 2)!r}, not 'branch'")


# -- one copy of each packet -----------------------------------------------------------------------

def has_dialog():
    """Of whatever title: some have none that tells anything."""
    return next((window for window in person.windows()
                 if window.get_role_name() == "dialog" and is_showing(window)), None)


def open_exports(main, entry, name):
    """The dialog, in which this export is chosen."""
    person.menu(main, "File", entry)
    dialog = until(has_dialog, "no dialog")
    box = person.find(dialog, "combo box")
    if box.get_name() != name:
        choose(dialog, box, name)
    return dialog


def look_at_export(main):
    title("File > Strip Headers: one copy of each packet, of one link type")
    dialog = open_exports(main, "Strip Headers…", "CORR one copy per packet")
    person.picture(dialog, "strip-headers")
    person.click(person.find(dialog, "push button", "Cancel"))
    until(lambda: not has_dialog(), "the dialog does not close")

    title("File > Export PDUs: one copy of each packet, as many as tshark writes")
    dialog = open_exports(main, "Export PDUs to File…",
                          "CORR one copy per packet (all link types, for Wireshark)")
    person.click(person.find(dialog, "push button", "OK"))
    main = person.window("*(Untitled)")
    wanted = int(said("one-copy")[0])
    until(lambda: any(re.match(rf"Packets: {wanted}\b", label.get_name())
                      for label in things(main, "label")), f"not {wanted} packets")
    person.picture(main, "one-copy")


STEPS = (look_at_packets, look_at_tables, look_at_ladder, look_at_graphs, look_at_buttons,
         look_at_filters, look_at_preferences, look_at_export)

person = Person(os.path.join(FOLDER, "pictures"))
try:
    person.window(MAIN)
except NotSeen as wrong:
    print("FAILED:", wrong)
    person.screen("failed")
    sys.exit(1)
for step in STEPS:
    try:
        main_window = person.front(MAIN, *SIZE)
        step(main_window)
    except NotSeen as wrong:
        check(False, wrong)
        person.screen(f"failed-{step.__name__}")
        for _ in range(4):
            person.keys("Escape")
person.keys("ctrl+q")
sys.exit(failures > 0)
