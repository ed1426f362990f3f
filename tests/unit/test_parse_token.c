/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_parse_token.c - what a proxy carries over: PROXY headers, ClientHello, request ids. */
#include "test_parse.h"

#include <string.h>

static struct corr_addr addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct corr_addr){4, {a, b, c, d}};
}

/* A TCP segment with these payload bytes. */
static struct corr_parsed segment(const char *payload, size_t n)
{
    static struct frame frame;
    GString *layers = g_string_new("eth ip4 tcp x");
    struct corr_parsed p;

    for (size_t i = 0; i < n; i++)
        g_string_append_printf(layers, "%02x", (unsigned char)payload[i]);
    build(&frame, layers->str);
    frame.link = 1;
    p = parse(&frame);
    g_string_free(layers, TRUE);
    return p;
}

#define SEGMENT(text) segment(text, sizeof(text) - 1)

static void proxy_text(void)
{
    struct corr_addr src = addr4(10, 1, 0, 10), dst = addr4(203, 0, 113, 5), v6 = {16, {0}};
    uint64_t named = corr_token_of_tuple(&src, 45000, &dst, 443);
    struct corr_parsed p =
        SEGMENT("PROXY TCP4 10.1.0.10 203.0.113.5 45000 443\r\nGET / HTTP/1.1\r\n"
                "X-Request-Id: abc\r\n\r\n");
    struct corr_addr other = v6;

    g_assert_cmpuint(p.n_tokens, ==, 2);
    g_assert_cmpuint(p.tokens[0].kind, ==, CORR_TOKEN_PROXY);
    g_assert_true(p.tokens[0].value == named);
    g_assert_cmpuint(p.tokens[1].kind, ==, CORR_TOKEN_REQUEST);
    /* The direction is part of it. */
    g_assert_true(corr_token_of_tuple(&dst, 443, &src, 45000) != named);

    memcpy(v6.bytes, "\x20\x01\x0d\xb8", 4);
    other = v6;
    v6.bytes[15] = 0x0a;
    other.bytes[13] = 1;
    p = SEGMENT("PROXY TCP6 2001:db8::a 2001:DB8:0:0:0:0:1:0 1 65535\r\n");
    g_assert_cmpuint(p.n_tokens, ==, 1);
    g_assert_true(p.tokens[0].value == corr_token_of_tuple(&v6, 1, &other, 65535));
}

static void proxy_binary(void)
{
    struct corr_addr src = addr4(10, 1, 0, 10), dst = addr4(203, 0, 113, 5);
    struct corr_parsed p = SEGMENT("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\x01\0\x0a"
                                   "\xcb\0\x71\x05\xaf\xc8\x01\xbb");
    struct corr_parsed local = SEGMENT("\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c\x0a\x01\0\x0a"
                                       "\xcb\0\x71\x05\xaf\xc8\x01\xbb");

    g_assert_cmpuint(p.n_tokens, ==, 1);
    g_assert_true(p.tokens[0].value == corr_token_of_tuple(&src, 45000, &dst, 443));
    g_assert_cmpuint(local.n_tokens, ==, 0); /* the proxy's own: a health check */
}

static void requests(void)
{
    struct corr_parsed a = SEGMENT("GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: 42 \r\n\r\n");
    struct corr_parsed b = SEGMENT("POST /b HTTP/1.1\r\nx-request-id:42\r\nVia: p\r\n\r\n");
    struct corr_parsed trace =
        SEGMENT("GET / HTTP/1.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-"
                "b7ad6b7169203331-01\r\n\r\n");
    struct corr_parsed span =
        SEGMENT("GET / HTTP/1.1\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-"
                "00f067aa0ba902b7-01\r\n\r\n");

    g_assert_cmpuint(a.n_tokens, ==, 1);
    g_assert_true(a.tokens[0].value == b.tokens[0].value);
    g_assert_cmpuint(trace.n_tokens, ==, 1);
    g_assert_true(trace.tokens[0].value == span.tokens[0].value);
}

static void hello(void)
{
    char record[60] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    struct corr_parsed a, b, c;

    memset(record + 11, 7, 32);
    a = segment(record, sizeof record);
    record[50] = 9; /* behind the random */
    b = segment(record, sizeof record);
    record[30] = 8;
    c = segment(record, sizeof record);
    g_assert_cmpuint(a.n_tokens, ==, 1);
    g_assert_cmpuint(a.tokens[0].kind, ==, CORR_TOKEN_HELLO);
    g_assert_true(a.tokens[0].value == b.tokens[0].value);
    g_assert_true(a.tokens[0].value != c.tokens[0].value);
    g_assert_cmpuint(segment(record, 42).n_tokens, ==, 0);
}

/* Only looks like it. */
static void refused(void)
{
    static const char *const texts[] = {
        "PROXY TCP4 10.1.0.10 203.0.113.5 45000 443 more bytes",
        "PROXY TCP4 10.1.0.300 203.0.113.5 45000 443\r\n",
        "PROXY TCP4 10.1.0.10 203.0.113.5 45000 70000\r\n",
        "PROXY TCP6 2001:db8:1:2 2001:db8::1 1 2\r\n",
        "PROXY UNKNOWN and so on, whatever it is\r\n",
        "GET / HTTP/1.1\r\n\r\nX-Request-ID: in the body\r\n",
        "GET / HTTP/1.1\r\nX-Request-ID: without an end",
        "HTTP/1.1 200 OK\r\nX-Request-ID: 42\r\n\r\n",
        "GET / HTTP/1.1\r\nNot-X-Request-ID: 42\r\n\r\n",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
        if (segment(texts[i], strlen(texts[i])).n_tokens != 0)
            g_error("taken for a token: %s", texts[i]);
}

void add_token_tests(void)
{
    g_test_add_func("/parse/token/PROXY header, text", proxy_text);
    g_test_add_func("/parse/token/PROXY header, binary", proxy_binary);
    g_test_add_func("/parse/token/request ids", requests);
    g_test_add_func("/parse/token/ClientHello", hello);
    g_test_add_func("/parse/token/refused", refused);
}
