/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * l7_talk.h - conversations of bytes for the readers of l7/, in segments of any
 * size, out of order, cut or lost: for tests and for the fuzzer.
 */
#ifndef L7_TALK_H
#define L7_TALK_H

#include <glib.h>
#include <string.h>

#include "l7/l7.h"

struct l7_talk {
    struct corr_l7 *l7;
    uint32_t obs;    /* of the next packet */
    uint32_t seq[2]; /* next sequence number of each direction */
    uint32_t base[2];
    uint16_t port;  /* of the server: direction 1 comes from it */
    uint32_t snap;  /* payload bytes that are captured; 0: all */
    GArray *starts; /* uint32_t: sequence number of each observation */
};

static inline void l7_talk_init(struct l7_talk *t, uint16_t port)
{
    *t = (struct l7_talk){.l7 = corr_l7_new(), .port = port};
    t->base[0] = t->seq[0] = UINT32_MAX - 40; /* sequence numbers wrap soon */
    t->base[1] = t->seq[1] = 7000;
    t->starts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
}

static inline void l7_talk_clear(struct l7_talk *t)
{
    corr_l7_free(t->l7);
    g_array_unref(t->starts);
}

static inline void l7_packet(struct l7_talk *t, uint8_t dir, uint32_t seq, uint8_t flags,
                             const uint8_t *d, uint32_t len)
{
    uint32_t cap = t->snap > 0 ? MIN(len, t->snap) : len;
    /* Of exactly the captured size, so that a sanitizer sees what is read. */
    g_autofree uint8_t *copy = g_malloc(cap + (size_t)(cap == 0));
    struct corr_parsed packet = {
        .kind = CORR_KIND_TCP,
        .have = CORR_HAVE_TCP | CORR_HAVE_LEN | CORR_HAVE_PORTS | CORR_HAVE_SEQ,
        .src_port = dir ? t->port : 50000,
        .dst_port = dir ? 50000 : t->port,
        .seq = seq,
        .ack = t->seq[!dir],
        .tcp_flags = flags,
        .payload_len = len,
        .payload_cap = cap,
        .payload = cap > 0 ? copy : NULL,
    };

    if (cap > 0)
        memcpy(copy, d, cap);
    g_array_append_val(t->starts, seq);
    corr_l7_read(t->l7, 0, dir, t->obs++, &packet);
}

static inline void l7_handshake(struct l7_talk *t)
{
    l7_packet(t, 0, t->base[0] - 1, CORR_TCP_SYN, NULL, 0);
    l7_packet(t, 1, t->base[1] - 1, CORR_TCP_SYN | CORR_TCP_ACK, NULL, 0);
}

/* Bytes in segments of at most `size`. */
static inline void l7_say(struct l7_talk *t, uint8_t dir, const void *bytes, size_t len,
                          size_t size)
{
    const uint8_t *d = bytes;

    for (size_t at = 0; at < len; at += size) {
        uint32_t n = (uint32_t)MIN(size, len - at);

        l7_packet(t, dir, t->seq[dir], CORR_TCP_ACK, d + at, n);
        t->seq[dir] += n;
    }
}

static inline void l7_datagram(struct l7_talk *t, uint8_t dir, const void *bytes, uint32_t len,
                               uint32_t cap)
{
    g_autofree uint8_t *copy = g_malloc(cap + (size_t)(cap == 0));
    struct corr_parsed packet = {
        .kind = CORR_KIND_UDP,
        .have = CORR_HAVE_LEN | CORR_HAVE_PORTS,
        .src_port = dir ? t->port : 50000,
        .dst_port = dir ? 50000 : t->port,
        .payload_len = len,
        .payload_cap = cap,
        .payload = cap > 0 ? copy : NULL,
        .dst = {.len = 4, .bytes = {10, 0, 0, 1}},
    };

    if (cap > 0)
        memcpy(copy, bytes, cap);
    g_array_append_val(t->starts, t->base[dir]);
    corr_l7_read(t->l7, 0, dir, t->obs++, &packet);
}

