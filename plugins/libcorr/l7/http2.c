/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http2.c - HTTP/2 without TLS: frame headers (RFC 9113, section 4.1), status and method. */
#include <string.h>

#include "l7/l7-int.h"

#define HEADER 9u
#define PREFACE 24u
#define PEEK 16u /* bytes of a field block that are looked at */

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, CONTINUATION = 9 };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, PRIORITY = 32 };
enum { STATIC_GET = 2, STATIC_POST = 3, STATIC_200 = 8, STATIC_500 = 14 }; /* RFC 7541, A */
enum state { FIRST, FRAME, BLOCK, LOST };

/* An integer with a prefix of `bits` (RFC 7541, section 5.1); false: it is not whole, or too big.
 */
static bool integer_read(const uint8_t *d, uint32_t n, uint32_t *at, unsigned bits, uint32_t *value)
{
    uint32_t max = (1u << bits) - 1;

    if (*at >= n)
        return false;
    *value = d[(*at)++] & max;
    if (*value < max)
        return true;
    for (unsigned shift = 0; shift <= 14 && *at < n; shift += 7) {
        uint8_t byte = d[(*at)++];

        *value += (byte & 0x7fu) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* A digit or a capital letter in the Huffman code of RFC 7541, appendix B; 0: it is another one. */
static char symbol_read(uint32_t bits, unsigned have, unsigned *taken)
{
    uint32_t five = bits >> 27, six = bits >> 26, seven = bits >> 25;

    *taken = five <= 2 ? 5 : six < 0x2e ? 6 : 7;
    if (*taken > have)
        return 0;
    if (five <= 2)
        return (char)('0' + five);
    if (six >= 0x19 && six <= 0x1f)
        return (char)('3' + six - 0x19);
    if (six == 0x21)
        return 'A';
    if (seven >= 0x5d && seven <= 0x72)
        return (char)('B' + seven - 0x5d);
    return seven == 0x73 ? 'Y' : 0;
}

/* A string of at most 7 digits and capital letters, which methods and statuses are; else "". */
static void string_read(const uint8_t *d, uint32_t len, bool huffman, char text[8])
{
    uint64_t bits = 0;
    unsigned have = len * 8, n = 0, taken = 8;

    text[0] = 0;
    if (len == 0 || len > 7)
        return;
    for (uint32_t i = 0; i < len; i++)
        bits |= (uint64_t)d[i] << (56 - 8 * i);
    while (have > 0 && !(huffman && have < 8 && bits >> (64 - have) == (1u << have) - 1)) {
        char c = huffman ? symbol_read((uint32_t)(bits >> 32), have, &taken) : (char)(bits >> 56);

        if (n == 7 || !(g_ascii_isdigit(c) || g_ascii_isupper(c))) {
            text[0] = 0;
            return;
        }
        text[n++] = c;
        bits <<= taken;
        have -= taken;
    }
    text[n] = 0;
}

/* What a field says, if its name (an index of RFC 7541, appendix A) is :method or :status. */
static void value_read(struct corr_l7_reader *r, struct corr_mark *mark, uint32_t name,
                       const char *text)
{
    size_t len = strlen(text);

    if (name <= STATIC_POST && len >= 3 && g_ascii_isupper(text[0]))
        corr_l7_mark_text(r, mark, text, (uint32_t)len);
    else if (name >= STATIC_200 && len == 3 && strspn(text, "0123456789") == 3)
        mark->value = (uint32_t)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
}

/*
 * Of a field block the method or the status is read, if it stands at its beginning (where pseudo
 * fields have to be) and not in the table that the connection has built up.
 */
static void block_read(struct corr_l7_reader *r, struct corr_mark *mark, const uint8_t *d,
                       uint32_t n)
{
    static const char *const statuses[] = {"200", "204", "206", "304", "400", "404", "500"};
    uint32_t at = 0, index, len;

    while (at < n) {
        uint8_t first = d[at];
        bool indexed = first & 0x80, resizes = (first & 0xe0) == 0x20, wanted, huffman;
        char text[8];

        if (!integer_read(d, n, &at, indexed ? 7 : first & 0x40 ? 6 : resizes ? 5 : 4, &index))
            return;
        if (resizes)
            continue;
        wanted = index == STATIC_GET || index == STATIC_POST ||
                 (index >= STATIC_200 && index <= STATIC_500);
        if (indexed && wanted) {
            value_read(r, mark, index,
                       index == STATIC_GET    ? "GET"
                       : index == STATIC_POST ? "POST"
                                              : statuses[index - STATIC_200]);
            return;
        }
        if (indexed)
            continue;
        /* A name that is no index is none of the pseudo fields, which come first. */
        huffman = at < n && d[at] & 0x80;
        if (index == 0 || !integer_read(d, n, &at, 7, &len) || len > n - at)
            return;
        if (wanted) {
            string_read(d + at, len, huffman, text);
            value_read(r, mark, index, text);
            return;
        }
        at += len;
    }
}

static void frame_begins(struct corr_l7_reader *r, const uint8_t *h)
{
    struct corr_l7_stream *s = r->s;
    uint32_t len = corr_l7_be24(h), id = corr_l7_be32(h + 5) & 0x7fffffff;
    uint8_t type = h[3], flags = h[4];
    int64_t end = s->begin + HEADER + len;
    struct corr_mark *mark;

    s->body = len;
    s->skip = len;
    s->state = FRAME;
    if (type == HEADERS || type == DATA || type == RST_STREAM) {
        mark = corr_l7_mark(r,
                            type == HEADERS ? CORR_MARK_H2_HEADERS
                            : type == DATA  ? CORR_MARK_H2_DATA
                                            : CORR_MARK_H2_RESET,
                            s->begin, end);
        mark->id = id;
        if (type != RST_STREAM && flags & END_STREAM)
            mark->flags |= CORR_MARK_END;
        s->mark = corr_l7_mark_last(r);
        if (type == HEADERS && len > 0) {
            /* The padding's length and the priority come before the block. */
            s->body = MIN(len, PEEK);
            s->skip = 0;
            s->state = BLOCK;
            s->http.head = (flags & PADDED ? 1u : 0u) + (flags & PRIORITY ? 5u : 0u);
            s->http.length = len;
        }
    }
}

uint32_t corr_l7_http2_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    uint32_t taken;

    switch ((enum state)s->state) {
    case FIRST:
        s->state = FRAME;
        if (d[0] == 'P') { /* the client's preface, which detect.c has compared */
            s->skip = PREFACE;
            return 0;
        }
        break;
    case BLOCK:
        taken = corr_l7_gather(s, d, n, s->body);
        if (corr_l7_have(s, s->body)) {
            struct corr_mark *mark = corr_l7_mark_get(r, s->mark);

            if (mark != NULL && s->buf->len > s->http.head)
                block_read(r, mark, s->buf->data + s->http.head, s->buf->len - s->http.head);
            s->skip = s->http.length - s->body;
            s->state = FRAME;
            corr_l7_forget(s);
        }
        return taken;
    case LOST:
        /* Frames often begin where a segment does. */
        if (s->at != r->start || n < HEADER || !corr_l7_http2_plausible(d) ||
            (d[3] > CONTINUATION) || corr_l7_be24(d) > 16384)
            return n;
        s->state = FRAME;
        break;
    case FRAME:
        break;
    }
    if (s->buf == NULL || s->buf->len == 0)
        s->begin = s->at;
    taken = corr_l7_gather(s, d, n, HEADER);
    if (corr_l7_have(s, HEADER)) {
        uint8_t header[HEADER];

        memcpy(header, s->buf->data, HEADER);
        corr_l7_forget(s);
        if (corr_l7_http2_plausible(header))
            frame_begins(r, header);
        else
            s->state = LOST;
    }
    return taken;
}

void corr_l7_http2_lost(struct corr_l7_reader *r)
{
    corr_l7_forget(r->s);
    r->s->state = LOST;
}
