/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker.c - trailers of packet brokers: which port of which device saw the frame, and when.
 *
 * A trailer stands behind the packet, or behind the padding of a short frame; a new frame
 * check sequence may follow it.  Its shape is read from the end.  Most have nothing but a
 * time that gives them away: it has to be near the recorded one.  One frame may look right
 * by chance; whoever asks has to see it in nearly all frames of an interface.
 *
 * To add one: a row in CORR_BROKERS, a function, a row in `readers`.
 */
#include "parse/parse-int.h"

#define NS_PER_S INT64_C(1000000000)
#define NEAR_NS (INT64_C(30) * 24 * 3600 * NS_PER_S) /* two clocks are no further apart */
#define FCS 4u
#define TLV_HEAD 2u /* type, length */

static const char *const names[] = {
#define CORR_ROW(id, name, has_device) name,
    CORR_BROKERS(CORR_ROW)
#undef CORR_ROW
};

static const bool devices[] = {
#define CORR_ROW(id, name, has_device) has_device,
    CORR_BROKERS(CORR_ROW)
#undef CORR_ROW
};

const char *corr_broker_name(enum corr_broker_kind kind)
{
    return names[kind];
}

bool corr_broker_has_device(enum corr_broker_kind kind)
{
    return devices[kind];
}

/* The bytes in which a trailer may stand; it ends at `end`. */
struct tail {
    const uint8_t *data;
    uint32_t begin, end;
    int64_t near_ns; /* recorded time of the frame */
};

static uint32_t tail_len(const struct tail *t)
{
    return t->end - t->begin;
}

/* Seconds and nanoseconds since the epoch, if they are near the recorded time. */
static bool read_time(const struct tail *t, uint32_t s, uint32_t ns, struct corr_trailer *out)
{
    int64_t time = (int64_t)s * NS_PER_S + ns, apart = time - t->near_ns;

    if (ns >= NS_PER_S || apart > NEAR_NS || apart < -NEAR_NS)
        return false;
    out->time_ns = time;
    out->has_time = true;
    return true;
}

/* The bytes that the extensions before a Metamako time fill, read backwards; false: they do not
 * fit. */
static bool metamako_extensions(const struct tail *t, uint32_t end, uint32_t *length)
{
    uint32_t at = end;

    for (;;) {
        uint32_t tag, words;

        if (at < t->begin + 4)
            return false;
        at -= 4;
        tag = corr_be32(t->data + at);
        words = (tag & 0x1f) == 0x1f ? (tag >> 6 & 0x3ff) + 1 : tag >> 6 & 3;
        if (at < t->begin + words * 4)
            return false;
        at -= words * 4;
        if (tag & 0x20) /* the last one */
            break;
    }
    *length = end - at;
    return true;
}

/* FCS of the frame as it came, extensions, seconds, nanoseconds, flags, device, port. */
static bool read_metamako(const struct tail *t, struct corr_trailer *out)
{
    enum { FIXED = 12, HAS_EXTENSIONS = 0x02, DEGRADED = 0x10, RESERVED = 0xc8 };
    uint32_t at = t->end - FIXED, extensions = 0;
    const uint8_t *d;

    if (tail_len(t) < FIXED + FCS)
        return false;
    d = t->data + at;
    if (d[8] & RESERVED || !read_time(t, corr_be32(d), corr_be32(d + 4), out) ||
        (d[8] & HAS_EXTENSIONS && !metamako_extensions(t, at, &extensions)) ||
        at < t->begin + extensions + FCS)
        return false;
    out->start = at - extensions - FCS;
    out->synchronised = !(d[8] & DEGRADED);
    out->has_source = true;
    out->device = corr_be16(d + 9);
    out->port = d[11];
    return true;
}

/* FCS of the frame as it came, device, port, seconds, 40 bits of their fraction, a reserved byte.
 */
static bool read_exablaze(const struct tail *t, struct corr_trailer *out)
{
    enum { LENGTH = 16 };
    const uint8_t *d = t->data + t->end - LENGTH;
    uint64_t fraction;

    if (tail_len(t) < LENGTH)
        return false;
    fraction = (uint64_t)corr_be32(d + 10) << 8 | d[14];
    if (!read_time(t, corr_be32(d + 6), (uint32_t)(fraction * (uint64_t)NS_PER_S >> 40), out))
        return false;
    out->start = t->end - LENGTH;
    out->has_source = true;
    out->device = d[4];
    out->port = d[5];
    return true;
}

