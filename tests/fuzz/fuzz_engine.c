/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_engine.c - captures of damaged, duplicated, reordered and truncated
 * frames at one to six points: after every step the engine must keep its
 * promises, answer for every frame, and render every table.
 *
 *     fuzz_engine              rounds 1 to 400, for 20 seconds at most
 *     fuzz_engine 17           round 17 alone, to repeat what went wrong
 *     fuzz_engine 1 100000 600 rounds 1 to 100000, for 600 seconds at most
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "frames.h"
#include "l7_talk.h"
#include "report/report.h"
#include "world.h"

#define STOCK 4096 /* frames that later ones are made from */

struct fuzz {
    struct corr_engine *engine;
    struct corr_view *view;
    struct random r;
    GPtrArray *stock; /* struct piece * */
    uint32_t points[6], n_points, number;
    int64_t now;
    unsigned round, damage; /* per hundred frames */
    uint64_t frames, answers;
};

struct piece {
    uint32_t link;
    GByteArray *bytes;
};

static const char *const layers[] = {
    "eth ip4 udp:53 data:40",
    "eth ip4 tcp data:300",
    "eth ip6 tcp data:300",
    "eth ip6 udp:53 data:90",
    "eth ip4 echo data:56",
    "eth ip6 reply data:56",
    "eth t8100 x0064TT ip4 tcp data:10",
    "eth t8847 x000101ff ip4 udp:9 data:30",
    "eth ip4 udp:4789 x0800000000004d00 eth ip4 udp:2000 data:64",
    "eth ip4 udp:2152 x30ffL000000001 ip4 tcp data:120",
    "eth ip4 p2f x0000TT ip4 udp:7 data:99",
    "eth t0806 x0001080006040001020000000001 data:14",
};

static void piece_free(void *data)
{
    struct piece *piece = data;

    g_byte_array_unref(piece->bytes);
    g_free(piece);
}

static uint32_t below(struct fuzz *f, uint32_t n)
{
    return random_below(&f->r, n);
}

static bool chance(struct fuzz *f, unsigned percent)
{
    return below(f, 100) < percent;
}

static struct piece *fresh(struct fuzz *f)
{
    struct piece *piece = g_new0(struct piece, 1);
    struct shape s = {
        .src = ip(1 + below(f, 4)), .dst = ip(5 + below(f, 4)), .content = below(f, 9)};
    struct shape quoted = udp(1, 5000, 5, 53, 1);

    piece->link = 1;
    piece->bytes = g_byte_array_new();
    if (chance(f, 15)) {
        struct frame frame;

        build(&frame, layers[below(f, G_N_ELEMENTS(layers))]);
        g_byte_array_append(piece->bytes, frame.bytes, frame.len);
        return piece;
    }
    s.src_port = (uint16_t)(5000 + below(f, 4));
    s.dst_port = chance(f, 70) ? 80 : 53;
    s.len = below(f, 6) * 100;
    s.ttl = (uint8_t)(1 + below(f, 5) * 60);
    s.ip_id = (uint16_t)below(f, 30);
    s.proto = chance(f, 60) ? TCP : chance(f, 60) ? UDP : ICMP;
    if (s.proto == TCP) {
        static const uint8_t flags[] = {ACK,       ACK,       ACK, ACK | PSH, SYN,
                                        SYN | ACK, FIN | ACK, RST, 0};

        s.tcp_flags = flags[below(f, sizeof flags)];
        s.content_at = below(f, 40) * 50;
        s.seq = (chance(f, 50) ? 1000 : UINT32_MAX - 500) + s.content_at;
        s.ack = below(f, 40) * 50;
        s.ts = chance(f, 50);
        s.tsval = below(f, 20);
        if (chance(f, 5))
            s.len = 1 + below(f, 60000);
    } else if (s.proto == ICMP) {
        static const uint8_t types[] = {0, 8, 3, 11, 5};

        s.icmp_type = types[below(f, sizeof types)];
        s.icmp_code = (uint8_t)below(f, 5);
        s.seq = below(f, 20);
        quoted.ip_id = (uint16_t)below(f, 30);
        if (s.icmp_type != 0 && s.icmp_type != 8)
            s.quote = &quoted;
    }
    if (s.proto == UDP && chance(f, 20)) {
        s.len = 3000;
        s.frag_at = below(f, 3) * 1480;
        s.frag_len = MIN(1480, 3008 - s.frag_at);
        s.frag_more = chance(f, 70);
    }
    if (chance(f, 40)) {
        struct shape back = turned(&s);

        s = back;
    }
    shape_bytes(&s, piece->bytes);
    return piece;
}

