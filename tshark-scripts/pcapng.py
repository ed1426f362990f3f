# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads pcap and pcapng as a sequence of blocks, and writes little-endian pcapng.

What a block holds is kept bit for bit: time stamps stay in the interface's own
resolution, options keep their order, blocks nobody here knows are passed on.
Only what the byte order of the section decides is turned round.

pcapng is draft-ietf-opsawg-pcapng, pcap is draft-ietf-opsawg-pcap.
"""
import struct

SECTION, INTERFACE, PACKET, SIMPLE, NAMES, STATISTICS, ENHANCED, SECRETS = (
    0x0A0D0D0A, 1, 2, 3, 4, 5, 6, 10)
CUSTOM, CUSTOM_PRIVATE = 0x00000BAD, 0x40000BAD
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_OS, IF_FCSLEN, IF_TSOFFSET, IF_HARDWARE = (
    2, 3, 9, 12, 13, 14, 15)
COMMENT, SHB_HARDWARE, SHB_OS, SHB_APPLICATION = 1, 2, 3, 4

PICO = 10 ** 12
PACKET_START, PACKET_END = struct.Struct("<III").pack, struct.Struct("<I").pack
PADDING = (b"", bytes(3), bytes(2), bytes(1))  # by length modulo 4

# Wireshark refuses longer frames, and with them the rest of the file.
LONGEST_FRAME = 262144
LONGER_FRAMES = {231: 1 << 27, 249: 1 << 27, 279: 1 << 23}
LONGEST_BLOCK = 1 << 28

# Option values that are numbers, by block: what to turn round.
NUMBERS = {
    INTERFACE: {8: "Q", 10: "I", 14: "q", 16: "Q", 17: "Q"},
    ENHANCED: {2: "I", 4: "Q", 5: "Q", 6: "I"},
    STATISTICS: {2: "II", 3: "II", 4: "Q", 5: "Q", 6: "Q", 7: "Q", 8: "Q"},
}
CUSTOM_OPTIONS = (2988, 2989, 19372, 19373)

LINK_NAMES = {
    0: "BSD loopback", 1: "Ethernet", 9: "PPP", 12: "raw IP", 14: "raw IP", 101: "raw IP",
    105: "802.11", 108: "BSD loopback", 113: "Linux cooked", 127: "802.11 radiotap",
    228: "raw IPv4", 229: "raw IPv6", 253: "netlink", 276: "Linux cooked v2",
}


class NotACapture(Exception):
    """The first bytes are neither pcap nor pcapng."""


class Damaged(Exception):
    """The file ends, or makes no sense, in the middle; what came before is good."""


def link_name(link):
    return LINK_NAMES.get(link, "link type %d" % link)


def padded(data):
    return data + bytes(-len(data) % 4)


def block(kind, body):
    body = padded(body)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def packet_block(interface_id, body):
    """An enhanced packet block; `body` is padded and starts behind the interface id."""
    length = len(body) + 16
    return b"%b%b%b" % (PACKET_START(ENHANCED, length, interface_id), body, PACKET_END(length))


def options_read(data, order):
    """Options as a list of (code, value), in order; damaged ones end the list."""
    found, at = [], 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(order + "HH", data, at)
        if code == 0 or at + 4 + length > len(data):
            break
        found.append((code, data[at + 4:at + 4 + length]))
        at += 4 + length + -length % 4
    return found


def options_write(options):
    if not options:
        return b""
    return b"".join(struct.pack("<HH", code, len(value)) + padded(value)
                    for code, value in options) + bytes(4)


def turned(fmt, value):
    if len(value) != struct.calcsize(">" + fmt):
        return value
    return struct.pack("<" + fmt, *struct.unpack(">" + fmt, value))


def options_turn(data, kind):
    """Options of a big-endian section as those of a little-endian one."""
    numbers, result = NUMBERS.get(kind, {}), []
    for code, value in options_read(data, ">"):
        if code in numbers:
            value = turned(numbers[code], value)
        elif code in CUSTOM_OPTIONS and len(value) >= 4:
            value = turned("I", value[:4]) + value[4:]
        result.append((code, value))
    return options_write(result)


def section_header(options=()):
    return block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) +
                 options_write(list(options)))


class Interface:
    """One interface description: what its block says, and the packets seen on it."""

    def __init__(self, link, snaplen, options):
        self.link, self.snaplen, self.options = link, snaplen, options
        self.packets, self.first, self.last = 0, None, None
        resolution = self.option(IF_TSRESOL) or b"\x06"
        power = resolution[0] & 0x7F
        self.ticks_per_second = 2 ** power if resolution[0] & 0x80 else 10 ** power
        offset = self.option(IF_TSOFFSET)
        self.offset = struct.unpack("<q", offset)[0] if offset and len(offset) == 8 else 0

    def option(self, code):
        return next((value for number, value in self.options if number == code), None)

    def text(self, code):
        value = self.option(code)
        return value.split(b"\0")[0].decode("utf-8", "replace") if value else ""

    def set_text(self, code, text):
        """Replaces the option where it stands, or adds it as the first."""
        pair = (code, text.encode())
        if self.option(code) is None:
            self.options.insert(0, pair)
        else:
            self.options = [pair if number == code else (number, value)
                            for number, value in self.options]

    def picoseconds(self, ticks):
        return ticks * PICO // self.ticks_per_second + self.offset * PICO

    def saw(self, time):
        self.packets += 1
        if time is None:
            return
        if self.last is None:
            self.first = self.last = time
        elif time > self.last:
            self.last = time
        elif time < self.first:
            self.first = time

    def block(self):
        return block(INTERFACE, struct.pack("<HHI", self.link, 0, self.snaplen) +
                     options_write(self.options))


def enhanced(interface_id, ticks, data, wire_len=None, options=()):
    """An enhanced packet block; `ticks` counts in the interface's resolution."""
    return block(ENHANCED, struct.pack(
        "<IIIII", interface_id, ticks >> 32 & 0xFFFFFFFF, ticks & 0xFFFFFFFF, len(data),
        len(data) if wire_len is None else wire_len) + padded(data) + options_write(list(options)))


