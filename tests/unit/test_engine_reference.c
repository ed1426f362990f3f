/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_engine_reference.c - small random captures whose truth the test made,
 * and a slow, obvious matcher of what can be known.
 *
 * Two promises are tested for every seed.  No pair is wrong: frames with one
 * number show one packet.  And what is unique is found: if no other packet of
 * the capture has the same protocol, payload and sequence numbers, all its
 * sightings have one number, translated or not.
 *
 * On the way packets are lost, translated, given other sequence numbers, and cut
 * by a card; captures miss some and show others twice.  A frame's truth is the packet
 * that was sent and which piece of it the frame holds: 0 all of it.
 */
#include "test_engine.h"
#include "world.h"

#define SEEDS 240
#define MAX_PACKETS 400

struct sent {
    struct shape shape; /* as it left its sender */
    bool unique;
};

struct capture {
    struct world *w;
    struct random r;
    struct way way;
    struct sent sent[MAX_PACKETS];
    uint32_t n;
    unsigned loss; /* per thousand, at each step */
    uint32_t jitter_ns;
    uint32_t nat_at;
    uint32_t shift[2]; /* what the translator adds to sequence numbers, by direction */
    uint32_t cut_at;   /* points before it see several TCP segments in one frame; 0: none */
    unsigned miss;     /* per thousand frames that a capture loses */
    uint32_t mirror;   /* point that shows most frames twice; CORR_NONE */
    bool dense;        /* equal packets follow each other soon, though further than jitter */
};

static struct capture *current;

/* Source translation of the hosts below 10.0.0.8 before points[nat_at]. */
static void translate(struct shape *s, unsigned i, bool back)
{
    if (current->nat_at == 0 || i != current->nat_at)
        return;
    if (s->proto == TCP && !back) {
        s->seq += current->shift[0];
        s->ack += s->tcp_flags & ACK ? current->shift[1] : 0;
    } else if (s->proto == TCP) {
        s->seq -= current->shift[1];
        s->ack -= current->shift[0];
    }
    if (!back && s->src < ip(8)) {
        s->src_port = (uint16_t)(s->src_port + 20000 + 100 * (s->src - ip(0)));
        s->src = ip(200);
    } else if (back && s->dst == ip(200)) {
        uint32_t host = (s->dst_port - 20000u - 5000u) / 100;

        s->dst = ip(host);
        s->dst_port = (uint16_t)(s->dst_port - 20000 - 100 * host);
    }
}

static struct shape outside(struct shape s)
{
    translate(&s, current->nat_at, false);
    return s;
}

#define PIECES 16u /* frames that one packet is cut into, at most, and the whole */
#define MSS 1400u

/* The rest of a way, from points[from] on; the packet left points[from - 1] as `shape`. */
static void send_rest(struct capture *c, int64_t at, struct shape shape, unsigned from,
                      unsigned until)
{
    struct way way = c->way;

    way.n -= from;
    for (unsigned i = 0; i < from; i++)
        at += c->way.delay_ns[i];
    memmove(way.points, way.points + from, way.n * sizeof *way.points);
    memmove(way.delay_ns, way.delay_ns + from, way.n * sizeof *way.delay_ns);
    way.rewrite = NULL;
    if (c->nat_at > from) /* cut first, translated later: not in these captures */
        return;
    if (until > from)
        walk(c->w, &way, at, shape, until - from);
}

/* A frame that the sender's card cuts: one before points[cut_at], several from there on. */
static void send_large(struct capture *c, int64_t at, struct shape s)
{
    struct way whole = c->way;
    unsigned n = (s.len + MSS - 1) / MSS;

    whole.n = c->cut_at;
    walk(c->w, &whole, at, s, whole.n);
    for (unsigned i = 0; i < n; i++) {
        struct shape piece = s;
        unsigned until = c->way.n;

        piece.seq += i * MSS;
        piece.content_at += i * MSS;
        piece.len = MIN(MSS, s.len - i * MSS);
        piece.ip_id = (uint16_t)(s.ip_id + i);
        for (unsigned k = c->cut_at; k < c->way.n && until == c->way.n; k++)
            if (random_below(&c->r, 1000) < c->loss)
                until = k;
        c->w->truth = (c->n - 1) * PIECES + i + 1;
        send_rest(c, at + US(12) * i, piece, c->cut_at, until);
    }
}