/* What is said in some protocol: by the client (0) or the server (1), over TCP or UDP. */
struct saying {
    uint8_t who, proto;
    const char *bytes;
    size_t len;
};
/* clang-format off */
#define SAYS(who, bytes) {who, TCP, bytes, sizeof bytes - 1}
#define SENDS(who, bytes) {who, UDP, bytes, sizeof bytes - 1}
#define SAYS_HELLO(who) {who, TCP, NULL, 0}
/* clang-format on */
#define GET "GET /a HTTP/1.1\r\nHost: h\r\nX-Request-ID: 17\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsomething"
#define QUESTION "\x12\x34\1\0\0\1\0\0\0\0\0\0\1h\0\0\1\0\1"
#define ANSWER "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1h\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\0\0\5"

static const struct saying talks[][8] = {
    {SAYS(0, GET), SAYS(1, OK), SAYS(0, GET), SAYS(1, OK)},
    {SAYS(0, GET GET GET), SAYS(1, OK), SAYS(1, OK OK)},
    {SAYS(0, GET), SAYS(1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"),
     SAYS(1, "3;x=y\r\nfgh\r\n0\r\n\r\n"), SAYS(0, GET), SAYS(1, "HTTP/1.0 304 Not\r\n\r\n")},
    {SAYS(0, "PUT /u HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"),
     SAYS(1, "HTTP/1.1 100 Continue\r\n\r\n"), SAYS(0, "body"), SAYS(1, OK)},
    {SAYS(0, "CONNECT h:443 HTTP/1.1\r\n\r\n"), SAYS(1, "HTTP/1.1 200 OK\r\n\r\n"), SAYS_HELLO(0),
     SAYS_HELLO(1), SAYS(1, FINISHED), SAYS(0, FINISHED), SAYS(0, FINISHED), SAYS(1, FINISHED)},
    {SAYS(1, "220 ready\r\n"), SAYS(0, "STARTTLS\r\n"), SAYS(1, "220 go\r\n"), SAYS_HELLO(0),
     SAYS_HELLO(1), SAYS(1, FINISHED), SAYS(0, FINISHED FINISHED), SAYS(1, FINISHED)},
    {SAYS_HELLO(0), SAYS_HELLO(1), SAYS(1, "\x16\3\3\0\4\x0e\0\0\0"),
     SAYS(0, "\x16\3\3\0\4\x10\0\0\0\x14\3\3\0\1\1\x16\3\3\0\3abc"),
     SAYS(1, "\x14\3\3\0\1\1\x16\3\3\0\3abc"), SAYS(0, "\x17\3\3\0\3abc"),
     SAYS(1, "\x17\3\3\0\5abcde"), SAYS(1, "\x15\3\3\0\2\1\0")},
    {SAYS(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\1\1\5\0\0\0\1\x82"),
     SAYS(1, "\0\0\0\4\0\0\0\0\0\0\0\1\1\4\0\0\0\1\x88\0\0\3\0\1\0\0\0\1xyz")},
    {SAYS(0, "PROXY TCP4 10.0.0.1 10.0.0.5 5001 80\r\n" GET), SAYS(1, OK)},
    {SENDS(0, QUESTION), SENDS(1, ANSWER), SAYS(0, GET), SAYS(1, OK)},
    {SAYS(0, "\0\x13" QUESTION), SAYS(1, "\0\x23" ANSWER), SAYS(0, "\0\x13" QUESTION)},
    {SENDS(0, "\xc3\0\0\0\1\2ab\1c\0\4wxyz"), SENDS(1, "\xe3\0\0\0\1\2ab\1c\3uvw"),
     SENDS(0, "\xe3\0\0\0\1\2ab\1c\3uvw"), SENDS(1, "\x43uvwxyz")},
    {SAYS(0, "some question"), SAYS(1, "an answer"), SAYS(0, "another"), SAYS(1, "and so on")},
};

static void observe(struct fuzz *f, const struct piece *piece)
{
    struct corr_frame frame = {.number = f->number, .link = piece->link, .has_time = true};
    uint32_t len = piece->bytes->len;
    uint8_t *copy; /* of exactly the captured bytes, so that a sanitizer sees what is read */

    frame.point = f->points[below(f, f->n_points)];
    f->now += chance(f, 3) ? (int64_t)(random_next(&f->r) >> below(f, 40)) % SEC(100)
                           : (int64_t)below(f, 2000000);
    frame.time_ns = f->now + (chance(f, 10) ? -(int64_t)below(f, 50000000) : 0);
    if (chance(f, f->damage) && chance(f, 2)) {
        frame.time_ns = (int64_t)random_next(&f->r);
        frame.has_time = chance(f, 80);
    }
    frame.wire_len = frame.cap_len = len;
    if (chance(f, f->damage) && chance(f, 40))
        frame.cap_len = below(f, len + 1);
    if (chance(f, f->damage) && chance(f, 5))
        frame.wire_len = below(f, 70000);
    if (chance(f, f->damage) && chance(f, 5))
        frame.link = below(f, 300);
    frame.has_packet_id = chance(f, 2);
    frame.packet_id = below(f, 10);
    copy = g_malloc(frame.cap_len + (size_t)(frame.cap_len == 0));
    if (frame.cap_len > 0)
        memcpy(copy, piece->bytes->data, frame.cap_len);
    for (unsigned i = 0; chance(f, f->damage) && i < 4 && frame.cap_len > 0; i++)
        copy[below(f, chance(f, 70) ? MIN(frame.cap_len, 80) : frame.cap_len)] ^=
            (uint8_t)(1u << below(f, 8));
    frame.data = copy;
    corr_engine_observe(f->engine, &frame);
    g_free(copy);
    f->frames++;
    f->number += 1 + (chance(f, 2) ? below(f, 5) : 0);
    if (chance(f, 1) && chance(f, 30))
        f->number -= below(f, MIN(f->number, 40)); /* the file's reader refused some */
}

/* A segment of the talk, at some of the points; sometimes twice, damaged, or kept for later. */
static void talk_segment(struct fuzz *f, struct shape *s)
{
    struct piece *piece = g_new0(struct piece, 1);
    unsigned copies = chance(f, 90) ? f->n_points : below(f, 8);

    piece->link = 1;
    piece->bytes = g_byte_array_new();
    s->ip_id = (uint16_t)random_next(&f->r);
    shape_bytes(s, piece->bytes);
    for (unsigned i = 0; i < copies; i++)
        observe(f, piece);
    if (f->stock->len < STOCK)
        g_ptr_array_add(f->stock, piece);
    else
        piece_free(piece);
}

/* One of the talks in segments of some size, acknowledged, its bytes changed here and there. */
static void talk_play(struct fuzz *f)
{
    const struct saying *talk = talks[below(f, G_N_ELEMENTS(talks))];
    struct shape side[2], datagram = udp(1 + below(f, 2), (uint16_t)(5000 + below(f, 4)),
                                         5 + below(f, 2), chance(f, 70) ? 53 : 443, 0);
    uint32_t size = 1 + below(f, 90);

    side[0] = tcp(datagram.src - ip(0), (uint16_t)(5000 + below(f, 4)), datagram.dst - ip(0),
                  chance(f, 50) ? 80 : 443, ACK, 1000, 9000);
    side[1] = turned(&side[0]);
    side[1].seq = 9000;
    side[1].ack = 1000;
    if (chance(f, 70)) {
        struct shape syn = side[0], answer = side[1];

        syn.seq--;
        syn.tcp_flags = SYN;
        answer.seq--;
        answer.tcp_flags = SYN | ACK;
        talk_segment(f, &syn);
        talk_segment(f, &answer);
    }
    for (unsigned i = 0; i < 8 && talk[i].proto != 0; i++) {
        const struct saying *says = &talk[i];
        g_autoptr(GByteArray) bytes = NULL;
        bool client = says->who == 0;

        if (says->bytes == NULL && client)
            bytes = l7_hello(1, CLIENT_EXTENSIONS, sizeof CLIENT_EXTENSIONS - 1, false);
        else if (says->bytes == NULL)
            bytes = l7_hello(2, SERVER_EXTENSIONS, sizeof SERVER_EXTENSIONS - 1, false);
        else
            bytes = g_byte_array_append(g_byte_array_new(), (const uint8_t *)says->bytes,
                                        (guint)says->len);
        while (chance(f, f->damage / 2))
            bytes->data[below(f, bytes->len)] = (uint8_t)random_next(&f->r);
        if (says->proto == UDP) {
            struct shape d = client ? datagram : turned(&datagram);

            d.bytes = bytes->data;
            d.len = bytes->len;
            talk_segment(f, &d);
            continue;
        }
        for (uint32_t at = 0; at < bytes->len; at += size) {
            struct shape s = side[says->who];

            s.bytes = bytes->data + at;
            s.len = MIN(size, bytes->len - at);
            if (!chance(f, f->damage / 8))
                talk_segment(f, &s);
            side[says->who].seq += s.len;
            side[!says->who].ack = side[says->who].seq;
        }
    }
}

static void tables_render(struct fuzz *f, const struct corr_frame_set *set)
{
    for (unsigned t = 0; t < corr_table_count; t++) {
        struct corr_report_table *built = corr_report_build(f->engine, corr_tables[t], set);
        char *text = corr_render_text(built), *csv = corr_render_csv(built);

        if (!g_str_has_suffix(text, "\n") || !g_str_has_suffix(csv, "\n") ||
            !g_utf8_validate(text, -1, NULL))
            g_error("round %u: table %s ends without a newline, or is no text", f->round,
                    corr_tables[t]->key);
        g_free(text);
        g_free(csv);
        corr_report_table_free(built);
    }
}

static void settle_and_ask(struct fuzz *f)
{
    struct corr_frame_set *set = corr_frame_set_new();
    uint32_t last = corr_engine_last_frame(f->engine);
    char *broken, *dump, *again;

    corr_engine_settle(f->engine);
    broken = corr_engine_check(f->engine);
    if (broken != NULL)
        g_error("round %u, frame %u: %s", f->round, last, broken);
    for (uint32_t i = 0; i <= last + 1; i++) {
        corr_engine_lookup(f->engine, i, CORR_WANT_ALL, f->view);
        f->answers += f->view->values->len;
        for (unsigned v = 0; v < f->view->values->len; v++) {
            const struct corr_value *value = &g_array_index(f->view->values, struct corr_value, v);

            if (corr_field_infos[value->field].type == CORR_TYPE_FRAME &&
                (value->u32 == 0 || value->u32 > last))
                g_error("round %u, frame %u: %s is frame %u of %u", f->round, i,
                        corr_field_infos[value->field].name, value->u32, last);
            if (value->field == CORR_FIELD_hop_latency && value->ns < 0)
                g_error("round %u, frame %u: negative latency", f->round, i);
        }
        if (i % 3 == 0)
            corr_frame_set_add(set, i);
    }
    dump = world_dump(f->engine);
    again = world_dump(f->engine);
    if (strcmp(dump, again) != 0)
        g_error("round %u: two dumps differ", f->round);
    free(dump);
    free(again);
    tables_render(f, NULL);
    tables_render(f, set);
    corr_frame_set_free(set);
}

static void round_run(struct fuzz *f, unsigned round)
{
    struct corr_config config = {0};
    unsigned steps, per_step;

    f->round = round;
    f->r.state = round * UINT64_C(0x9e3779b97f4a7c15);
    f->number = 1;
    f->now = WORLD_BASE_NS;
    f->n_points = 1 + below(f, 6);
    f->damage = below(f, 4) * 20;
    if (chance(f, 5))
        config.max_observations = 1 + below(f, 100);
    f->engine = corr_engine_new(&config);
    f->view = corr_view_new();
    f->stock = g_ptr_array_new_with_free_func(piece_free);
    for (uint32_t i = 0; i < f->n_points; i++)
        f->points[i] = corr_engine_add_point(f->engine, i % 2, i / 2, chance(f, 50) ? "eth0" : "p");
    steps = 1 + below(f, 4);
    per_step = round % 16 == 0 ? 1500 : 1 + below(f, 150);
    for (unsigned s = 0; s < steps; s++) {
        for (unsigned i = 0; i < per_step; i++) {
            if (chance(f, 3))
                talk_play(f);
            /* Mostly what was seen before, or nobody would have anything to match. */
            if (f->stock->len == 0 || (f->stock->len < STOCK && chance(f, 35)))
                g_ptr_array_add(f->stock, fresh(f));
            observe(f, g_ptr_array_index(f->stock,
                                         chance(f, 70)
                                             ? f->stock->len - 1 - below(f, MIN(f->stock->len, 6))
                                             : below(f, f->stock->len)));
        }
        settle_and_ask(f);
    }
    corr_engine_free(f->engine);
    corr_view_free(f->view);
    g_ptr_array_unref(f->stock);
}

int main(int argc, char **argv)
{
    struct fuzz f = {0};
    unsigned first = argc > 1 ? (unsigned)atoi(argv[1]) : 1, round;
    unsigned last = argc > 2 ? (unsigned)atoi(argv[2]) : argc > 1 ? first : 400;
    double seconds = argc > 3 ? atof(argv[3]) : 20;

    for (round = first; round <= last; round++) {
        round_run(&f, round);
        if ((double)clock() / CLOCKS_PER_SEC > seconds)
            break;
    }
    printf("rounds %u to %u: %" G_GUINT64_FORMAT " frames, %" G_GUINT64_FORMAT " answers\n", first,
           MIN(round, last), f.frames, f.answers);
    return f.answers > 0 ? 0 : 1;
}
