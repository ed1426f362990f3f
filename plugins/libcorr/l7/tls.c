/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.c - TLS records (RFC 8446, section 5.1) and the handshake messages that
 * can still be read.  Records are marked by their headers alone: their length
 * says where the next one begins, whatever lies between.
 */
#include <string.h>

#include "l7/l7-int.h"

#define HEADER 5u
#define HELLO_MAX 16384u   /* bytes of a hello that are kept */
#define TURN_MARKS_MAX 12u /* data records of one turn that get marks: what follows is bulk */

enum { CCS = 20, ALERT = 21, HANDSHAKE = 22, DATA = 23 };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2 };
enum state { RECORD, MESSAGE, HELLO, LOST };

static void hello_done(struct corr_l7_reader *r)
{
    struct corr_l7_stream *s = r->s;
    struct corr_mark *mark = corr_l7_mark_get(r, s->tls.hello);

    if (mark != NULL && s->buf != NULL) {
        if (s->tls.type == CLIENT_HELLO)
            corr_l7_hello_client(r, mark, s->buf->data, s->buf->len);
        else
            corr_l7_hello_server(r, mark, s->buf->data, s->buf->len);
        if (s->tls.wanted == 0)
            mark->flags |= CORR_MARK_WHOLE;
    }
    s->tls.hello = 0;
    corr_l7_forget(s);
}

/* Of many records in one turn only the first few are needed: tickets, Finished, the request. */
static void data_begins(struct corr_l7_reader *r, uint32_t len)
{
    struct corr_l7_stream *s = r->s;
    struct corr_mark *mark;

    if (s->tls.data_turn != r->pair->turn) {
        s->tls.data_turn = r->pair->turn;
        s->tls.data_n = 0;
    }
    if (s->tls.data_n++ >= TURN_MARKS_MAX)
        return;
    mark = corr_l7_mark(r, CORR_MARK_TLS_DATA, s->begin, s->begin + HEADER + len);
    mark->id = len;
    mark->value = 1;
}

/*
 * After change cipher spec handshake records are ciphered; but a client that
 * has been asked to try again may send its own before its second hello
 * (RFC 8446, appendix D.4), and so may the server.
 */
static bool is_ciphered(const struct corr_l7_reader *r)
{
    return r->s->tls.ciphered && !r->pair->retry;
}

static void record_begins(struct corr_l7_reader *r, const uint8_t *h)
{
    struct corr_l7_stream *s = r->s;
    uint32_t len = corr_l7_be16(h + 3);
    int64_t end = s->begin + HEADER + len;
    struct corr_mark *mark;

    s->state = RECORD;
    s->skip = len;
    switch (h[0]) {
    case CCS:
        corr_l7_mark(r, CORR_MARK_TLS_CCS, s->begin, end);
        s->tls.ciphered = true;
        break;
    case ALERT:
        corr_l7_mark(r, CORR_MARK_TLS_ALERT, s->begin, end);
        break;
    case DATA:
        data_begins(r, len);
        break;
    default:
        mark = corr_l7_mark(r, CORR_MARK_TLS_HANDSHAKE, s->begin, end);
        s->mark = corr_l7_mark_last(r);
        if (is_ciphered(r)) {
            mark->flags |= CORR_MARK_CIPHERED;
        } else if (!s->tls.blind) {
            s->tls.left = len;
            s->skip = 0;
            s->state = s->tls.hello != 0 ? HELLO : MESSAGE;
            if (s->state == MESSAGE && s->tls.wanted > 0) {
                s->skip = MIN(s->tls.wanted, len);
                s->tls.wanted -= (uint32_t)s->skip;
                s->tls.left -= (uint32_t)s->skip;
            }
        }
    }
}

/* A message's header was read: a hello is kept, others pass. */
static void message_begins(struct corr_l7_reader *r, const uint8_t *h)
{
    struct corr_l7_stream *s = r->s;
    struct corr_mark *mark = corr_l7_mark_get(r, s->mark);
    uint32_t len = corr_l7_be24(h + 1);

    if (mark == NULL || h[0] > 31 || len > 1u << 18) {
        s->tls.blind = true; /* ciphered after all, or damaged */
        s->skip = s->tls.left;
        s->tls.left = 0;
        return;
    }
    s->tls.type = h[0];
    s->tls.wanted = len;
    mark->value |= 1u << h[0];
    if ((h[0] == CLIENT_HELLO || h[0] == SERVER_HELLO) && mark->kind == CORR_MARK_TLS_HANDSHAKE) {
        mark->kind = h[0] == CLIENT_HELLO ? CORR_MARK_TLS_CLIENT : CORR_MARK_TLS_SERVER;
        mark->value = 0;
        s->tls.hello = s->mark;
        s->state = HELLO;
        return;
    }
    s->skip = MIN(len, s->tls.left);
    s->tls.wanted -= (uint32_t)s->skip;
    s->tls.left -= (uint32_t)s->skip;
}

