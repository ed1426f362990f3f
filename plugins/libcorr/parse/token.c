/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token.c - what a proxy carries over from one connection to the next: the random
 * of a TLS ClientHello that passes through, the PROXY header that names the client's
 * connection, the id of a request.  Looked for where a segment begins.
 */
#include <stdlib.h>

#include "parse/parse-int.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HELLO_RANDOM 32
#define HEAD_MAX 4096 /* bytes of a request's head that are looked at */

static void token_add(struct corr_parsed *p, enum corr_token_kind kind, uint64_t value)
{
    if (p->n_tokens == CORR_TOKENS_MAX)
        return;
    p->tokens[p->n_tokens].kind = (uint8_t)kind;
    p->tokens[p->n_tokens].value = value;
    p->n_tokens++;
}

uint64_t corr_token_of_tuple(const struct corr_addr *src, uint16_t src_port,
                             const struct corr_addr *dst, uint16_t dst_port)
{
    uint8_t bytes[2 * sizeof src->bytes + 6] = {src->len, dst->len};

    bytes[2] = (uint8_t)(src_port >> 8);
    bytes[3] = (uint8_t)src_port;
    bytes[4] = (uint8_t)(dst_port >> 8);
    bytes[5] = (uint8_t)dst_port;
    memcpy(bytes + 6, src->bytes, sizeof src->bytes);
    memcpy(bytes + 6 + sizeof src->bytes, dst->bytes, sizeof dst->bytes);
    return XXH3_64bits(bytes, sizeof bytes);
}

/* TLS record, handshake, ClientHello: RFC 8446, sections 5.1, 4 and 4.1.2. */
static void find_hello(struct corr_parsed *p, const uint8_t *d, uint32_t n)
{
    if (n >= 11 + HELLO_RANDOM && d[0] == 22 && d[1] == 3 && d[5] == 1 && d[9] == 3)
        token_add(p, CORR_TOKEN_HELLO, XXH3_64bits(d + 11, HELLO_RANDOM));
}

static bool read_ip4(const char **text, const char *end, struct corr_addr *addr)
{
    *addr = (struct corr_addr){.len = 4};
    for (unsigned i = 0; i < 4; i++) {
        unsigned value = 0, digits = 0;

        for (; *text < end && **text >= '0' && **text <= '9' && digits < 3; (*text)++, digits++)
            value = value * 10 + (unsigned)(**text - '0');
        if (digits == 0 || value > 255 || (i < 3 && (*text == end || *(*text)++ != '.')))
            return false;
        addr->bytes[i] = (uint8_t)value;
    }
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Groups of hexadecimal digits, with one "::" at most: RFC 4291, section 2.2. */
static bool read_ip6(const char **text, const char *end, struct corr_addr *addr)
{
    uint8_t bytes[16] = {0};
    unsigned n = 0, gap = 17;

    *addr = (struct corr_addr){.len = 16};
    while (n < 16 && *text < end) {
        unsigned value = 0, digits = 0;

        if (end - *text >= 2 && (*text)[0] == ':' && (*text)[1] == ':' && gap == 17) {
            gap = n;
            *text += 2;
            continue;
        }
        if (**text == ':' && n > 0 && gap != n)
            (*text)++;
        for (; *text < end && hex_digit(**text) >= 0 && digits < 4; (*text)++, digits++)
            value = value << 4 | (unsigned)hex_digit(**text);
        if (digits == 0)
            break;
        bytes[n++] = (uint8_t)(value >> 8);
        bytes[n++] = (uint8_t)value;
    }
    if (gap == 17 && n != 16)
        return false;
    gap = gap == 17 ? n : gap;
    memcpy(addr->bytes, bytes, gap);
    memcpy(addr->bytes + 16 - (n - gap), bytes + gap, n - gap);
    return true;
}

static bool read_port(const char **text, const char *end, uint16_t *port)
{
    uint32_t value = 0;
    unsigned digits = 0;

    for (; *text < end && **text >= '0' && **text <= '9' && digits < 5; (*text)++, digits++)
        value = value * 10 + (uint32_t)(**text - '0');
    *port = (uint16_t)value;
    return digits > 0 && value <= 65535;
}

static bool read_space(const char **text, const char *end)
{
    return *text < end && *(*text)++ == ' ';
}

/* Version 1 of the PROXY protocol (haproxy.org, proxy-protocol.txt, 2.1).  Its length, or 0. */
static uint32_t find_proxy1(struct corr_parsed *p, const uint8_t *d, uint32_t n)
{
    const char *start = (const char *)d, *text = start, *end = start + (n < 107 ? n : 107);
    struct corr_addr src, dst;
    uint16_t src_port, dst_port;
    bool v6;

    if (end - text < 16 || memcmp(text, "PROXY TCP", 9) != 0 || (text[9] != '4' && text[9] != '6'))
        return 0;
    v6 = text[9] == '6';
    text += 10;
    if (!read_space(&text, end) || !(v6 ? read_ip6 : read_ip4)(&text, end, &src) ||
        !read_space(&text, end) || !(v6 ? read_ip6 : read_ip4)(&text, end, &dst) ||
        !read_space(&text, end) || !read_port(&text, end, &src_port) || !read_space(&text, end) ||
        !read_port(&text, end, &dst_port) || end - text < 2 || text[0] != '\r' || text[1] != '\n')
        return 0;
    token_add(p, CORR_TOKEN_PROXY, corr_token_of_tuple(&src, src_port, &dst, dst_port));
    return (uint32_t)(text + 2 - start);
}

/* Version 2 (section 2.2): signature, command and version, family, length, addresses. */
static uint32_t find_proxy2(struct corr_parsed *p, const uint8_t *d, uint32_t n)
{
    static const uint8_t signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                          '\n', 'Q',  'U',  'I',  'T', '\n'};
    struct corr_addr src = {0}, dst = {0};
    uint32_t length, size;

    if (n < 16 || memcmp(d, signature, sizeof signature) != 0 || d[12] >> 4 != 2)
        return 0;
    length = corr_be16(d + 14);
    size = d[13] == 0x11 ? 4 : d[13] == 0x21 ? 16 : 0;
    if (d[12] == 0x21 && size > 0 && length >= 2 * size + 4 && n >= 16 + 2 * size + 4) {
        src.len = dst.len = (uint8_t)size;
        memcpy(src.bytes, d + 16, size);
        memcpy(dst.bytes, d + 16 + size, size);
        token_add(p, CORR_TOKEN_PROXY,
                  corr_token_of_tuple(&src, corr_be16(d + 16 + 2 * size), &dst,
                                      corr_be16(d + 18 + 2 * size)));
    }
    return 16 + length;
}

