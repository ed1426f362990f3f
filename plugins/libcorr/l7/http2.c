/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http2.c - HTTP/2 without TLS: frame headers (RFC 9113, section 4.1), status and method. */
#include <string.h>

#include "l7/l7-int.h"

#define HEADER 9u
#define PREFACE 24u
#define PEEK 16u /* bytes of a field block that are looked at */

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, CONTINUATION = 9 };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, PRIORITY = 32 };
enum state { FIRST, FRAME, BLOCK, LOST };

/*
 * Of a field block only what stands indexed at its beginning is read: most
 * methods and statuses do (RFC 7541, appendix A).
 */
static void block_read(struct corr_l7_reader *r, struct corr_mark *mark, const uint8_t *d,
                       uint32_t n)
{
    static const uint16_t status[] = {200, 204, 206, 304, 400, 404, 500};

    for (uint32_t i = 0; i < n && d[i] & 0x80; i++) {
        uint8_t index = d[i] & 0x7f;

        if (index == 2 || index == 3) {
            corr_l7_mark_text(r, mark, index == 2 ? "GET" : "POST", index == 2 ? 3 : 4);
            return;
        }
        if (index >= 8 && index <= 14) {
            mark->value = status[index - 8];
            return;
        }
    }
    /* ":status" as a literal of three digits: name index 8, not Huffman coded. */
    if (n >= 5 && ((d[0] & 0xc0) == 0x40 ? d[0] & 0x3f : d[0] & 0x0f) == 8 && d[1] == 3 &&
        g_ascii_isdigit(d[2]) && g_ascii_isdigit(d[3]) && g_ascii_isdigit(d[4]))
        mark->value = (uint32_t)((d[2] - '0') * 100 + (d[3] - '0') * 10 + (d[4] - '0'));
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