static uint32_t hello_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    uint32_t take = MIN(MIN(n, s->tls.wanted), s->tls.left);

    corr_l7_gather(s, d, take, HELLO_MAX);
    s->tls.wanted -= take;
    s->tls.left -= take;
    if (s->tls.wanted == 0) {
        hello_done(r);
        s->state = MESSAGE;
    }
    if (s->tls.left == 0)
        s->state = RECORD;
    return take;
}

static uint32_t message_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    uint32_t had = s->buf != NULL ? s->buf->len : 0;
    uint32_t take = corr_l7_gather(s, d, MIN(n, s->tls.left), had + MIN(4 - had, s->tls.left));

    s->tls.left -= take;
    if (corr_l7_have(s, 4)) {
        uint8_t header[4];

        memcpy(header, s->buf->data, 4);
        corr_l7_forget(s);
        message_begins(r, header);
    }
    if (s->tls.left == 0 && s->state == MESSAGE)
        s->state = RECORD;
    if (s->state == HELLO && s->tls.left == 0)
        s->state = RECORD;
    if (s->state == HELLO && s->tls.wanted == 0) {
        hello_done(r);
        s->state = MESSAGE;
    }
    /* A header that the record's end cuts goes on in the next one: rare enough to give up. */
    if (s->state == RECORD && s->buf != NULL) {
        corr_l7_forget(s);
        s->tls.blind = true;
    }
    return take;
}

/* A record header somewhere in these bytes: at the segment's start, or where two follow. */
static uint32_t lost_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    for (uint32_t i = 0; i + HEADER <= n; i++) {
        uint32_t len, next;

        if (!corr_l7_tls_plausible(d + i) || d[i + 2] < 1)
            continue;
        len = corr_l7_be16(d + i + 3);
        next = i + HEADER + len;
        if (next + HEADER <= n ? !corr_l7_tls_plausible(d + next)
                               : !(i == 0 && r->s->at == r->start) && next != n)
            continue;
        r->s->state = RECORD;
        r->s->tls.check = true;
        return i;
    }
    return n;
}

uint32_t corr_l7_tls_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    uint32_t taken, before = 0;
    uint8_t header[HEADER];

    switch ((enum state)s->state) {
    case MESSAGE:
        return message_step(r, d, n);
    case HELLO:
        return hello_step(r, d, n);
    case LOST:
        before = lost_step(r, d, n);
        if (s->state == LOST)
            return n;
        d += before;
        n -= before;
        break;
    case RECORD:
        break;
    }
    if (s->buf == NULL || s->buf->len == 0)
        s->begin = s->at + before;
    taken = corr_l7_gather(s, d, n, HEADER);
    if (!corr_l7_have(s, HEADER))
        return before + taken;
    memcpy(header, s->buf->data, HEADER);
    corr_l7_forget(s);
    if (!corr_l7_tls_plausible(header)) {
        s->tls.check = false;
        s->state = LOST;
    } else if (s->tls.check) {
        /* Only guessed: its length leads to the next one, which must be a header, too. */
        s->tls.check = false;
        s->tls.blind = true;
        s->skip = corr_l7_be16(header + 3);
    } else {
        record_begins(r, header);
    }
    return before + taken;
}

void corr_l7_tls_lost(struct corr_l7_reader *r, uint64_t bytes)
{
    struct corr_l7_stream *s = r->s;
    bool inside = s->state == MESSAGE || s->state == HELLO;

    if (s->state == HELLO)
        hello_done(r); /* what there was of it */
    corr_l7_forget(s);
    s->tls.wanted = 0;
    s->tls.blind = true;
    /* Inside a record whose length is known the next header is not lost. */
    if (inside && bytes <= s->tls.left) {
        s->skip = s->tls.left - bytes;
        s->state = RECORD;
    } else {
        s->state = LOST;
    }
    s->tls.left = 0;
    s->tls.check = false;
}
