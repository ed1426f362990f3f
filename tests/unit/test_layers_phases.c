/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_layers_phases.c - transactions of two points whose clocks are hours apart, each test a
 * picture of who says what:
 *
 *     { 30, C, "GET / HTTP/1.1\r\n\r\n" }    passes the client's point at 30 ms
 *
 * Client and server are 10 ms apart.  Bytes follow each other, and acknowledge all that
 * has come by then.  Expected: "http connect 20=20+0+0 request 0 server 25=20+5+0": the
 * duration in milliseconds, of which on the way, at the server, at the client.
 */
#include "layers/layers.h"
#include "layers/phases.h"
#include "test_layers.h"
#include "world.h"

enum { C, S };
enum { ISN_C = 1000, ISN_S = 9000000, DELAY_MS = 10 };

struct says {
    int ms, who;
    const char *what; /* "SYN", "SYNACK", "ACK": segments without data */
    unsigned misses;  /* bit n: point n does not record it */
};

struct play {
    struct world *w;
    struct way way;
    uint32_t sent[2], snap;
    unsigned n;
    const struct says *lines;
};

/* The payload of a line, or NULL: a SYN's stands behind a colon. */
static const char *payload(const struct says *l)
{
    const char *colon = strchr(l->what, ':');

    if (strncmp(l->what, "SYN", 3) == 0)
        return colon != NULL ? colon + 1 : NULL;
    return strcmp(l->what, "ACK") == 0 ? NULL : l->what;
}

static uint32_t arrived(const struct play *p, unsigned i, int who)
{
    uint32_t bytes = 0;

    for (unsigned k = 0; k < p->n; k++)
        if (p->lines[k].who == who && p->lines[k].ms + DELAY_MS <= p->lines[i].ms &&
            payload(&p->lines[k]) != NULL)
            bytes += (uint32_t)strlen(payload(&p->lines[k]));
    return bytes;
}

static void say(struct play *p, unsigned i)
{
    const struct says *l = &p->lines[i];
    bool syn = strncmp(l->what, "SYN", 3) == 0;
    const char *bytes = payload(l);
    struct shape s = l->who == C ? tcp(1, 5000, 2, 80, ACK, ISN_C + 1, ISN_S + 1)
                                 : tcp(2, 80, 1, 5000, ACK, ISN_S + 1, ISN_C + 1);

    s.seq += p->sent[l->who];
    s.ack += arrived(p, i, !l->who);
    if (syn) {
        s.seq--;
        s.tcp_flags = SYN | (l->who == C ? 0 : ACK);
        s.ack = l->who == C ? 0 : s.ack;
    }
    if (bytes != NULL) {
        s.bytes = bytes;
        s.len = (uint32_t)strlen(bytes);
        p->sent[l->who] += s.len;
    }
    s.snap = p->snap;
    s.ip_id = (uint16_t)(100 + i + 40000 * (unsigned)l->who);
    for (unsigned point = 0; point < 2; point++) {
        bool first = point == (l->who == C ? 0 : 1);

        if (!(l->misses >> point & 1))
            world_see(p->w, p->way.points[point], MS(1000 + l->ms + (first ? 0 : DELAY_MS)), &s);
    }
}

static void append_phase(const struct corr_phases *phases, const struct corr_phase *phase,
                         GString *out)
{
    int64_t way = 0;

    for (uint32_t i = 0; i < phase->n_shares; i++)
        way += g_array_index(phases->shares, struct corr_phase_share, phase->first_share + i)
                   .time_ns;
    g_string_append_printf(out, " %s %d", corr_phase_word(phase->name),
                           (int)(phase->duration_ns / MS(1)));
    if (phase->duration_ns > 0)
        g_string_append_printf(out, "=%d+%d+%d", (int)(way / MS(1)),
                               (int)(phase->server_ns / MS(1)), (int)(phase->client_ns / MS(1)));
}

/* All transactions, with what is known of them. */
static char *told(const struct corr_phases *phases)
{
    GString *out = g_string_new(NULL);

    for (uint32_t i = 0; i < phases->transactions->len; i++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, i);

        g_string_append_printf(out, "%s%s", i > 0 ? "; " : "", corr_transaction_word(t->kind));
        if (t->fast_open)
            g_string_append(out, " fast-open");
        for (uint32_t k = 0; k < t->n_phases; k++)
            append_phase(phases, corr_phases_phase(phases, t->first_phase + k), out);
    }
    return g_string_free(out, FALSE);
}

static void expect(const struct says *lines, unsigned n, uint32_t snap, const char *want)
{
    struct play p = {.w = world_new(), .n = n, .lines = lines, .snap = snap};
    uint32_t points[2] = {world_point(p.w, "client"), world_point(p.w, "server")};
    g_autofree char *got = NULL;

    p.way = way_of(points, 2, MS(DELAY_MS));
    p.w->clocks[1].offset_ns = -SEC(7200);
    for (unsigned i = 0; i < n; i++)
        say(&p, i);
    world_run(p.w);
    got = told(corr_layers_phases(corr_engine_result(p.w->engine)));
    g_assert_cmpstr(got, ==, want);
    world_free(p.w);
}
#define EXPECT(lines, snap, want) expect(lines, G_N_ELEMENTS(lines), snap, want)