static void send(struct capture *c, int64_t at, struct shape s, bool back)
{
    struct way way = c->way;
    unsigned until = way.n;

    if (c->n == MAX_PACKETS)
        return;
    for (unsigned i = 0; i < way.n; i++) {
        way.delay_ns[i] += random_below(&c->r, c->jitter_ns + 1);
        if (i > 0 && until == way.n && random_below(&c->r, 1000) < c->loss)
            until = i;
    }
    c->w->truth = c->n * PIECES;
    c->sent[c->n++].shape = s;
    if (back)
        walk_back(c->w, &way, at, s, until);
    else if (c->cut_at > 0 && s.proto == TCP && s.len > MSS)
        send_large(c, at, s);
    else
        walk(c->w, &way, at, s, until);
}

/* Captures lose some frames, and a mirror shows most of its frames twice. */
static void captures_spoil(struct capture *c)
{
    GArray *seen = c->w->seen;
    uint32_t n = seen->len;

    for (uint32_t i = 0; c->mirror != CORR_NONE && i < n; i++) {
        struct world_frame copy = g_array_index(seen, struct world_frame, i);

        if (copy.point != c->mirror || random_below(&c->r, 10) == 0)
            continue;
        copy.time_ns += US(3);
        copy.true_ns += US(3);
        copy.merged_ns += US(3);
        g_array_append_val(seen, copy);
    }
    for (uint32_t i = seen->len; c->miss > 0 && i-- > 0;)
        if (random_below(&c->r, 1000) < c->miss)
            g_array_remove_index(seen, i);
}

static void udp_flow(struct capture *c, unsigned flow)
{
    struct shape s = udp(1 + flow % 7, (uint16_t)(5000 + flow), 9 + flow % 3, 53, 0), t;
    unsigned n = 2 + random_below(&c->r, 12);
    int64_t at = MS(random_below(&c->r, 3000));
    bool numbered = random_below(&c->r, c->dense ? 2 : 3) > 0;
    bool alike = c->dense ? numbered : random_below(&c->r, 3) == 0;

    for (unsigned i = 0; i < n; i++) {
        t = outside(s);
        t = turned(&t);
        s.content = 1000 * (flow + 1) + (alike ? i % 3 : i);
        t.content = s.content + 500000;
        s.len = 60 + random_below(&c->r, 900);
        if (alike)
            s.len = 100;
        t.len = s.len + 1;
        s.ip_id = (uint16_t)(numbered ? 1 + random_below(&c->r, 65535) : 0);
        t.ip_id = (uint16_t)(numbered ? 1 + random_below(&c->r, 65535) : 0);
        send(c, at, s, false);
        send(c, at + MS(20), t, true);
        at += c->dense ? MS(2) + US(random_below(&c->r, 3000))
                       : MS(30) + US(random_below(&c->r, 100000));
    }
}

static void tcp_flow(struct capture *c, unsigned flow)
{
    uint32_t isn = (uint32_t)random_next(&c->r), isn2 = (uint32_t)random_next(&c->r);
    struct shape s = tcp(1 + flow % 7, (uint16_t)(5000 + flow), 9 + flow % 3, 80, SYN, isn, 0), t;
    int64_t at = MS(random_below(&c->r, 3000));
    unsigned n = 2 + random_below(&c->r, 10);
    uint16_t id = (uint16_t)random_next(&c->r), id2 = (uint16_t)random_next(&c->r);
    bool stamped = random_below(&c->r, 2);

    t = outside(s);
    t = turned(&t);
    s.ip_id = id++;
    send(c, at, s, false);
    t.tcp_flags = SYN | ACK;
    t.seq = isn2 + (c->nat_at ? c->shift[1] : 0);
    t.ack = isn + 1 + (c->nat_at ? c->shift[0] : 0);
    send(c, at + MS(20), t, true);
    s.tcp_flags = t.tcp_flags = ACK;
    s.seq = isn + 1;
    s.ack = isn2 + 1;
    s.content = 7000000 + flow;
    t.content = 8000000 + flow;
    s.ts = t.ts = stamped;
    for (unsigned i = 0; i < n; i++) {
        unsigned times = random_below(&c->r, 6) == 0 ? 2 : 1;

        at += MS(50) + US(random_below(&c->r, 50000));
        s.len = 1 + random_below(&c->r, c->cut_at > 0 ? 6 * MSS : 1400);
        s.content_at = s.seq - isn - 1;
        for (unsigned k = 0; k < times; k++) { /* sent again later, sometimes */
            s.ip_id = id;
            id = (uint16_t)(id + (s.len + MSS - 1) / MSS);
            s.tsval = 1000 + (uint32_t)((at + (int64_t)k * MS(300)) / 1000000);
            send(c, at + (int64_t)k * MS(300), s, false);
        }
        at += (int64_t)(times - 1) * MS(300);
        s.seq += s.len;
        t.seq = s.ack + (c->nat_at ? c->shift[1] : 0);
        t.ack = s.seq + (c->nat_at ? c->shift[0] : 0);
        t.len = 1 + random_below(&c->r, 1400);
        t.content_at = s.ack - isn2 - 1;
        t.ip_id = id2++;
        t.tsval = 9000 + (uint32_t)(at / 1000000);
        t.tsecr = s.tsval;
        send(c, at + MS(25), t, true);
        s.ack += t.len;
        s.tsecr = t.tsval;
    }
}