/* Does a header line have this name (lower case, with the colon)?  Its value begins there, or 0. */
static uint32_t header_value(const char *line, uint32_t n, const char *name)
{
    uint32_t i = 0;

    for (; name[i] != '\0'; i++)
        if (i >= n || (line[i] | (line[i] >= 'A' && line[i] <= 'Z' ? 0x20 : 0)) != name[i])
            return 0;
    while (i < n && (line[i] == ' ' || line[i] == '\t'))
        i++;
    return i < n ? i : 0;
}

/* Ids of requests; of traceparent (W3C Trace Context) only the trace, for each hop has its own. */
static bool request_id(struct corr_parsed *p, const char *line, uint32_t n)
{
    static const char *const names[] = {"x-request-id:", "x-correlation-id:", "x-amzn-trace-id:"};
    uint32_t at;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        at = header_value(line, n, names[i]);
        if (at == 0)
            continue;
        while (n > at && (line[n - 1] == ' ' || line[n - 1] == '\t'))
            n--;
        token_add(p, CORR_TOKEN_REQUEST, XXH3_64bits(line + at, n - at));
        return true;
    }
    at = header_value(line, n, "traceparent:");
    if (at == 0 || n - at < 55 || line[at + 2] != '-' || line[at + 35] != '-')
        return false;
    token_add(p, CORR_TOKEN_REQUEST, XXH3_64bits(line + at + 3, 32));
    return true;
}

static bool begins_request(const uint8_t *d, uint32_t n)
{
    static const char *const methods[] = {"GET ",    "POST ",  "PUT ",    "HEAD ",
                                          "DELETE ", "PATCH ", "OPTIONS "};

    for (unsigned i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (n > strlen(methods[i]) && memcmp(d, methods[i], strlen(methods[i])) == 0)
            return true;
    return false;
}

/* The lines of an HTTP/1 request: RFC 9112, section 2.1. */
static void find_request(struct corr_parsed *p, const uint8_t *d, uint32_t n)
{
    const char *line = (const char *)d, *end = line + (n < HEAD_MAX ? n : HEAD_MAX);

    if (!begins_request(d, n))
        return;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        uint32_t length;

        if (stop == NULL)
            return; /* the rest of the line is not here */
        length = (uint32_t)(stop - line);
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length == 0 || request_id(p, line, length))
            return;
        line = stop + 1;
    }
}

void corr_parse_tokens(struct corr_parsed *p)
{
    const uint8_t *d = p->payload;
    uint32_t n = p->payload_cap, skip = 0;

    if (d[0] != 22 && d[0] != '\r' && (d[0] < 'A' || d[0] > 'Z'))
        return; /* most segments continue something */
    if (d[0] == 'P')
        skip = find_proxy1(p, d, n);
    else if (d[0] == '\r')
        skip = find_proxy2(p, d, n);
    if (skip >= n)
        return;
    find_hello(p, d + skip, n - skip);
    find_request(p, d + skip, n - skip);
}