#define HANDSHAKE(misses) {0, C, "SYN", misses}, {10, S, "SYNACK", misses}, {20, C, "ACK", misses}
#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void plain(void)
{
    static const struct says lines[] = {HANDSHAKE(0), {21, C, GET, 0}, {36, S, OK, 0}};

    EXPECT(lines, 0,
           "http connect 20=20+0+0 request 0 server 25=20+5+0 download 0");
}

/* RFC 7413: the request goes along with the SYN.  Nothing is said of what is not read. */
static void fast_open(void)
{
    static const struct says lines[] = {
        {0, C, "SYN:" GET, 0}, {10, S, "SYNACK", 0}, {14, S, OK, 0},
        {20, C, "ACK", 0},     {60, C, GET, 0},      {75, S, OK, 0}};

    EXPECT(lines, 0,
           "connect fast-open connect 20=20+0+0; http request 0 server 25=20+5+0 download 0");
}

/* Without the handshakes the rest is right; nothing is put in their place. */
static void handshake_missing(void)
{
    static const struct says lines[] = {
        HANDSHAKE(3), {21, C, GET, 0}, {36, S, OK, 0}, {60, C, GET, 0}, {75, S, OK, 0}};

    EXPECT(lines, 0,
           "http request 0 server 25=20+5+0 download 0; "
           "http request 0 server 25=20+5+0 download 0");
}

/* The server's point recorded the client's side only: what lies behind the client is one. */
static void one_sided(void)
{
    static const struct says lines[] = {{0, C, "SYN", 0},   {10, S, "SYNACK", 2},
                                        {20, C, "ACK", 0},  {21, C, GET, 0},
                                        {36, S, OK, 2},     {60, C, GET, 0},
                                        {75, S, OK, 2}};

    EXPECT(lines, 0,
           "http connect 20=0+20+0 request 0 server 25=0+25+0 download 0; "
           "http request 0 server 25=0+25+0 download 0");
}

/* All points recorded the client's side only: there is no response to measure. */
static void no_answers(void)
{
    static const struct says lines[] = {{0, C, "SYN", 0},  {10, S, "SYNACK", 3},
                                        {20, C, "ACK", 0}, {21, C, GET, 0},
                                        {36, S, OK, 3},    {60, C, GET, 0}};

    EXPECT(lines, 0, "http; http");
}

/* 60 bytes of each frame: 6 of the payload.  Who speaks when still shows. */
static void cut(void)
{
    static const struct says lines[] = {
        HANDSHAKE(0), {21, C, GET, 0}, {36, S, OK, 0}, {60, C, GET, 0}, {75, S, OK, 0}};

    EXPECT(lines, 60,
           "tcp connect 20=20+0+0 request 0 server 25=20+5+0 download 0; "
           "tcp request 0 server 25=20+5+0 download 0");
}

static void pipeline(void)
{
    static const struct says lines[] = {
        HANDSHAKE(0), {21, C, GET, 0}, {22, C, GET, 0}, {36, S, OK, 0}, {40, S, OK, 0}};

    EXPECT(lines, 0,
           "http connect 20=20+0+0 request 0 server 25=20+5+0 download 0; "
           "http request 0 server 4=0+4+0 download 0");
}

/*
 * Lookups: who sends what, as above; the name and the server are the same.  A query that is
 * lost on the way is missed by the server's point only.
 */
enum { A = 1, AAAA = 28 };

struct asks {
    int ms, who, type;
    uint16_t port, id;
    unsigned misses;
};

#define DNS_NAME "\3www\7example\0"

static void ask(struct world *w, const uint32_t *points, const struct asks *l, unsigned i)
{
    const uint8_t id[2] = {l->id >> 8, l->id & 255}, type[4] = {0, (uint8_t)l->type, 0, 1};
    const char *head = l->who == C ? "\1\0\0\1\0\0\0\0\0\0" : "\x81\x80\0\1\0\1\0\0\0\0";
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct shape s = l->who == C ? udp(1, l->port, 2, 53, 0) : udp(2, 53, 1, l->port, 0);

    g_byte_array_append(bytes, id, 2);
    g_byte_array_append(bytes, (const uint8_t *)head, 10);
    g_byte_array_append(bytes, (const uint8_t *)DNS_NAME, sizeof DNS_NAME - 1);
    g_byte_array_append(bytes, type, 4);
    if (l->who == S) {
        static const uint8_t rest[] = {0, 1, 0, 0, 0, 60}, address[16] = {10, 0, 0, 9};
        const uint8_t len[2] = {0, l->type == A ? 4 : 16};

        g_byte_array_append(bytes, (const uint8_t *)"\xc0\x0c", 2);
        g_byte_array_append(bytes, type, 2);
        g_byte_array_append(bytes, rest, sizeof rest);
        g_byte_array_append(bytes, len, 2);
        g_byte_array_append(bytes, address, len[1]);
    }
    s.bytes = (const char *)bytes->data;
    s.len = bytes->len;
    s.ip_id = (uint16_t)(100 + i + 40000 * (unsigned)l->who);
    for (unsigned point = 0; point < 2; point++)
        if (!(l->misses >> point & 1))
            world_see(w, points[point], MS(1000 + l->ms + ((int)point == l->who ? 0 : DELAY_MS)),
                      &s);
}

