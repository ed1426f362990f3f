/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_layers_tcp.c - what TCP's events are at two points, each test a picture:
 *
 *     time  who  bytes          acknowledges  window  reaches   at client, at server
 *     { 10, C,   0, 100,        0,            500,    2,        "", "" }
 *
 * The client's and the server's streams begin with byte 0 after the handshake.
 * Client and server are points 10 ms apart; "-" is a point that the packet did
 * not reach.  A time is when the packet passes the point next to its sender.
 */
#include "layers/layers.h"
#include "layers/ranges.h"
#include "layers/tcp.h"
#include "test_layers.h"
#include "world.h"

enum { C, S };
enum { ISN_C = 1000, ISN_S = 9000000 };

struct line {
    int ms, who;
    uint32_t from, len, ack;
    uint16_t window;
    unsigned reaches; /* points */
    const char *at_client, *at_server;
};

static char *words(const struct corr_tcp *tcp, uint32_t obs)
{
    GString *text = g_string_new(NULL);

    for (unsigned e = 0; e < CORR_TCP_EVENT_COUNT; e++)
        if (tcp->events[obs] & 1u << e)
            g_string_append_printf(text, "%s%s", text->len ? " " : "", corr_tcp_event_word(e));
    return g_string_free(text, FALSE);
}

static uint32_t send_line(struct world *w, const struct way *way, const struct line *l, unsigned n)
{
    bool client = l->who == C;
    struct shape p = client ? tcp(1, 5000, 2, 80, ACK, ISN_C + 1 + l->from, ISN_S + 1 + l->ack)
                            : tcp(2, 80, 1, 5000, ACK, ISN_S + 1 + l->from, ISN_C + 1 + l->ack);

    p.len = l->len;
    p.content = client ? 1 : 2;
    p.content_at = l->from;
    p.window = l->window;
    p.ip_id = (uint16_t)((client ? 100 : 40000) + n);
    return client ? walk(w, way, MS(100 + l->ms), p, l->reaches)
                  : walk_back(w, way, MS(100 + l->ms), p, l->reaches);
}

/* Plays the picture and checks it; the world is given back for more questions. */
static struct world *play(const struct line *lines, unsigned n)
{
    struct world *w = world_new();
    uint32_t points[2] = {world_point(w, "client"), world_point(w, "server")}, seen[64];
    struct way way = way_of(points, 2, MS(10));
    const struct corr_tcp *t;

    walk(w, &way, 0, tcp(1, 5000, 2, 80, SYN, ISN_C, 0), 2);
    walk_back(w, &way, MS(20), tcp(2, 80, 1, 5000, SYN | ACK, ISN_S, ISN_C + 1), 2);
    walk(w, &way, MS(40), tcp(1, 5000, 2, 80, ACK, ISN_C + 1, ISN_S + 1), 2);
    for (unsigned i = 0; i < n; i++)
        seen[i] = send_line(w, &way, &lines[i], i);
    world_run(w);
    t = corr_layers_tcp(corr_engine_result(w->engine));
    for (unsigned i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        const char *wanted[2] = {l->who == C ? l->at_client : l->at_server,
                                 l->who == C ? l->at_server : l->at_client};

        for (unsigned k = 0; k < l->reaches; k++) {
            const struct corr_sighting *s = world_sighting(w, seen[i] + k);
            g_autofree char *got = words(t, s->obs);
            if (strcmp(got, wanted[k]) != 0)
                g_error("line %u, point %u of its way: \"%s\", not \"%s\"", i, k, got, wanted[k]);
        }
        g_assert_true(l->reaches == 2 || strcmp(wanted[1], "-") == 0);
    }
    return w;
}

#define PLAY(lines) play(lines, G_N_ELEMENTS(lines))

static const struct corr_tcp *answers(const struct world *w)
{
    return corr_layers_tcp(corr_engine_result(w->engine));
}

#define FAST "retransmission fast_retransmission"
#define TIMER "retransmission timeout_retransmission"

static void nothing_lost_is_no_event(void)
{
    static const struct line lines[] = {
        {0, C, 0, 100, 0, 500, 2, "", ""},    {20, S, 0, 0, 100, 500, 2, "", ""},
        {21, S, 0, 300, 100, 500, 2, "", ""}, {45, C, 100, 0, 300, 500, 2, "", ""},
        {50, C, 100, 1, 300, 500, 2, "", ""}, {70, S, 300, 0, 101, 499, 2, "", ""},
    };
    struct world *w = PLAY(lines);
    const struct corr_tcp_conv *c = corr_tcp_conv_of(answers(w), 0);

    for (unsigned dir = 0; dir < 2; dir++)
        g_assert_cmpuint(corr_tcp_way_of(answers(w), 0, dir)->n_incidents, ==, 0);
    g_assert_true(c->has_rtt_server && c->has_rtt_client);
    g_assert_cmpint(c->rtt_server_ns, ==, MS(30));
    g_assert_cmpint(c->rtt_client_ns, ==, MS(10));
    g_assert_cmpint(corr_tcp_flow_of(answers(w), 0)->handshake, ==, CORR_TCP_HANDSHAKE_NORMAL);
    world_free(w);
}

