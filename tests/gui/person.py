# SPDX-License-Identifier: GPL-2.0-or-later
"""A person before Wireshark's windows: sees what assistive programs are told (AT-SPI), clicks with a
mouse, types on a keyboard, takes pictures.

Needs DISPLAY with a window manager, a session bus whose accessibility bus is enabled
(see screen.sh), python3-gi, xdotool, xclip and imagemagick.

Nothing waits a fixed time: every look is repeated until it shows what is looked for, or until
PATIENCE seconds have passed; then it raises NotSeen, which tells what was there instead.
"""
import os
import re
import subprocess
import time

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

PATIENCE = float(os.environ.get("CORR_GUI_PATIENCE", "60"))
PAUSE = 0.1


class NotSeen(Exception):
    """What a person looked for does not show up."""


def until(look, what):
    """What look() returns, as soon as it is true.  A window may vanish while it is looked at."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            seen = look()
        except (GLib.Error, subprocess.CalledProcessError):
            seen = None
        if seen:
            return seen
        if time.monotonic() > end:
            raise NotSeen(what() if callable(what) else what)
        time.sleep(PAUSE)


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE).stdout


# -- what there is ---------------------------------------------------------------------------------

def children(thing):
    for i in range(thing.get_child_count()):
        child = thing.get_child_at_index(i)
        if child:
            yield child


def has_state(thing, state):
    return thing.get_state_set().contains(state)


def is_showing(thing):
    return has_state(thing, Atspi.StateType.SHOWING)


# Their cells are many, and each is asked for by its place.
TABLES = ("tree", "table", "tree table", "list")


# Closed menus are not visible, but the way to the open one leads through them.
MENUS = ("menu bar", "popup menu", "menu item")


def things(top, role=None):
    """Everything below that is visible, of one role; menu entries only if that is the role."""
    for child in children(top):
        its_role = child.get_role_name()
        if its_role in MENUS and role not in MENUS:
            continue
        if not is_showing(child) and its_role not in MENUS:
            continue
        if role in (None, its_role):
            yield child
        if its_role not in TABLES:
            yield from things(child, role)


def text_of(thing):
    if thing.get_role_name() in ("text", "paragraph") and thing.get_text_iface():
        return Atspi.Text.get_text(thing, 0, -1)
    return thing.get_name()


def cell_text(table, row, column):
    """None where there is no such cell."""
    cell = Atspi.Table.get_accessible_at(table, row, column)
    return cell.get_name() if cell else None


def place(thing):
    box = Atspi.Component.get_extents(thing, Atspi.CoordType.SCREEN)
    return box.x, box.y, box.width, box.height


class Person:
    def __init__(self, pictures):
        Atspi.init()
        self.pictures = pictures
        self.clicks = 0
        desktop = Atspi.get_desktop(0)
        desktop.set_cache_mask(Atspi.Cache.NONE)
        self.desktop = desktop

    # -- looking -----------------------------------------------------------------------------------

    def windows(self):
        for application in children(self.desktop):
            yield from children(application)

    def has_window(self, title):
        """The visible window whose title begins like this."""
        try:
            for window in self.windows():
                if is_showing(window) and window.get_name().startswith(title):
                    return window
        except GLib.Error:
            pass
        return None

    def window(self, title):
        return until(lambda: self.has_window(title), lambda: f"no window {title!r}, but " + ", ".join(
            repr(window.get_name()) for window in self.windows()))

    def gone(self, title):
        until(lambda: not self.has_window(title), f"the window {title!r} does not close")

    def find(self, top, role, name=None, nth=0):
        """The nth visible thing of this role, whose name begins like this."""
        def look():
            found = [thing for thing in things(top, role)
                     if name is None or thing.get_name().startswith(name)]
            return found[nth] if len(found) > nth else None
        return until(look, lambda: f"no {role} {name!r} in {top.get_name()!r}, but " + ", ".join(
            repr(thing.get_name()) for thing in things(top, role)))

    def rows(self, table):
        """The visible rows of a table or a tree: its heading and its cells, as texts."""
        n = Atspi.Table.get_n_columns(table)
        return ([Atspi.Table.get_column_description(table, c) for c in range(n)],
                [[cell_text(table, r, c) or "" for c in range(n)]
                 for r in range(Atspi.Table.get_n_rows(table))])

    def cell(self, table, text, column=0):
        """The first visible cell of a column whose text begins like this."""
        def look():
            for r in range(Atspi.Table.get_n_rows(table)):
                if (cell_text(table, r, column) or "").startswith(text):
                    return Atspi.Table.get_accessible_at(table, r, column)
            return None
        return until(look, lambda: f"no cell {text!r}, but " + ", ".join(
            repr(row[column]) for row in self.rows(table)[1][:40]))

    def picture(self, window, name):
        """NAME.png shows the window."""
        x, y, width, height = place(window)
        file = os.path.join(self.pictures, name + ".png")
        run("import", "-window", "root", "-crop", f"{width}x{height}+{x}+{y}", "+repage", "-strip",
            "-colors", "128", "PNG8:" + file)
        return file

    def screen(self, name):
        """NAME.png shows all of the screen."""
        run("import", "-window", "root", "-strip", os.path.join(self.pictures, name + ".png"))

    # -- doing -------------------------------------------------------------------------------------

    def move(self, thing, at=0.5):
        x, y, width, height = place(thing)
        run("xdotool", "mousemove", str(x + int(width * at)), str(y + height // 2))

    def click(self, thing, button=1, times=1, at=0.5):
        self.move(thing, at)
        run("xdotool", "click", "--repeat", str(times), "--delay", "40", str(button))
        self.clicks += 1

    def reveal(self, table, cell):
        """Turns the mouse wheel until the table shows the cell."""
        x, y, width, height = place(table)
        line = max(place(cell)[3], 1)

        def look():
            at = place(cell)[1]
            if y + line < at and at + 2 * line < y + height:
                return True
            run("xdotool", "mousemove", str(x + width // 2), str(y + height // 2))
            turns = max(1, int(abs(at - y - height / 2) / line / 4))
            run("xdotool", "click", "--repeat", str(turns), "--delay", "1", "5" if at > y else "4")
            return False
        until(look, f"{cell.get_name()!r} does not come into sight")
        return cell

    def keys(self, *keys):
        run("xdotool", "key", "--clearmodifiers", *keys)

    def type(self, text):
        run("xdotool", "type", "--delay", "5", text)

    @staticmethod
    def drag(x, y, by):
        """To the right."""
        run("xdotool", "mousemove", str(x), str(y), "mousedown", "1", "mousemove", str(x + by // 2),
            str(y), "mousemove", str(x + by), str(y), "mouseup", "1")

    def front(self, title, width, height):
        """Brings a window to the upper left corner, in this size."""
        window = self.window(title)

        def in_front():
            ids = run("xdotool", "search", "--onlyvisible", "--name", window.get_name()).split()
            run("xdotool", "windowsize", ids[-1], str(width), str(height),
                "windowmove", ids[-1], "0", "0", "windowactivate", ids[-1])
            return place(window)[2:] == (width, height) and has_state(window, Atspi.StateType.ACTIVE)
        until(in_front, f"{title!r} does not become {width}x{height}")
        return window

    def menu(self, top, *names):
        """Clicks through a menu, as a person does: the first name in the menu bar, or in an open
        menu."""
        for name in names:
            self.click(until(lambda: self.entry(top, name), f"no menu entry {name!r}"))

    def open(self, top, names, title):
        """The window that a menu opens; a click that a busy machine lost is done again."""
        for _ in range(4):
            clicks = self.clicks
            self.menu(top, *names)
            end = time.monotonic() + PATIENCE / 4
            while time.monotonic() < end:
                window = self.has_window(title)
                if window:
                    return window
                time.sleep(PAUSE)
            self.clicks = clicks
            self.keys("Escape", "Escape")
        raise NotSeen(f"no window {title!r} after a click on {names[-1]!r}")

    @staticmethod
    def entry(top, name):
        for thing in things(top, "menu item"):
            if thing.get_name() == name and is_showing(thing) and place(thing)[3] > 0:
                return thing
        return None

    def copied(self, pattern):
        """What the clipboard holds, once it has a line that matches from its beginning."""
        def look():
            text = subprocess.run(("xclip", "-o", "-selection", "clipboard"), capture_output=True,
                                  timeout=PATIENCE, check=False).stdout.decode()
            return text if any(re.match(pattern, line) for line in text.splitlines()) else None
        return until(look, f"nothing was copied that has {pattern!r}")

    @staticmethod
    def forget_copied():
        # It goes on in the background, and would keep a pipe open.
        subprocess.run(("xclip", "-selection", "clipboard"), check=True, input=b"nothing yet",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE)