class Reader:
    """Walks one open file.  `events()` yields, in file order,

        ("section", options)                        a section header
        ("interface", Interface)                    numbered from 0 over the whole file
        ("packet", interface number, time, body)    time in ps, None if unknown; body of an
        ("bound", interface number, kind, body)     enhanced block, from behind the interface
        ("free", kind, body)                        blocks without an interface
        ("left out", reason)                        a block that must not or cannot be copied

    and raises Damaged at the first place that cannot be read.
    """

    def __init__(self, stream):
        self.stream, self.at = stream, 0

    def take(self, count, what):
        data = self.stream.read(count)
        if len(data) < count:
            raise Damaged("is cut short in the %s at byte %d" % (what, self.at))
        return data

    def events(self):
        magic = self.stream.read(4)
        if magic == b"\x0a\x0d\x0d\x0a":
            return self.pcapng(magic)
        for order in "<>":
            for number, resolution in ((0xA1B2C3D4, 6), (0xA1B23C4D, 9)):
                if magic == struct.pack(order + "I", number):
                    return self.pcap(order, resolution)
        raise NotACapture()

    def pcap(self, order, resolution):
        self.at = 4
        _, _, _, _, snaplen, link = struct.unpack(order + "HHiIII", self.take(20, "file header"))
        options = [(IF_TSRESOL, bytes([resolution]))]
        if link & 0x04000000:  # the length of the frame check sequence is known
            options.append((IF_FCSLEN, bytes([(link >> 28) * 2])))
        interface = Interface(link & 0xFFFF, snaplen, options)
        yield ("interface", interface)
        self.at = 24
        # Millions of times round: everything that stays is looked up before.
        header, result = struct.Struct(order + "IIII").unpack, struct.Struct("<IIII").pack
        per_second, per_tick, read = 10 ** resolution, PICO // 10 ** resolution, self.stream.read
        longest = LONGER_FRAMES.get(interface.link, LONGEST_FRAME)
        while True:
            head = read(16)
            if not head:
                return
            if len(head) < 16:
                raise Damaged("is cut short in the packet header at byte %d" % self.at)
            seconds, fraction, length, wire_len = header(head)
            if length > longest:
                self.check_length(length, interface)
            data = read(length)
            if len(data) < length:
                raise Damaged("is cut short in the packet at byte %d" % self.at)
            ticks = seconds * per_second + fraction
            yield ("packet", 0, ticks * per_tick,
                   result(ticks >> 32, ticks & 0xFFFFFFFF, length, wire_len) + data +
                   PADDING[length & 3])
            self.at += 16 + length

    def check_length(self, length, interface):
        if length > LONGER_FRAMES.get(interface.link, LONGEST_FRAME):
            raise Damaged("is damaged at byte %d (a packet of %d bytes)" % (self.at, length))

    def pcapng(self, magic):
        order, interfaces, base, head = "<", [], 0, magic
        while True:
            head += self.stream.read(8 - len(head))
            if not head:
                return
            if len(head) < 8:
                raise Damaged("is cut short in the block header at byte %d" % self.at)
            rest = b""
            if head[:4] == b"\x0a\x0d\x0d\x0a":
                rest = self.take(4, "section header")
                if rest not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
                    raise Damaged("is damaged at byte %d (no byte-order magic)" % self.at)
                order, base = "<" if rest[0] == 0x4D else ">", len(interfaces)
            kind, length = struct.unpack(order + "II", head)
            if length < 12 + len(rest) or length % 4 or length > LONGEST_BLOCK:
                raise Damaged("is damaged at byte %d (a block of %d bytes)" % (self.at, length))
            body = rest + self.take(length - 12 - len(rest), "block")
            if struct.unpack(order + "I", self.take(4, "block"))[0] != length:
                raise Damaged("is damaged at byte %d (two block lengths)" % self.at)
            event = self.one_block(kind, body, order, interfaces, base)
            if event[0] == "interface":
                interfaces.append(event[1])
            yield event
            self.at += length
            head = b""

    def one_block(self, kind, body, order, interfaces, base):
        """The event of one block; the section's interfaces start at `base`."""
        try:
            if kind == ENHANCED:
                return self.enhanced_block(body, order, interfaces, base)
            if kind == SECTION:
                return ("section", options_read(body[16:], order))
            if kind == INTERFACE:
                link, _, snaplen = struct.unpack_from(order + "HHI", body)
                options = body[8:] if order == "<" else options_turn(body[8:], INTERFACE)
                return ("interface", Interface(link, snaplen, options_read(options, "<")))
            if kind == PACKET:
                number, drops = struct.unpack_from(order + "HH", body)
                body = struct.pack(order + "I", number) + body[4:]
                event = self.enhanced_block(body, order, interfaces, base)
                return event if drops in (0, 0xFFFF) else self.with_drops(event, drops)
            if kind == SIMPLE:
                wire_len, = struct.unpack_from(order + "I", body)
                interface = self.interface(interfaces, base, 0)
                length = min(wire_len, interface.snaplen or wire_len, len(body) - 4)
                self.check_length(length, interface)
                return ("packet", base, None,
                        struct.pack("<IIII", 0, 0, length, wire_len) + padded(body[4:4 + length]))
            if kind == STATISTICS:
                number, high, low = struct.unpack_from(order + "III", body)
                self.interface(interfaces, base, number)
                options = body[12:] if order == "<" else options_turn(body[12:], STATISTICS)
                return ("bound", base + number, kind, struct.pack("<II", high, low) + options)
            return self.free_block(kind, body, order)
        except struct.error:
            raise Damaged("is damaged at byte %d (a block too short for its kind)" %
                          self.at) from None

    def interface(self, interfaces, base, number):
        if base + number >= len(interfaces):
            raise Damaged("is damaged at byte %d (interface %d is nowhere described)" %
                          (self.at, number))
        return interfaces[base + number]

    def enhanced_block(self, body, order, interfaces, base):
        number, high, low, length, wire_len = struct.unpack_from(order + "IIIII", body)
        interface = self.interface(interfaces, base, number)
        self.check_length(length, interface)
        if 20 + length > len(body):
            raise Damaged("is damaged at byte %d (a packet longer than its block)" % self.at)
        time = interface.picoseconds(high << 32 | low)
        if order == "<":
            return ("packet", base + number, time, body[4:])
        end = 20 + length + -length % 4
        return ("packet", base + number, time, struct.pack("<IIII", high, low, length, wire_len) +
                padded(body[20:20 + length]) + options_turn(body[end:], ENHANCED))

    @staticmethod
    def with_drops(event, drops):
        """The obsolete packet block counts drops in a field, the enhanced one in an option."""
        name, number, time, body = event
        length, = struct.unpack_from("<I", body, 8)
        end = 16 + length + -length % 4
        options = options_read(body[end:], "<") + [(4, struct.pack("<Q", drops))]
        return (name, number, time, body[:end] + options_write(options))

    @staticmethod
    def free_block(kind, body, order):
        if kind == CUSTOM_PRIVATE:
            return ("left out", "custom block marked as not to be copied")
        if order == "<":
            return ("free", kind, body)
        if kind == SECRETS:
            length, = struct.unpack_from(">I", body, 4)
            end = 8 + length + -length % 4
            return ("free", kind, turned("II", body[:8]) + padded(body[8:8 + length]) +
                    options_turn(body[end:], kind))
        if kind == NAMES:
            records, at = b"", 0
            while at + 4 <= len(body):
                code, length = struct.unpack_from(">HH", body, at)
                records += struct.pack("<HH", code, length)
                records += padded(body[at + 4:at + 4 + length])
                at += 4 + length + -length % 4
                if code == 0:
                    break
            return ("free", kind, records + options_turn(body[at:], kind))
        if kind == CUSTOM:
            return ("free", kind, turned("I", body[:4]) + body[4:])
        return ("left out", "block of unknown kind %#x in a big-endian section" % kind)