static struct capture *capture_new(uint64_t seed, bool dense, bool cut)
{
    struct capture *c = g_new0(struct capture, 1);
    uint32_t points[6];
    unsigned n, flows;

    current = c;
    c->dense = dense;
    c->r.state = seed * UINT64_C(0x9e3779b97f4a7c15);
    c->w = world_new();
    n = 2 + random_below(&c->r, 4);
    for (unsigned i = 0; i < n; i++) {
        char name[] = {'p', (char)('0' + i), 0};
        struct world_clock *clock = &c->w->clocks[i];

        points[i] = world_point(c->w, name);
        if (random_below(&c->r, 2))
            clock->offset_ns = (int64_t)random_below(&c->r, 2000000000) - 1000000000;
        if (random_below(&c->r, 4) == 0)
            clock->offset_ns += SEC(3600) * (int64_t)random_below(&c->r, 10);
        clock->drift_ppm = (double)random_below(&c->r, 100) - 50;
    }
    c->way = way_of(points, n, US(200 + random_below(&c->r, 3000)));
    c->way.routed = random_below(&c->r, 4) > 0;
    c->way.rewrite = translate;
    c->jitter_ns = random_below(&c->r, dense ? 40000 : 400000);
    c->loss = random_below(&c->r, 2) ? random_below(&c->r, dense ? 80 : 30) : 0;
    c->nat_at = random_below(&c->r, 2) ? 1 + random_below(&c->r, n - 1) : 0;
    c->mirror = random_below(&c->r, 4) == 0 ? random_below(&c->r, n) : CORR_NONE;
    c->miss = random_below(&c->r, 3) == 0 ? 1 + random_below(&c->r, 50) : 0;
    if (random_below(&c->r, 3) == 0)
        for (unsigned d = 0; d < 2; d++)
            c->shift[d] = (uint32_t)random_next(&c->r);
    if (cut) {
        c->cut_at = 1;
        c->nat_at = 0;
    }
    flows = 1 + random_below(&c->r, 10);
    for (unsigned f = 0; f < flows; f++)
        if (random_below(&c->r, 2))
            udp_flow(c, f);
        else
            tcp_flow(c, f);
    return c;
}

static bool alike(const struct shape *a, const struct shape *b)
{
    return a->proto == b->proto && a->len == b->len && a->content == b->content &&
           a->content_at == b->content_at && a->seq == b->seq && a->ack == b->ack &&
           a->tcp_flags == b->tcp_flags;
}

/* TCP bytes that are sent again, in other cuts too, are not unique. */
static bool overlaps(const struct shape *a, const struct shape *b)
{
    return a->proto == TCP && b->proto == TCP && a->content == b->content && a->len > 0 &&
           a->content_at < b->content_at + b->len && b->content_at < a->content_at + a->len;
}

static void uniques_find(struct capture *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        c->sent[i].unique = true;
        for (uint32_t k = 0; k < c->n; k++)
            if (k != i && (alike(&c->sent[i].shape, &c->sent[k].shape) ||
                           overlaps(&c->sent[i].shape, &c->sent[k].shape)))
                c->sent[i].unique = false;
    }
}

struct score {
    unsigned pairs, wrong, unique, found;
};

