/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The readers of l7/: what they mark, in segments of every size, with losses, cuts and damage. */
#include "l7_talk.h"
#include "world.h"

#define assert_marks(t, expected)                                                                  \
    do {                                                                                           \
        g_autofree char *text_ = l7_marks(t);                                                      \
        g_assert_cmpstr(text_, ==, expected);                                                      \
    } while (0)

#define SAY(t, dir, text, size) l7_say(t, dir, text, sizeof text - 1, size)

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
#define CHUNKED                                                                                    \
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"

/* The same marks, however the bytes were cut into segments. */
static void every_size(void (*say)(struct l7_talk *t, size_t size), uint16_t port,
                       const char *expected)
{
    static const size_t sizes[] = {1, 2, 3, 7, 16, 100, 1448, 65000};

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct l7_talk t;

        l7_talk_init(&t, port);
        l7_handshake(&t);
        say(&t, sizes[i]);
        assert_marks(&t, expected);
        l7_talk_clear(&t);
    }
}

static void say_http(struct l7_talk *t, size_t size)
{
    SAY(t, 0, GET POST, size);
    SAY(t, 1, OK CHUNKED, size);
    SAY(t, 0, "HEAD /c HTTP/1.1\r\n\r\n", size);
    SAY(t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", size);
    SAY(t, 0, GET, size);
    SAY(t, 1, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        size);
    SAY(t, 0, GET, size);
    SAY(t, 1, "HTTP/1.0 200 OK\r\n\r\nuntil the end, whatever it says: HTTP/1.1 200 OK\r\n", size);
}

static void http(void)
{
    every_size(say_http, 80,
               "http-request 0-28 GET /a h; http-request 28-72 POST /b; http-response 0-49 c8; "
               "http-response 49-120 c8; http-request 72-92 HEAD /c; http-response 120-159 c8; "
               "http-request 92-120 GET /a h; http-response 159-184 64; "
               "http-response 184-232 130; http-request 120-148 GET /a h; http-response 232-? c8");
}

static void http_out_of_order(void)
{
    struct l7_talk t;
    const uint8_t *d = (const uint8_t *)OK OK;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    /* The second half of the first response first, repeated, and overlapping. */
    l7_packet(&t, 1, t.base[1] + 20, CORR_TCP_ACK, d + 20, 30);
    l7_packet(&t, 1, t.base[1] + 20, CORR_TCP_ACK, d + 20, 30);
    l7_packet(&t, 1, t.base[1] + 60, CORR_TCP_ACK, d + 60, 38);
    l7_packet(&t, 1, t.base[1], CORR_TCP_ACK, d, 25);
    l7_packet(&t, 1, t.base[1] + 40, CORR_TCP_ACK, d + 40, 30);
    assert_marks(&t, "http-response 0-49 c8; http-response 49-98 c8");
    l7_talk_clear(&t);
}

/* A hole in a body does no harm; one in a head is waited for, in vain, and said by silence. */
static void http_holes(void)
{
    struct l7_talk t;
    const uint8_t *d = (const uint8_t *)OK OK;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    l7_packet(&t, 1, t.base[1], CORR_TCP_ACK, d, 42);
    l7_packet(&t, 1, t.base[1] + 49, CORR_TCP_ACK, d + 49, 10);
    l7_packet(&t, 1, t.base[1] + 98, CORR_TCP_ACK, d, 49);
    assert_marks(&t, "http-response 0-49 c8");
    corr_l7_finish(t.l7);
    assert_marks(&t, "http-response 0-49 c8; http-response 98-147 c8");
    l7_talk_clear(&t);
}

static void http_cut(void)
{
    struct l7_talk t;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    t.snap = 20;
    SAY(&t, 0, GET, 1448);
    SAY(&t, 1, OK, 1448);
    SAY(&t, 0, GET, 1448);
    assert_marks(&t, "http-request 0-? GET /a; http-response 0-? c8; http-request 28-? GET /a");
    l7_talk_clear(&t);
}

static void http_near_misses(void)
{
    struct l7_talk t;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    SAY(&t, 0, "GET lost in the text\r\n\r\nGET / HTTP/1.1 no end of line", 1448);
    SAY(&t, 1, "HTTP/1.x 200 OK\r\n\r\n", 1448);
    assert_marks(&t, "");
    l7_talk_clear(&t);
}

static void say_tls(struct l7_talk *t, size_t size)
{
    g_autoptr(GByteArray) client =
        l7_hello(1, CLIENT_EXTENSIONS, sizeof CLIENT_EXTENSIONS - 1, false);
    g_autoptr(GByteArray) server =
        l7_hello(2, SERVER_EXTENSIONS, sizeof SERVER_EXTENSIONS - 1, false);

    l7_say(t, 0, client->data, client->len, size);
    l7_say(t, 1, server->data, server->len, size);
    SAY(t, 1, FINISHED, size);
    SAY(t, 0, FINISHED, size);
    SAY(t, 0, "\x15\3\3\0\2\1\0", size);
}

static void tls(void)
{
    struct l7_talk t;
    uint16_t flags[2] = {0, 0};

    every_size(say_tls, 443,
               "tls-client-hello 0-90 h 304; tls-server-hello 0-65 304; tls-ccs 65-71; "
               "tls-data 71-80; tls-ccs 90-96; tls-data 96-105; tls-alert 105-112");
    l7_talk_init(&t, 443);
    say_tls(&t, 9);
    for (unsigned i = 0; i < corr_l7_marks(t.l7)->len; i++) {
        const struct corr_mark *m = &g_array_index(corr_l7_marks(t.l7), struct corr_mark, i);

        if (m->kind == CORR_MARK_TLS_CLIENT || m->kind == CORR_MARK_TLS_SERVER)
            flags[m->dir] = m->flags;
    }
    g_assert_cmpuint(flags[0], ==,
                     CORR_MARK_PSK | CORR_MARK_EARLY | CORR_MARK_H2 | CORR_MARK_WHOLE);
    g_assert_cmpuint(flags[1], ==, CORR_MARK_PSK | CORR_MARK_WHOLE);
    l7_talk_clear(&t);
}

/* A HelloRetryRequest, and a session that goes on in TLS 1.2. */
static void tls_hellos(void)
{
    struct l7_talk t;
    g_autoptr(GByteArray) client = l7_hello(1, "", 0, false);
    g_autoptr(GByteArray) retry = l7_hello(2, "\0\x33\0\2\0\x18\0\x2b\0\2\3\4", 12, true);
    g_autoptr(GByteArray) server = l7_hello(2, "", 0, false);
    const struct corr_mark *m;

    l7_talk_init(&t, 443);
    l7_handshake(&t);
    l7_say(&t, 0, client->data, client->len, 1448);
    l7_say(&t, 1, retry->data, retry->len, 1448);
    l7_say(&t, 1, server->data, server->len, 1448);
    m = &g_array_index(corr_l7_marks(t.l7), struct corr_mark, 1);
    g_assert_cmpuint(m->flags & CORR_MARK_RETRY, !=, 0);
    g_assert_cmpuint(m->id, ==, 0x18);
    m = &g_array_index(corr_l7_marks(t.l7), struct corr_mark, 2);
    g_assert_cmpuint(m->flags & CORR_MARK_RESUMED, !=, 0);
    g_assert_cmpuint(m->value, ==, 0x0303);
    l7_talk_clear(&t);
}

/* Behind a hole that holds a record's header the next header is found again. */
static void tls_holes(void)
{
    struct l7_talk t;
    uint8_t records[3 * 105];

    for (unsigned i = 0; i < 3; i++) {
        memset(records + i * 105, 0xee, 105);
        memcpy(records + i * 105, "\x17\3\3\0\x64", 5);
    }
    l7_talk_init(&t, 443);
    l7_handshake(&t);
    say_tls(&t, 1448);
    l7_packet(&t, 1, t.seq[1], CORR_TCP_ACK, records, 100);
    l7_packet(&t, 1, t.seq[1] + 210, CORR_TCP_ACK, records, sizeof records);
    corr_l7_finish(t.l7);
    assert_marks(&t, "tls-client-hello 0-90 h 304; tls-server-hello 0-65 304; tls-ccs 65-71; "
                     "tls-data 71-80; tls-ccs 90-96; tls-data 96-105; tls-alert 105-112; "
                     "tls-data 80-185; tls-data 395-500; tls-data 500-605");
    l7_talk_clear(&t);
}

static void say_connect(struct l7_talk *t, size_t size)
{
    SAY(t, 0, "CONNECT h:443 HTTP/1.1\r\n\r\n", size);
    SAY(t, 1, "HTTP/1.1 200 yes\r\n\r\n", size);
    say_tls(t, size);
}

static void connect_then_tls(void)
{
    every_size(say_connect, 3128,
               "http-request 0-26 CONNECT h:443; http-response 0-20 c8; "
               "tls-client-hello 26-116 h 304; tls-server-hello 20-85 304; tls-ccs 85-91; "
               "tls-data 91-100; tls-ccs 116-122; tls-data 122-131; tls-alert 131-138");
}

/* Only a segment that begins with a hello can begin TLS in a protocol that nobody knows. */
static void starttls(void)
{
    struct l7_talk t;

    l7_talk_init(&t, 25);
    l7_handshake(&t);
    SAY(&t, 1, "220 ready\r\n", 1448);
    SAY(&t, 0, "STARTTLS\r\n", 1448);
    SAY(&t, 1, "220 go\r\n", 1448);
    say_tls(&t, 1448);
    assert_marks(&t, "tls-client-hello 10-100 h 304; tls-server-hello 19-84 304; tls-ccs 84-90; "
                     "tls-data 90-99; tls-ccs 100-106; tls-data 106-115; tls-alert 115-122");
    l7_talk_clear(&t);
}

static void say_proxy(struct l7_talk *t, size_t size)
{
    SAY(t, 0, "PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n" GET, size);
}

static void say_proxy2(struct l7_talk *t, size_t size)
{
    SAY(t, 0, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\4abcd" GET, size);
}

static void proxy(void)
{
    every_size(say_proxy, 80, "proxy-header 0-37; http-request 37-65 GET /a h");
    every_size(say_proxy2, 80, "proxy-header 0-20; http-request 20-48 GET /a h");
}

#define HEADERS(stream, flags, block) "\0\0\1\1" flags "\0\0\0" stream block

static void say_h2(struct l7_talk *t, size_t size)
{
    SAY(t, 0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" HEADERS("\1", "\5", "\x82"),
        size);
    SAY(t, 1, "\0\0\0\4\0\0\0\0\0" HEADERS("\1", "\4", "\x88") "\0\0\3\0\1\0\0\0\1xyz", size);
}

static void http2(void)
{
    every_size(say_h2, 80, "h2-headers 33-43 GET; h2-headers 9-19; h2-data 19-31");
}

/* The method or the status that a field block of a request or a response says; "": none. */
static void expect_block(uint8_t dir, const char *block, uint8_t len, const char *want)
{
    struct l7_talk t;
    uint8_t header[9] = {0, 0, len, 1, 4, 0, 0, 0, 1};
    const struct corr_mark *m;
    g_autofree char *text = NULL;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    SAY(&t, 0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1448);
    SAY(&t, 1, "\0\0\0\4\0\0\0\0\0", 1448);
    l7_say(&t, dir, header, sizeof header, 1448);
    l7_say(&t, dir, block, len, 1448);
    g_assert_cmpuint(corr_l7_marks(t.l7)->len, ==, 1);
    m = &g_array_index(corr_l7_marks(t.l7), struct corr_mark, 0);
    text = m->value > 0 ? g_strdup_printf("%u", m->value) : corr_l7_text(t.l7, m, 0);
    g_assert_cmpstr(text != NULL ? text : "", ==, want);
    l7_talk_clear(&t);
}

/* Fields as nghttp2, nginx and curl write them (RFC 7541, sections 6 and C). */
static void http2_blocks(void)
{
#define BLOCK(dir, block, want) expect_block(dir, block, sizeof block - 1, want)
    BLOCK(0, "\x82\x86\x84", "GET");
    BLOCK(0, "\x04\x84\x61\x22\x33\x44\x86\x83", "POST"); /* behind a path */
    BLOCK(0, "\x3f\xe1\x1f\x42\x04HEAD", "HEAD");          /* behind a new size of the table */
    BLOCK(0, "\x02\x86\xbf\x83\x3e\x0d\xf8\x3f", "DELETE");
    BLOCK(0, "\x42\x03put", "");
    BLOCK(0, "\xbe\x86\x84", ""); /* from the connection's own table */
    BLOCK(1, "\x88", "200");
    BLOCK(1, "\x48\x03" "502", "502");
    BLOCK(1, "\x48\x82\x64\x02", "302"); /* RFC 7541, C.6.1 */
    BLOCK(1, "\x08\x82\x08\x19", "103");
    BLOCK(1, "\x48\x82\x18\xc0", "");
    BLOCK(1, "\x48\x82\x64", ""); /* not whole */
    BLOCK(1, "\x48\xff\xff\xff\xff\xff\xff", "");
    BLOCK(1, "\x00\x07:status\x03" "200", "");
#undef BLOCK
}

#define QUESTION "\3WWW\7example\3com\0\0\1\0\1"
#define QUERY "\x12\x34\1\0\0\1\0\0\0\0\0\0" QUESTION
#define ANSWER                                                                                     \
    "\x12\x34\x81\x80\0\1\0\2\0\0\0\0" QUESTION "\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x10"             \
    "\xc0\x10\0\1\0\1\0\0\0\1\0\4\xc0\0\2\7"

static void dns(void)
{
    struct l7_talk t;
    const struct corr_mark *m;
    const struct corr_l7_answer *a;

    l7_talk_init(&t, 53);
    l7_datagram(&t, 0, QUERY, sizeof QUERY - 1, sizeof QUERY - 1);
    l7_datagram(&t, 1, ANSWER, sizeof ANSWER - 1, sizeof ANSWER - 1);
    g_assert_cmpuint(corr_l7_marks(t.l7)->len, ==, 2);
    m = &g_array_index(corr_l7_marks(t.l7), struct corr_mark, 1);
    g_assert_cmpuint(m->flags, ==, CORR_MARK_ANSWER);
    g_assert_cmpuint(m->id, ==, 0x1234);
    g_assert_cmpuint(m->value, ==, 1);
    {
        g_autofree char *name = corr_l7_text(t.l7, m, 0);
        g_assert_cmpstr(name, ==, "www.example.com");
    }
    g_assert_cmpuint(corr_l7_answers(t.l7)->len, ==, 1);
    a = &g_array_index(corr_l7_answers(t.l7), struct corr_l7_answer, 0);
    g_assert_cmpuint(a->obs, ==, 1);
    g_assert_cmpmem(a->addr.bytes, a->addr.len, "\xc0\0\2\7", 4);
    /* Cut behind the question: still a mark.  In it: none. */
    l7_datagram(&t, 1, ANSWER, sizeof ANSWER - 1, 40);
    g_assert_cmpuint(corr_l7_marks(t.l7)->len, ==, 3);
    l7_datagram(&t, 1, ANSWER, sizeof ANSWER - 1, 30);
    g_assert_cmpuint(corr_l7_marks(t.l7)->len, ==, 3);
    /* At another port a message must be whole. */
    t.port = 5300;
    l7_datagram(&t, 1, ANSWER, sizeof ANSWER - 1, sizeof ANSWER - 1);
    g_assert_cmpuint(corr_l7_marks(t.l7)->len, ==, 4);
    l7_datagram(&t, 1, ANSWER, sizeof ANSWER - 1, 50);
    g_assert_cmpuint(corr_l7_marks(t.l7)->len, ==, 4);
    l7_talk_clear(&t);
}

static void say_dns_tcp(struct l7_talk *t, size_t size)
{
    SAY(t, 0, "\0\x21" QUERY "\0\x21" QUERY, size);
    SAY(t, 1, "\0\x3f" ANSWER, size);
}

static void dns_tcp(void)
{
    every_size(say_dns_tcp, 53,
               "dns 0-35 www.example.com; dns 35-70 www.example.com; dns 0-65 www.example.com");
}

/* A name that leads back to itself ends. */
static void dns_loops(void)
{
    static const char loop[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1";
    struct l7_talk t;

    l7_talk_init(&t, 53);
    l7_datagram(&t, 0, loop, sizeof loop - 1, sizeof loop - 1);
    assert_marks(&t, "");
    l7_talk_clear(&t);
}

static void quic(void)
{
    /* Initial with an empty token and 4 bytes, then Handshake with 3, in one datagram. */
    static const char both[] = "\xc3\0\0\0\1\2ab\1c\0\4wxyz\xe3\0\0\0\1\2ab\1c\3uvw";
    static const char other[] = "\xc3\0\0\0\7\2ab\1c\0\4wxyz";
    struct l7_talk t;

    l7_talk_init(&t, 443);
    l7_datagram(&t, 0, both, sizeof both - 1, sizeof both - 1);
    l7_datagram(&t, 0, other, sizeof other - 1, sizeof other - 1);
    l7_datagram(&t, 0, both, sizeof both - 1, 12);
    {
        g_autofree char *text = l7_marks(&t);
        g_assert_cmpstr(text, ==, "quic 0-30 5; quic 0-30 1");
    }
    l7_talk_clear(&t);
}

/* A frame that is taken back leaves no mark behind. */
static void taken_back(void)
{
    struct l7_talk t;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    SAY(&t, 0, GET, 1448);
    SAY(&t, 1, OK, 1448);
    corr_l7_take_back(t.l7, t.obs - 1);
    assert_marks(&t, "http-request 0-28 GET /a h");
    corr_l7_take_back(t.l7, 0);
    assert_marks(&t, "");
    l7_talk_clear(&t);
}

/* Nor does the end of a message whose beginning was taken back make one. */
static void taken_back_open(void)
{
    struct l7_talk t;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    SAY(&t, 0, GET, 1448);
    SAY(&t, 1, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 1448);
    corr_l7_take_back(t.l7, 0);
    SAY(&t, 1, "0123456789", 1448);
    assert_marks(&t, "");
    l7_talk_clear(&t);
}

/* Bytes that waited for others and were taken back are read no more. */
static void taken_back_late(void)
{
    struct l7_talk t;
    const uint8_t *d = (const uint8_t *)OK;
    uint32_t late;

    l7_talk_init(&t, 80);
    l7_handshake(&t);
    SAY(&t, 0, GET, 1448);
    late = t.obs;
    l7_packet(&t, 1, t.base[1] + 20, CORR_TCP_ACK, d + 20, sizeof OK - 21);
    corr_l7_take_back(t.l7, late);
    t.obs = late;
    g_array_set_size(t.starts, late);
    l7_packet(&t, 1, t.base[1], CORR_TCP_ACK, d, 20);
    corr_l7_finish(t.l7);
    assert_marks(&t, "http-request 0-28 GET /a h");
    l7_talk_clear(&t);
}

/* Whatever comes, marks stay in order within themselves, and nothing is read that is not there. */
static void damage(void)
{
    static void (*const says[])(struct l7_talk *, size_t) = {say_http,   say_tls, say_connect,
                                                             say_proxy2, say_h2,  say_dns_tcp};
    struct random r = {42};

    for (unsigned round = 0; round < 3000; round++) {
        struct l7_talk t;
        unsigned which = random_below(&r, G_N_ELEMENTS(says));

        l7_talk_init(&t, which == 5 ? 53 : 80);
        if (random_below(&r, 2))
            l7_handshake(&t);
        t.snap = random_below(&r, 3) ? 0 : 1 + random_below(&r, 40);
        says[which](&t, 1 + random_below(&r, 60));
        for (unsigned i = 0; i < 20; i++) {
            uint8_t noise[64];
            uint8_t dir = (uint8_t)random_below(&r, 2);

            for (unsigned k = 0; k < sizeof noise; k++)
                noise[k] = (uint8_t)(random_below(&r, 4) ? random_next(&r)
                                                         : (uint64_t) "\x16\x17\x03\x00"[k % 4]);
            l7_packet(&t, dir, t.seq[dir] + random_below(&r, 200) - 50,
                      (uint8_t)(random_below(&r, 30) ? CORR_TCP_ACK : CORR_TCP_SYN), noise,
                      random_below(&r, sizeof noise));
            l7_datagram(&t, dir, noise, sizeof noise, random_below(&r, sizeof noise));
        }
        corr_l7_finish(t.l7);
        for (unsigned i = 0; i < corr_l7_marks(t.l7)->len; i++) {
            const struct corr_mark *m = &g_array_index(corr_l7_marks(t.l7), struct corr_mark, i);

            g_assert_cmpint(m->begin, <=, m->end);
            g_assert_cmpuint(m->obs, <, t.obs);
            g_assert_cmpuint(m->kind, <, CORR_MARK_COUNT);
        }
        l7_talk_clear(&t);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/l7/http", http);
    g_test_add_func("/l7/http/out of order", http_out_of_order);
    g_test_add_func("/l7/http/holes", http_holes);
    g_test_add_func("/l7/http/cut", http_cut);
    g_test_add_func("/l7/http/near misses", http_near_misses);
    g_test_add_func("/l7/tls", tls);
    g_test_add_func("/l7/tls/hellos", tls_hellos);
    g_test_add_func("/l7/tls/holes", tls_holes);
    g_test_add_func("/l7/connect", connect_then_tls);
    g_test_add_func("/l7/starttls", starttls);
    g_test_add_func("/l7/proxy", proxy);
    g_test_add_func("/l7/http2", http2);
    g_test_add_func("/l7/http2/blocks", http2_blocks);
    g_test_add_func("/l7/dns", dns);
    g_test_add_func("/l7/dns/tcp", dns_tcp);
    g_test_add_func("/l7/dns/loops", dns_loops);
    g_test_add_func("/l7/quic", quic);
    g_test_add_func("/l7/taken back", taken_back);
    g_test_add_func("/l7/taken back-open", taken_back_open);
    g_test_add_func("/l7/taken back-late", taken_back_late);
    g_test_add_func("/l7/damage", damage);
    return g_test_run();
}