/* One's complement sum of 16-bit words, an odd byte at the end padded with zero: RFC 1071. */
static uint16_t checksum(const uint8_t *d, uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i + 1 < n; i += 2)
        sum += corr_be16(d + i);
    if (n & 1)
        sum += (uint32_t)d[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Gigamon and Ixia: fields of type, length and value; their length, a signature, a checksum. */
static bool tlv_find(const struct tail *t, uint16_t signature, struct corr_trailer *out,
                     uint32_t *fields)
{
    const uint8_t *d = t->data + t->end - 5;
    uint32_t length;

    if (tail_len(t) < 5 || corr_be16(d + 1) != signature)
        return false;
    length = d[0];
    if (length < TLV_HEAD || tail_len(t) < length + 5 ||
        checksum(d - length, length + 3) != corr_be16(d + 3))
        return false;
    out->start = t->end - 5 - length;
    *fields = length;
    return true;
}

/* The next field of type and length from *at on, before the fields' end; NULL: none. */
static const uint8_t *tlv_next(const uint8_t *d, uint32_t fields, uint32_t *at)
{
    const uint8_t *field = d + *at;

    if (*at + TLV_HEAD > fields || *at + TLV_HEAD + field[1] > fields)
        return NULL;
    *at += TLV_HEAD + field[1];
    return field;
}

/* Their checksum proves them: a broker without a right clock is recognised, too. */
static void tlv_time(const uint8_t *d, bool synchronised, struct corr_trailer *out)
{
    if (corr_be32(d + 4) >= NS_PER_S)
        return;
    out->time_ns = (int64_t)corr_be32(d) * NS_PER_S + corr_be32(d + 4);
    out->has_time = true;
    out->synchronised = synchronised;
}

static bool read_gigamon(const struct tail *t, struct corr_trailer *out)
{
    enum { SIGNATURE = 0x22e5, SOURCE = 2, TIME_LOCAL = 3, TIME_NTP = 4, TIME_EXTERNAL = 5 };
    uint32_t fields, at = 0;
    const uint8_t *d;

    if (!tlv_find(t, SIGNATURE, out, &fields))
        return false;
    while ((d = tlv_next(t->data + out->start, fields, &at)) != NULL) {
        const uint8_t *value = d + TLV_HEAD;

        if (d[0] == SOURCE && d[1] == 3) {
            out->has_source = true;
            out->port = (uint32_t)value[0] << 16 | corr_be16(value + 1);
        } else if (d[0] >= TIME_LOCAL && d[0] <= TIME_EXTERNAL && d[1] == 8) {
            tlv_time(value, d[0] != TIME_LOCAL, out);
        }
    }
    return true;
}

static bool read_ixia(const struct tail *t, struct corr_trailer *out)
{
    enum { SIGNATURE = 0xaf12, TIME_LOCAL = 3, TIME_NTP = 4, TIME_PTP = 6, TIME_HOLDOVER = 7 };
    uint32_t fields, at = 0;
    const uint8_t *d;

    if (!tlv_find(t, SIGNATURE, out, &fields))
        return false;
    while ((d = tlv_next(t->data + out->start, fields, &at)) != NULL)
        if (d[0] >= TIME_LOCAL && d[0] <= TIME_HOLDOVER && d[1] == 8)
            tlv_time(d + TLV_HEAD, d[0] >= TIME_NTP && d[0] <= TIME_PTP, out);
    return true;
}

/*
 * Seconds, nanoseconds (above them two bits: what the clock follows), a port of one byte or
 * two.  Without a time nothing gives it away, and without a port nothing is gained.
 */
static bool read_vss(const struct tail *t, uint32_t port_bytes, struct corr_trailer *out)
{
    uint32_t length = 8 + port_bytes;
    const uint8_t *d = t->data + t->end - length;

    if (tail_len(t) < length || !read_time(t, corr_be32(d), corr_be32(d + 4) & 0x3fffffff, out))
        return false;
    out->start = t->end - length;
    out->synchronised = d[4] >> 6 != 0;
    out->has_source = true;
    out->port = port_bytes == 1 ? d[8] : corr_be16(d + 8);
    return true;
}

static bool read_vss1(const struct tail *t, struct corr_trailer *out)
{
    return read_vss(t, 1, out);
}

static bool read_vss2(const struct tail *t, struct corr_trailer *out)
{
    return read_vss(t, 2, out);
}

/* Those with a checksum first, then those with the longest shape. */
static const struct {
    enum corr_broker_kind kind;
    bool (*read)(const struct tail *t, struct corr_trailer *out);
} readers[] = {
    {CORR_BROKER_GIGAMON, read_gigamon},   {CORR_BROKER_IXIA, read_ixia},
    {CORR_BROKER_METAMAKO, read_metamako}, {CORR_BROKER_EXABLAZE, read_exablaze},
    {CORR_BROKER_VSS2, read_vss2},         {CORR_BROKER_VSS1, read_vss1},
};

/* May a trailer begin here?  Behind the packet, or behind what padded a short frame. */
static bool is_at_the_end(uint32_t start, uint32_t begin, bool told)
{
    return !told || start == begin || (begin < CORR_PADDED_TO && start <= CORR_PADDED_TO);
}

bool corr_parse_trailer(const struct corr_frame *frame, const struct corr_parsed *packet,
                        struct corr_trailer *trailer)
{
    /* A frame without IP may not tell where it ends: then the trailer is in its payload. */
    bool told = packet->outer_end < frame->wire_len;
    uint32_t begin = packet->outer_end;

    if (frame->link != 1 || frame->cap_len != frame->wire_len || !frame->has_time ||
        packet->outer_end == 0)
        return false;
    if (!told && packet->kind == CORR_KIND_L2 && packet->payload != NULL)
        begin = (uint32_t)(packet->payload - frame->data);
    for (unsigned fcs = 0; fcs < 2 && begin + fcs * FCS < frame->wire_len; fcs++) {
        struct tail tail = {frame->data, begin, frame->wire_len - fcs * FCS, frame->time_ns};

        for (unsigned i = 0; i < sizeof readers / sizeof readers[0]; i++) {
            memset(trailer, 0, sizeof *trailer);
            trailer->kind = readers[i].kind;
            trailer->fcs = fcs != 0;
            if (readers[i].read(&tail, trailer) && is_at_the_end(trailer->start, begin, told))
                return true;
        }
    }
    return false;
}