/* A mark's place in its stream, from 0. */
static inline int64_t l7_place(const struct l7_talk *t, const struct corr_mark *mark, int64_t at)
{
    return (int32_t)(g_array_index(t->starts, uint32_t, mark->obs) - t->base[mark->dir]) + at;
}

/*
 * All marks as text, in order, of messages that were marked twice the last one:
 * "http-request 0-18 GET\n/\nhost; ..." with "?" for an open end.
 */
static inline char *l7_marks(const struct l7_talk *t)
{
    const GArray *marks = corr_l7_marks(t->l7);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < marks->len; i++) {
        const struct corr_mark *m = &g_array_index(marks, struct corr_mark, i);
        bool again = false;

        for (unsigned k = i + 1; k < marks->len; k++) {
            const struct corr_mark *later = &g_array_index(marks, struct corr_mark, k);

            again |= later->kind == m->kind && later->dir == m->dir && m->flags & CORR_MARK_OPEN &&
                     l7_place(t, later, later->begin) == l7_place(t, m, m->begin);
        }
        if (again)
            continue;
        g_string_append_printf(out, "%s%s %" G_GINT64_FORMAT "-", out->len > 0 ? "; " : "",
                               corr_mark_word(m->kind), l7_place(t, m, m->begin));
        if (m->flags & CORR_MARK_OPEN)
            g_string_append_c(out, '?');
        else
            g_string_append_printf(out, "%" G_GINT64_FORMAT, l7_place(t, m, m->end));
        for (unsigned line = 0; line < 3; line++) {
            g_autofree char *text = corr_l7_text(t->l7, m, line);

            if (text != NULL)
                g_string_append_printf(out, " %s", text);
        }
        if (m->kind == CORR_MARK_HTTP_RESPONSE || m->kind == CORR_MARK_TLS_SERVER ||
            m->kind == CORR_MARK_TLS_CLIENT || m->kind == CORR_MARK_QUIC)
            g_string_append_printf(out, " %x", m->value);
    }
    return g_string_free(out, FALSE);
}

/* A hello with a session of 4 bytes and extensions; lengths are filled in. */
static inline GByteArray *l7_hello(uint8_t kind, const char *extensions, size_t n_extensions,
                                   bool retry)
{
    static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                             0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                             0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                             0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    uint8_t random[32] = {kind}, lengths[] = {22, 3, 1, 0, 0, kind, 0, 0, 0, 3, 3};
    GByteArray *out = g_byte_array_new();
    size_t body;

    g_byte_array_append(out, lengths, sizeof lengths);
    g_byte_array_append(out, retry ? retry_random : random, 32);
    g_byte_array_append(out, (const uint8_t *)"\4abcd", 5);
    /* One cipher suite; compression none. */
    if (kind == 1)
        g_byte_array_append(out, (const uint8_t *)"\0\2\x13\1\1", 6);
    else
        g_byte_array_append(out, (const uint8_t *)"\x13\1", 3);
    lengths[0] = (uint8_t)(n_extensions >> 8);
    lengths[1] = (uint8_t)n_extensions;
    g_byte_array_append(out, lengths, 2);
    g_byte_array_append(out, (const uint8_t *)extensions, (unsigned)n_extensions);
    body = out->len - 9;
    out->data[3] = (uint8_t)((body + 4) >> 8);
    out->data[4] = (uint8_t)(body + 4);
    out->data[7] = (uint8_t)(body >> 8);
    out->data[8] = (uint8_t)body;
    return out;
}

#define CLIENT_EXTENSIONS                                                                          \
    "\0\0\0\6\0\4\0\0\1h\0\x10\0\5\0\3\2h2\0\x2b\0\3\2\3\4\0\x2a\0\0\0\x29\0\0"
#define SERVER_EXTENSIONS "\0\x2b\0\2\3\4\0\x29\0\2\0\0"
#define FINISHED "\x14\3\3\0\1\1\x17\3\3\0\4WXYZ"

#endif /* L7_TALK_H */
