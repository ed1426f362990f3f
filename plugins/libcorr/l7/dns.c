/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns.c - DNS messages over UDP and TCP: RFC 1035, section 4. */
#include <string.h>

#include "l7/l7-int.h"

#define HEADER 12u
#define NAME_MAX_BYTES 255u
#define JUMPS_MAX 16u
#define RECORDS_MAX 64u
#define MESSAGE_MAX 4096u /* bytes of a message over TCP that are kept */

enum { TYPE_A = 1, TYPE_AAAA = 28 };

/*
 * Skips a name that begins at `at`, and writes it as text; returns where it
 * ends, 0 if it is none or not all of it is there.  Compressed names lead back
 * (RFC 1035, section 4.1.4).
 */
static uint32_t name_read(const uint8_t *d, uint32_t n, uint32_t at, GString *text)
{
    uint32_t end = 0, jumps = 0;

    while (at < n) {
        uint8_t len = d[at];

        if (len == 0)
            return end != 0 ? end : at + 1;
        if ((len & 0xc0) == 0xc0) {
            uint32_t to;

            if (at + 1 >= n || ++jumps > JUMPS_MAX)
                return 0;
            to = corr_l7_be16(d + at) & 0x3fff;
            if (end == 0)
                end = at + 2;
            if (text == NULL)
                return end;
            if (to >= at)
                return 0;
            at = to;
            continue;
        }
        if (len & 0xc0 || at + 1 + len > n)
            return 0;
        if (text != NULL) {
            if (text->len + len + 1 > NAME_MAX_BYTES)
                return 0;
            if (text->len > 0)
                g_string_append_c(text, '.');
            for (uint32_t i = 0; i < len; i++) {
                uint8_t c = d[at + 1 + i];

                /* Names compare without case, and some resolvers mix it to be less guessable. */
                g_string_append_c(text, g_ascii_isgraph(c) ? g_ascii_tolower((char)c) : '?');
            }
        }
        at += 1u + len;
    }
    return 0;
}

/* Notes addresses of the answer section; false if what should follow is no record. */
static bool answers_read(struct corr_l7_reader *r, const uint8_t *d, uint32_t n, uint32_t at,
                         uint32_t count, bool note)
{
    for (uint32_t i = 0; i < count && i < RECORDS_MAX; i++) {
        struct corr_addr addr = {0};
        uint32_t type, len;

        at = name_read(d, n, at, NULL);
        if (at == 0 || at + 10 > n)
            return false;
        type = corr_l7_be16(d + at);
        len = corr_l7_be16(d + at + 8);
        at += 10;
        if (at + len > n)
            return false;
        if (note && ((type == TYPE_A && len == 4) || (type == TYPE_AAAA && len == 16))) {
            addr.len = (uint8_t)len;
            memcpy(addr.bytes, d + at, len);
            corr_l7_answer(r, &addr);
        }
        at += len;
    }
    return true;
}

bool corr_l7_dns_message(struct corr_l7_reader *r, const uint8_t *d, uint32_t n, uint32_t len,
                         bool by_port)
{
    g_autoptr(GString) name = NULL;
    uint32_t flags, questions, answers, at;
    struct corr_mark *mark;

    if (n < HEADER)
        return false;
    flags = corr_l7_be16(d + 2);
    questions = corr_l7_be16(d + 4);
    answers = corr_l7_be16(d + 6);
    /* A standard query (opcode 0) with one question, as all that resolve names ask. */
    if ((flags & 0x7800) != 0 || questions != 1 || answers > 1000 ||
        (!by_port && ((flags & 0x0040) != 0 || (!(flags & 0x8000) && answers != 0))))
        return false;
    name = g_string_new(NULL);
    at = name_read(d, n, HEADER, name);
    if (at == 0 || at + 4 > n || corr_l7_be16(d + at + 2) != 1)
        return false;
    /* Elsewhere than at its port nothing but a whole message is believed. */
    if (!by_port && (n < len || (name->len == 0) ||
                     !answers_read(r, d, n, at + 4,
                                   answers + corr_l7_be16(d + 8) + corr_l7_be16(d + 10), false)))
        return false;
    mark = corr_l7_mark(r, CORR_MARK_DNS, r->s != NULL ? r->s->begin : 0,
                        (r->s != NULL ? r->s->begin + 2 : 0) + len);
    mark->id = corr_l7_be16(d);
    mark->value = corr_l7_be16(d + at) | (flags & 15) << 16;
    if (flags & 0x8000)
        mark->flags |= CORR_MARK_ANSWER;
    if (flags & 0x0200)
        mark->flags |= CORR_MARK_TRUNCATED;
    corr_l7_mark_text(r, mark, name->str, name->len);
    if (flags & 0x8000)
        answers_read(r, d, n, at + 4, answers, true);
    return true;
}

/* Over TCP each message has its length in front: RFC 1035, section 4.2.2. */
uint32_t corr_l7_dns_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    uint32_t taken;

    if (s->state == 0) {
        if (s->buf == NULL || s->buf->len == 0)
            s->begin = s->at;
        taken = corr_l7_gather(s, d, n, 2);
        if (corr_l7_have(s, 2)) {
            s->body = corr_l7_be16(s->buf->data);
            s->state = 1;
            corr_l7_forget(s);
            if (s->body < HEADER)
                corr_l7_switch(s, CORR_L7_OTHER);
        }
        return taken;
    }
    taken = corr_l7_gather(s, d, n, MIN(s->body, MESSAGE_MAX));
    if (corr_l7_have(s, MIN(s->body, MESSAGE_MAX))) {
        if (corr_l7_dns_message(r, s->buf->data, s->buf->len, s->body, true)) {
            s->skip = s->body - s->buf->len;
            s->state = 0;
            corr_l7_forget(s);
        } else {
            corr_l7_switch(s, CORR_L7_OTHER);
        }
    }
    return taken;
}