static const char *shape_text(const struct shape *s)
{
    static char text[160];

    g_snprintf(text, sizeof text, "proto %u ...%u:%u > ...%u:%u id %u seq %u len %u flags %u",
               s->proto, s->src & 255, s->src_port, s->dst & 255, s->dst_port, s->ip_id, s->seq,
               s->len, s->tcp_flags);
    return text;
}

/* Do two frames show one packet, among those that they hold? */
static bool told_same(const struct world *w, uint32_t i, uint32_t k)
{
    const struct corr_result *r = corr_engine_result(w->engine);
    uint32_t a = (uint32_t)(world_obs(w, i) - corr_store_obs(r->store, 0));
    uint32_t b = (uint32_t)(world_obs(w, k) - corr_store_obs(r->store, 0));

    for (uint32_t x = r->obs_first[a]; x < r->obs_first[a + 1]; x++)
        for (uint32_t y = r->obs_first[b]; y < r->obs_first[b + 1]; y++)
            if (corr_result_sighting(r, r->obs_sightings[x])->packet ==
                corr_result_sighting(r, r->obs_sightings[y])->packet)
                return true;
    return false;
}

static struct score compare(struct capture *c, uint64_t seed, bool loud)
{
    struct score score = {0};
    const struct world_frame *seen = (const struct world_frame *)c->w->seen->data;

    for (uint32_t i = 0; i < c->w->seen->len; i++)
        for (uint32_t k = 0; k < i; k++) {
            uint32_t a = seen[i].truth % PIECES, b = seen[k].truth % PIECES;
            bool truth =
                seen[i].truth / PIECES == seen[k].truth / PIECES && (a == 0 || b == 0 || a == b);
            bool told = told_same(c->w, i, k);
            const struct sent *sent = &c->sent[seen[i].truth / PIECES];

            score.pairs += truth;
            if (told && !truth) {
                score.wrong++;
                if (loud)
                    g_printerr("seed %u: frames %u and %u are no pair: %s\n", (unsigned)seed,
                               seen[k].number, seen[i].number, shape_text(&sent->shape));
            }
            if (!truth || !sent->unique)
                continue;
            score.unique++;
            score.found += told;
            if (loud && !told)
                g_printerr("seed %u: frames %u and %u are a pair: %s\n", (unsigned)seed,
                           seen[k].number, seen[i].number, shape_text(&sent->shape));
        }
    return score;
}

static void random_captures(bool dense, bool cut)
{
    const char *one = g_getenv("CORR_SEED");
    uint64_t first = one != NULL ? g_ascii_strtoull(one, NULL, 10) : 1;
    uint64_t last = one != NULL ? first : SEEDS;
    struct score sum = {0};
    unsigned bad_seeds = 0;

    for (uint64_t seed = first; seed <= last; seed++) {
        struct capture *c = capture_new(seed, dense, cut);
        struct score score;

        captures_spoil(c);
        world_run(c->w);
        uniques_find(c);
        score = compare(c, seed, one != NULL);
        if (score.wrong > 0 || score.found < score.unique) {
            bad_seeds++;
            g_printerr("seed %u: %u points%s%s, %u frames: %u wrong pairs, %u of %u unique ones "
                       "missing\n",
                       (unsigned)seed, c->way.n, c->nat_at ? ", NAT" : "",
                       c->way.routed ? "" : ", bridged", c->w->seen->len, score.wrong,
                       score.unique - score.found, score.unique);
        }
        sum.pairs += score.pairs;
        sum.wrong += score.wrong;
        sum.unique += score.unique;
        sum.found += score.found;
        world_free(c->w);
        g_free(c);
    }
    g_test_message("%u true pairs, %u unique, %u found, %u wrong", sum.pairs, sum.unique, sum.found,
                   sum.wrong);
    g_assert_cmpuint(sum.wrong, ==, 0);
    g_assert_cmpuint(sum.found, ==, sum.unique);
    g_assert_cmpuint(bad_seeds, ==, 0);
}

static void random_sparse(void)
{
    random_captures(false, false);
}

static void random_dense(void)
{
    random_captures(true, false);
}

static void random_cut(void)
{
    random_captures(false, true);
}

void add_reference_tests(void)
{
    g_test_add_func("/engine/reference/no wrong pair ever, and all unique ones found",
                    random_sparse);
    g_test_add_func("/engine/reference/many equal packets that have an identification: no wrong "
                    "pair",
                    random_dense);
    g_test_add_func("/engine/reference/a card cuts segments: every piece is found, none is wrong",
                    random_cut);
}
