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

void test_layers_phases(void)
{
    g_test_add_func("/layers/phases/plain", plain);
    g_test_add_func("/layers/phases/data in the SYN", fast_open);
    g_test_add_func("/layers/phases/no handshake", handshake_missing);
    g_test_add_func("/layers/phases/one-sided point", one_sided);
    g_test_add_func("/layers/phases/no answers", no_answers);
    g_test_add_func("/layers/phases/cut", cut);
    g_test_add_func("/layers/phases/pipeline", pipeline);
}
