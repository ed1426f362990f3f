/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detect.c - which protocol begins with these bytes?  And the PROXY header, which comes before. */
#include <string.h>

#include "l7/l7-int.h"

#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" /* RFC 9113, section 3.4 */
#define PROXY_V2 "\r\n\r\n\0\r\nQUIT\n"                  /* 12 bytes */
#define TLS_RECORD_MAX (16384u + 2048u)                  /* RFC 5246, section 6.2.3 */
#define METHOD_MAX 20u

/* 1: begins with it, 0: does not, -1: so far. */
static int begins(const uint8_t *d, uint32_t n, const char *with, uint32_t len)
{
    if (memcmp(d, with, MIN(n, len)) != 0)
        return 0;
    return n >= len ? 1 : -1;
}

bool corr_l7_tls_plausible(const uint8_t *d)
{
    uint32_t len = corr_l7_be16(d + 3);

    return d[0] >= 20 && d[0] <= 23 && d[1] == 3 && d[2] <= 4 && len > 0 && len <= TLS_RECORD_MAX;
}

bool corr_l7_http2_plausible(const uint8_t *d)
{
    /* A frame is not longer than the receiver allowed, by default 16384 bytes; few allow more. */
    return corr_l7_be24(d) <= 1u << 20 && d[3] <= 12 && (d[5] & 0x80) == 0;
}

/* A handshake record that begins with a hello. */
static int tls_begins(const uint8_t *d, uint32_t n)
{
    static const uint8_t first[] = {22, 3};

    if (memcmp(d, first, MIN(n, sizeof first)) != 0 || (n > 2 && d[2] > 4))
        return 0;
    if (n < 6)
        return -1;
    return corr_l7_tls_plausible(d) && corr_l7_be16(d + 3) >= 4 && (d[5] == 1 || d[5] == 2);
}

/* RFC 9112, section 3: a method, a blank, a target.  Its line is judged when it is complete. */
static int http_begins(const uint8_t *d, uint32_t n)
{
    uint32_t i = 0;
    int answer = begins(d, n, "HTTP/1.", 7);

    if (answer != 0)
        return answer;
    while (i < n && ((d[i] >= 'A' && d[i] <= 'Z') || d[i] == '-' || d[i] == '_') && i <= METHOD_MAX)
        i++;
    if (i == n)
        return -1;
    if (d[i] != ' ' || i < 3 || i > METHOD_MAX)
        return 0;
    if (i + 1 == n)
        return -1;
    return d[i + 1] == '/' || d[i + 1] == '*' || g_ascii_isalnum(d[i + 1]) || d[i + 1] == '[';
}

/* The server's first frame: SETTINGS on stream 0. */
static int settings_begin(const uint8_t *d, uint32_t n)
{
    static const uint8_t rest[] = {4, 0, 0, 0, 0, 0};

    if (n > 0 && d[0] != 0)
        return 0;
    if (n < 9)
        return -1;
    return d[1] == 0 && d[2] % 6 == 0 && memcmp(d + 3, rest, sizeof rest) == 0;
}

enum corr_l7_protocol corr_l7_detect(const struct corr_l7_reader *r, const uint8_t *d, uint32_t n,
                                     bool *more)
{
    const struct corr_l7_stream *s = r->s;
    bool other_is_h2 = r->pair->stream[!r->dir].protocol == CORR_L7_HTTP2;
    enum corr_l7_protocol found = CORR_L7_OTHER;
    int answer = 0;

    if (r->pair->dns && !s->known)
        return CORR_L7_DNS;
    if ((answer = tls_begins(d, n)) != 0)
        found = CORR_L7_TLS;
    else if ((answer = begins(d, n, HTTP2_PREFACE, 24)) != 0)
        found = CORR_L7_HTTP2;
    else if ((answer = begins(d, n, PROXY_V2, 12)) != 0 ||
             (answer = begins(d, n, "PROXY ", 6)) != 0)
        found = CORR_L7_PROXY;
    else if ((answer = http_begins(d, n)) != 0)
        found = CORR_L7_HTTP;
    else if (other_is_h2 && (answer = settings_begin(d, n)) != 0)
        found = CORR_L7_HTTP2;
    else if (!s->from_start && n >= 5 && d[0] == 23 && d[2] == 3 && corr_l7_tls_plausible(d))
        return CORR_L7_TLS; /* read from the middle: the next record must confirm it */
    if (answer < 0 && found == CORR_L7_HTTP &&
        (begins(d, n, HTTP2_PREFACE, 24) < 0 || begins(d, n, "PROXY ", 6) < 0))
        found = CORR_L7_OTHER;
    *more = answer < 0;
    return found;
}

/* Version 1 is a line of at most 107 bytes, version 2 has its length behind the signature. */
uint32_t corr_l7_proxy_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    uint32_t taken;

    if (s->buf == NULL)
        s->begin = s->at;
    if (s->buf == NULL ? d[0] == 'P' : s->buf->data[0] == 'P') {
        taken = corr_l7_gather(s, d, 1, 108);
        if (s->buf->data[s->buf->len - 1] == '\n') {
            corr_l7_mark(r, CORR_MARK_PROXY, s->begin, s->at + 1);
            corr_l7_switch(s, CORR_L7_DETECT);
        } else if (s->buf->len >= 108) {
            corr_l7_switch(s, CORR_L7_OTHER);
        }
        return taken;
    }
    taken = corr_l7_gather(s, d, n, 16);
    if (corr_l7_have(s, 16)) {
        s->skip = corr_l7_be16(s->buf->data + 14);
        corr_l7_mark(r, CORR_MARK_PROXY, s->begin, s->at + taken + (int64_t)s->skip);
        corr_l7_switch(s, CORR_L7_DETECT);
    }
    return taken;
}