static void lost_and_repeated_fast(void)
{
    static const struct line lines[] = {
        {0, C, 0, 100, 0, 900, 2, "", ""},
        {1, C, 100, 100, 0, 900, 1, "", "-"},
        {2, C, 200, 100, 0, 900, 2, "", "lost_segment"},
        {3, C, 300, 100, 0, 900, 2, "", ""},
        {4, C, 400, 50, 0, 900, 2, "", ""},
        {20, S, 0, 0, 100, 900, 2, "", ""},
        {21, S, 0, 0, 100, 900, 2, "duplicate_ack", "duplicate_ack"},
        {22, S, 0, 0, 100, 900, 2, "duplicate_ack", "duplicate_ack"},
        {23, S, 0, 0, 100, 900, 2, "duplicate_ack", "duplicate_ack"},
        {34, C, 100, 100, 0, 900, 2, FAST, FAST},
        {54, S, 0, 0, 450, 900, 2, "", ""},
    };
    struct world *w = PLAY(lines);
    const struct corr_tcp_way *way = corr_tcp_way_of(answers(w), 0, 0);
    const struct corr_tcp_incident *incident;
    uint32_t n;

    g_assert_cmpuint(way->counts[CORR_TCP_EVENT_RETRANSMISSION], ==, 1);
    g_assert_cmpuint(way->counts[CORR_TCP_EVENT_DUPLICATE_ACK], ==, 3);
    incident =
        corr_tcp_incidents(answers(w), 0, 0, WORLD_BASE_NS + MS(134), WORLD_BASE_NS + MS(134), &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpuint(incident->lost_after, ==, 0);
    g_assert_cmpuint(incident->lost_before, ==, 1);
    g_assert_cmpuint(incident->original_frame, >, 0);
    world_free(w);
}

static void tail_is_repeated_by_timer(void)
{
    static const struct line lines[] = {
        {0, C, 0, 100, 0, 500, 2, "", ""},     {20, S, 0, 0, 100, 500, 2, "", ""},
        {35, C, 100, 100, 0, 500, 1, "", "-"}, {300, C, 100, 100, 0, 500, 2, TIMER, TIMER},
        {320, S, 0, 0, 200, 500, 2, "", ""},
    };
    struct world *w = PLAY(lines);
    const struct corr_tcp_stall *stall;
    uint32_t n;

    stall = corr_tcp_stalls(answers(w), 0, 0, INT64_MIN, INT64_MAX, &n);
    g_assert_cmpuint(n, >=, 1);
    stall += n - 1;
    g_assert_cmpint(stall->cause, ==, CORR_TCP_STALL_TIMEOUT);
    g_assert_cmpint(stall->to_ns - stall->from_ns, ==, MS(265));
    g_assert_cmpuint(stall->lost_before, ==, 1);
    world_free(w);
}

/* The receiver's acknowledgement was lost, not the data. */
static void needless_repetition(void)
{
    static const struct line lines[] = {
        {0, C, 0, 100, 0, 500, 2, "", ""},
        {20, S, 0, 0, 100, 500, 1, "-", ""},
        {300, C, 0, 100, 0, 500, 2, TIMER " spurious_retransmission",
         TIMER " spurious_retransmission"},
        {320, S, 0, 0, 100, 500, 2, "", "duplicate_ack"},
    };

    world_free(PLAY(lines));
}

/* Two segments change places between the points: in order here, overtaken there. */
static void overtaken_in_between(void)
{
    struct world *w = world_new();
    uint32_t points[2] = {world_point(w, "client"), world_point(w, "server")};
    struct way way = way_of(points, 2, MS(10));
    static const struct line first[] = {{0, C, 0, 100, 0, 500, 2, "", ""},
                                        {1, C, 100, 100, 0, 500, 2, "", ""}};
    static const struct line slow = {2, C, 200, 100, 0, 500, 2, "", ""};
    static const struct line fast = {3, C, 300, 100, 0, 500, 2, "", ""};
    uint32_t late;

    walk(w, &way, 0, tcp(1, 5000, 2, 80, SYN, ISN_C, 0), 2);
    walk_back(w, &way, MS(20), tcp(2, 80, 1, 5000, SYN | ACK, ISN_S, ISN_C + 1), 2);
    walk(w, &way, MS(40), tcp(1, 5000, 2, 80, ACK, ISN_C + 1, ISN_S + 1), 2);
    send_line(w, &way, &first[0], 0);
    send_line(w, &way, &first[1], 1);
    way.delay_ns[1] = MS(14);
    late = send_line(w, &way, &slow, 2);
    way.delay_ns[1] = MS(10);
    send_line(w, &way, &fast, 3);
    world_run(w);
    const struct corr_tcp *t = answers(w);
    const struct corr_tcp_way *sent = corr_tcp_way_of(t, 0, 0);

    g_assert_cmpuint(t->events[world_sighting(w, late)->obs], ==, 0);
    g_assert_cmpuint(t->events[world_sighting(w, late + 1)->obs], ==, CORR_TCP_BIT(OUT_OF_ORDER));
    g_assert_cmpuint(sent->counts[CORR_TCP_EVENT_OUT_OF_ORDER], ==, 1);
    g_assert_cmpuint(sent->counts[CORR_TCP_EVENT_RETRANSMISSION], ==, 0);
    world_free(w);
}

static void closed_window(void)
{
    static const struct line lines[] = {
        {0, C, 0, 400, 0, 500, 2, "", ""},
        {10, C, 400, 100, 0, 500, 2, "window_full", "window_full"},
        {30, S, 0, 0, 500, 0, 2, "zero_window", "zero_window"},
        {240, C, 500, 1, 0, 500, 2, "zero_window_probe", "zero_window_probe"},
        {260, S, 0, 0, 500, 0, 2, "zero_window", "zero_window"},
        {800, S, 0, 0, 500, 500, 2, "", ""},
        {811, C, 500, 100, 0, 500, 2, "", ""},
        {830, S, 0, 0, 600, 500, 2, "", ""},
    };
    struct world *w = PLAY(lines);
    const struct corr_tcp_stall *stall;
    struct corr_tcp_room room;
    uint32_t n;

    room = corr_tcp_room(answers(w), 0, 0, INT64_MIN, INT64_MAX);
    g_assert_true(room.known);
    g_assert_cmpuint(room.min_bytes, ==, 0);
    g_assert_cmpint(room.zero_ns, ==, MS(770));
    stall = corr_tcp_stalls(answers(w), 0, 0, INT64_MIN, INT64_MAX, &n);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpint(stall[0].cause, ==, CORR_TCP_STALL_RECEIVER);
    g_assert_cmpint(stall[1].cause, ==, CORR_TCP_STALL_RECEIVER);
    g_assert_cmpint(stall[1].to_ns - stall[1].from_ns, ==, MS(801));
    world_free(w);
}

static void keep_alives(void)
{
    static const struct line lines[] = {
        {0, C, 0, 100, 0, 500, 2, "", ""},
        {20, S, 0, 0, 100, 500, 2, "", ""},
        {5000, C, 99, 0, 0, 500, 2, "keep_alive", "keep_alive"},
        {5020, S, 0, 0, 100, 500, 2, "keep_alive_ack", "keep_alive_ack"},
        {6000, C, 100, 1, 0, 500, 1, "", "-"},
        /* A byte that is outstanding is no question whether the peer lives. */
        {6300, C, 100, 1, 0, 500, 2, TIMER, TIMER},
        {6320, S, 0, 0, 101, 500, 2, "", ""},
    };

    world_free(PLAY(lines));
}

/* The capture missed it, the network did not: acknowledged, and never sent again. */
static void missed_by_the_capture(void)
{
    static const struct line lines[] = {
        {0, C, 0, 100, 0, 500, 2, "", ""},
        {20, S, 0, 0, 100, 500, 2, "", ""},
        {40, C, 200, 100, 0, 500, 2, "lost_segment", "lost_segment"},
        {60, S, 0, 0, 300, 500, 2, "ack_lost_segment", "ack_lost_segment"},
    };

    world_free(PLAY(lines));
}

static void ranges(void)
{
    GArray *r = corr_ranges_new();

    corr_ranges_add(r, 10, 20);
    corr_ranges_add(r, 30, 40);
    corr_ranges_add(r, 50, 50);
    g_assert_cmpuint(r->len, ==, 2);
    corr_ranges_add(r, 20, 30); /* touches both */
    g_assert_cmpuint(r->len, ==, 1);
    g_assert_cmpint(corr_ranges_bytes(r), ==, 30);
    corr_ranges_remove(r, 15, 35);
    g_assert_cmpuint(r->len, ==, 2);
    g_assert_cmpint(corr_ranges_overlap(r, 0, 100), ==, 10);
    g_assert_cmpint(corr_ranges_overlap(r, 14, 36), ==, 2);
    corr_ranges_remove(r, 0, 100);
    g_assert_cmpuint(r->len, ==, 0);
    g_array_unref(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/layers/tcp/nothing-lost", nothing_lost_is_no_event);
    g_test_add_func("/layers/tcp/fast", lost_and_repeated_fast);
    g_test_add_func("/layers/tcp/timer", tail_is_repeated_by_timer);
    g_test_add_func("/layers/tcp/needless", needless_repetition);
    g_test_add_func("/layers/tcp/overtaken", overtaken_in_between);
    g_test_add_func("/layers/tcp/closed-window", closed_window);
    g_test_add_func("/layers/tcp/keep-alive", keep_alives);
    g_test_add_func("/layers/tcp/missed", missed_by_the_capture);
    g_test_add_func("/layers/tcp/ranges", ranges);
    test_layers_rtt();
    test_layers_phases();
    return g_test_run();
}
