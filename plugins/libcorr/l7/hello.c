/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello.c - what a ClientHello and a ServerHello say: RFC 8446, section 4.1; RFC 5246, 7.4.1. */
#include <string.h>

#include "l7/l7-int.h"

enum extension {
    SERVER_NAME = 0,
    ALPN = 16,
    PRE_SHARED_KEY = 41,
    EARLY_DATA = 42,
    SUPPORTED_VERSIONS = 43,
    KEY_SHARE = 51,
};

/* A place in the bytes that were captured of a message. */
struct cursor {
    const uint8_t *d;
    uint32_t n;
};

static bool take(struct cursor *c, uint32_t n, struct cursor *out)
{
    if (c->n < n)
        return false;
    if (out != NULL)
        *out = (struct cursor){c->d, n};
    c->d += n;
    c->n -= n;
    return true;
}

/* A vector with a length of `size` bytes; cut ones give what there is. */
static bool take_vector(struct cursor *c, unsigned size, struct cursor *out)
{
    uint32_t len;

    if (c->n < size)
        return false;
    len = size == 1 ? c->d[0] : corr_l7_be16(c->d);
    take(c, size, NULL);
    return take(c, MIN(len, c->n), out);
}

static uint16_t read_alpn(struct cursor list)
{
    struct cursor names, name;
    uint16_t flags = 0;

    if (!take_vector(&list, 2, &names))
        return 0;
    while (take_vector(&names, 1, &name)) {
        if (name.n == 2 && memcmp(name.d, "h2", 2) == 0)
            flags |= CORR_MARK_H2;
        else if (name.n == 8 && memcmp(name.d, "http/1.1", 8) == 0)
            flags |= CORR_MARK_H1;
    }
    return flags;
}

static void read_server_name(struct corr_l7_reader *r, struct corr_mark *mark, struct cursor list)
{
    struct cursor names, name;

    /* RFC 6066, section 3: a list, of which the first entry is of type 0. */
    if (take_vector(&list, 2, &names) && names.n > 1 && names.d[0] == 0 && take(&names, 1, NULL) &&
        take_vector(&names, 2, &name)) {
        for (uint32_t i = 0; i < name.n; i++)
            if (!g_ascii_isgraph(name.d[i]))
                return;
        corr_l7_mark_text(r, mark, (const char *)name.d, name.n);
    }
}

static bool next_extension(struct cursor *c, uint32_t *type, struct cursor *out)
{
    if (c->n < 4)
        return false;
    *type = corr_l7_be16(c->d);
    take(c, 2, NULL);
    return take_vector(c, 2, out);
}

void corr_l7_hello_client(struct corr_l7_reader *r, struct corr_mark *mark, const uint8_t *d,
                          uint32_t n)
{
    struct cursor c = {d, n}, session, skipped, extensions, e;
    uint32_t type;

    if (c.n < 2)
        return;
    mark->value = corr_l7_be16(c.d);
    if (!take(&c, 34, NULL) || !take_vector(&c, 1, &session))
        return;
    r->pair->session_len = (uint8_t)MIN(session.n, sizeof r->pair->session);
    memcpy(r->pair->session, session.d, r->pair->session_len);
    if (!take_vector(&c, 2, &skipped) || !take_vector(&c, 1, &skipped) ||
        !take_vector(&c, 2, &extensions))
        return;
    while (next_extension(&extensions, &type, &e)) {
        struct cursor versions;

        switch (type) {
        case SERVER_NAME:
            read_server_name(r, mark, e);
            break;
        case ALPN:
            mark->flags |= read_alpn(e);
            break;
        case PRE_SHARED_KEY:
            mark->flags |= CORR_MARK_PSK;
            break;
        case EARLY_DATA:
            mark->flags |= CORR_MARK_EARLY;
            break;
        case SUPPORTED_VERSIONS:
            if (take_vector(&e, 1, &versions))
                for (uint32_t i = 0; i + 1 < versions.n; i += 2) {
                    uint32_t version = corr_l7_be16(versions.d + i);

                    /* GREASE (RFC 8701) is no version. */
                    if (version <= 0x0304 && version > mark->value)
                        mark->value = version;
                }
            break;
        default:
            break;
        }
    }
}

void corr_l7_hello_server(struct corr_l7_reader *r, struct corr_mark *mark, const uint8_t *d,
                          uint32_t n)
{
    /* RFC 8446, section 4.1.3: SHA-256 of "HelloRetryRequest". */
    static const uint8_t retry[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                      0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                      0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                      0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    struct cursor c = {d, n}, random, session, extensions, e;
    bool same_session;
    uint32_t type;

    if (c.n < 2)
        return;
    mark->value = corr_l7_be16(c.d);
    take(&c, 2, NULL);
    if (!take(&c, 32, &random) || !take_vector(&c, 1, &session))
        return;
    if (memcmp(random.d, retry, sizeof retry) == 0) {
        mark->flags |= CORR_MARK_RETRY;
        r->pair->retry = true;
    }
    same_session = session.n > 0 && session.n == r->pair->session_len &&
                   memcmp(session.d, r->pair->session, session.n) == 0;
    if (take(&c, 3, NULL) && take_vector(&c, 2, &extensions)) {
        while (next_extension(&extensions, &type, &e)) {
            if (type == ALPN)
                mark->flags |= read_alpn(e);
            else if (type == PRE_SHARED_KEY)
                mark->flags |= CORR_MARK_PSK;
            else if (type == SUPPORTED_VERSIONS && e.n >= 2)
                mark->value = corr_l7_be16(e.d);
            else if (type == KEY_SHARE && mark->flags & CORR_MARK_RETRY && e.n >= 2)
                mark->id = corr_l7_be16(e.d);
        }
    }
    /* From TLS 1.3 on the session id is only echoed (RFC 8446, section 4.1.3). */
    if (same_session && mark->value < 0x0304)
        mark->flags |= CORR_MARK_RESUMED;
}