/* "again 1 dns 1020=1020+0+0": queries that were sent again, and the phase as above. */
static void expect_lookups(const struct asks *lines, unsigned n, int64_t clock, const char *want)
{
    struct world *w = world_new();
    uint32_t points[2] = {world_point(w, "client"), world_point(w, "server")};
    const struct corr_phases *phases;
    g_autoptr(GString) got = g_string_new(NULL);

    w->clocks[1].offset_ns = clock;
    for (unsigned i = 0; i < n; i++)
        ask(w, points, &lines[i], i);
    world_run(w);
    phases = corr_layers_phases(corr_engine_result(w->engine));
    for (uint32_t i = 0; i < phases->transactions->len; i++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, i);

        g_string_append_printf(got, "%sagain %u", i > 0 ? "; " : "", t->dns_tries);
        for (uint32_t k = 0; k < t->n_phases; k++)
            append_phase(phases, corr_phases_phase(phases, t->first_phase + k), got);
    }
    g_assert_cmpstr(got->str, ==, want);
    world_free(w);
}
#define LOOKUPS(lines, clock, want) expect_lookups(lines, G_N_ELEMENTS(lines), clock, want)

/* A and AAAA from one port, and other programs that ask the same before there is an answer. */
static void lookups_side_by_side(void)
{
    static const struct asks lines[] = {{0, C, A, 5000, 7, 0},   {0, C, AAAA, 5000, 8, 0},
                                        {20, C, A, 5001, 9, 0},  {80, C, A, 5002, 10, 0},
                                        {100, S, A, 5000, 7, 0}, {101, S, AAAA, 5000, 8, 0},
                                        {102, S, A, 5001, 9, 0}, {103, S, A, 5002, 10, 0}};

    LOOKUPS(lines, -SEC(7200),
            "again 0 dns 111=20+91+0; again 0 dns 92=20+72+0; again 0 dns 33=20+13+0");
}

/* The wait is the way's, which lost a query to A; that AAAA was answered says nothing. */
static void lookup_lost_beside(void)
{
    static const struct asks same[] = {{0, C, A, 5000, 7, 2},
                                       {0, C, AAAA, 5000, 8, 0},
                                       {15, S, AAAA, 5000, 8, 0},
                                       {1000, C, A, 5000, 7, 0},
                                       {1015, S, A, 5000, 7, 0}};
    static const struct asks other[] = {{0, C, A, 5000, 7, 2},
                                        {0, C, AAAA, 5000, 8, 0},
                                        {15, S, AAAA, 5000, 8, 0},
                                        {1000, C, A, 5001, 17, 0},
                                        {1015, S, A, 5001, 17, 0}};

    LOOKUPS(same, -SEC(7200), "again 1 dns 1025=1020+5+0");
    LOOKUPS(other, 0, "again 1 dns 1025=1020+5+0");
}

/* AAAA is asked when A has been answered: two turns, each with its way and its server. */
static void lookups_in_turn(void)
{
    static const struct asks lines[] = {{0, C, A, 5000, 7, 0},
                                        {15, S, A, 5000, 7, 0},
                                        {27, C, AAAA, 5000, 8, 0},
                                        {44, S, AAAA, 5000, 8, 0}};

    LOOKUPS(lines, -SEC(7200), "again 0 dns 54=40+12+2");
}

void test_layers_phases(void)
{
    g_test_add_func("/layers/phases/plain", plain);
    g_test_add_func("/layers/phases/data in the SYN", fast_open);
    g_test_add_func("/layers/phases/no handshake", handshake_missing);
    g_test_add_func("/layers/phases/one-sided point", one_sided);
    g_test_add_func("/layers/phases/no answers", no_answers);
    g_test_add_func("/layers/phases/cut", cut);
    g_test_add_func("/layers/phases/pipeline", pipeline);
    g_test_add_func("/layers/phases/lookups side by side", lookups_side_by_side);
    g_test_add_func("/layers/phases/lookup lost beside another", lookup_lost_beside);
    g_test_add_func("/layers/phases/lookups in turn", lookups_in_turn);
}
