/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_path_clock_random.c - many networks with many wrong clocks: offsets, drift, steps and
 * slews.  Every offset and latency must lie within its bound, and bounds must be sharp.
 */
#include <math.h>
#include <stdlib.h>

#include "test_path.h"
#include "world.h"

/* How far from the truth a bound may end: rounding, and clocks that are no perfect line. */
#define SLACK US(3)

struct trial {
    unsigned n_points, n_packets;
    int64_t duration_ns, segment_ns[WORLD_POINTS]; /* delay from the point before; least */
    int64_t back_ns[WORLD_POINTS];                 /* the same on the way back */
    double jitter;                                 /* mean of the delays above the least, of it */
};

static double unit(struct random *r)
{
    return (double)(random_next(r) >> 11) / (double)(UINT64_C(1) << 53);
}

/* Between low and high, every order of magnitude as likely as another. */
static double spread(struct random *r, double low, double high)
{
    return low * pow(high / low, unit(r));
}

static int64_t clock_of(const struct world *w, uint32_t point, int64_t at)
{
    return world_clock_at(&w->clocks[point], at);
}

/* A fifth of the packets meets no queue. */
static int64_t queued(struct random *r, int64_t least, double jitter)
{
    return unit(r) < 0.2 ? least : least - (int64_t)(log1p(-unit(r)) * jitter * (double)least);
}

static void traffic(struct world *w, const struct trial *t, struct random *r)
{
    for (unsigned i = 0; i < t->n_packets; i++) {
        int64_t at = (int64_t)((double)i * (double)t->duration_ns / t->n_packets);
        struct shape p = udp(1, 5000, 2, 53, 1 + i), q = turned(&p);

        q.content += 1000000000;
        p.ip_id = (uint16_t)(i + 1);
        q.ip_id = (uint16_t)(i + 30000);
        for (unsigned k = 0; k < t->n_points; k++) {
            at += k > 0 ? queued(r, t->segment_ns[k], t->jitter) : 0;
            p.ttl = (uint8_t)(64 - k);
            world_see(w, k, at, &p);
        }
        at += US(100);
        for (unsigned k = t->n_points; k-- > 0;) {
            at += k + 1 < t->n_points ? queued(r, t->back_ns[k + 1], t->jitter) : 0;
            q.ttl = (uint8_t)(64 - (t->n_points - k));
            world_see(w, k, at, &q);
        }
    }
}

static int64_t round_trip(const struct trial *t, uint32_t p, uint32_t q)
{
    int64_t sum = 0;

    for (uint32_t k = MIN(p, q) + 1; k <= MAX(p, q); k++)
        sum += t->segment_ns[k] + t->back_ns[k];
    return sum;
}

/* As a reader of the points table does it: the piece, its middle, its drift. */
static bool reader(const GArray *pieces, int64_t at, int64_t *offset, int64_t *error)
{
    const struct corr_clock_piece *best = NULL;

    for (guint i = 0; i < pieces->len; i++) {
        const struct corr_clock_piece *piece = &g_array_index(pieces, struct corr_clock_piece, i);

        if (best == NULL || piece->from_ns <= at)
            best = piece;
    }
    if (best == NULL)
        return false;
    *offset = best->offset_ns;
    if (best->has_drift)
        *offset += (int64_t)(best->drift_ppm * 1e-6 *
                             (double)(at - (best->from_ns + (best->to_ns - best->from_ns) / 2)));
    *error = best->error_ns;
    return true;
}

/* Returns how many offsets are outside of their bound; counts bounds that are not sharp. */
static unsigned points_check(const struct world *w, const struct trial *t, const char *what,
                             unsigned *blunt)
{
    const struct corr_result *r = corr_engine_result(w->engine);
    uint32_t ref = r->clock_reference;
    unsigned wrong = 0;

    for (uint32_t q = 0; q < t->n_points; q++) {
        enum corr_clock_status status;
        GArray *pieces = corr_result_clock_pieces(r, q, &status);

        for (unsigned i = 0; q != ref && i <= 20; i++) {
            int64_t at = t->duration_ns * i / 20, offset = 0, error = 0;
            bool unsure = false;
            int64_t truth = clock_of(w, q, at) - clock_of(w, ref, at);

            /* Just then the clock is set; a piece begins somewhere near. */
            for (uint32_t k = 0; k < t->n_points; k++)
                unsure |= w->clocks[k].step_ns != 0 &&
                          llabs(at - w->clocks[k].step_at_ns) <
                              t->duration_ns / 40 + 2 * t->duration_ns / t->n_packets;
            if (unsure)
                continue;
            if (!reader(pieces, WORLD_BASE_NS + at + clock_of(w, ref, at), &offset, &error) ||
                llabs(offset - truth) > error + SLACK) {
                g_test_message("%s: offset of %u to %u at %u %%: %.3f us off, bound %.3f us", what,
                               q, ref, i * 5, (double)(offset - truth) / 1e3, (double)error / 1e3);
                wrong++;
            }
            if (i == 10 && (double)error > 1.5 * (double)(round_trip(t, q, ref) / 2 + US(20))) {
                g_test_message("%s: bound of %u to %u is %.3f us for a round trip of %.3f us", what,
                               q, ref, (double)error / 1e3, (double)round_trip(t, q, ref) / 1e3);
                (*blunt)++;
            }
        }
        g_array_unref(pieces);
    }
    return wrong;
}

/* Returns how many latencies are outside of their bound, if that are too many. */
static unsigned latencies_check(const struct world *w, const struct trial *t, const char *what)
{
    uint32_t n = 0, wrong = 0;

    for (uint32_t i = 0; i < w->seen->len; i++) {
        const struct corr_sighting *s = world_sighting(w, i);
        struct corr_latency found;
        int64_t latency = g_array_index(w->seen, struct world_frame, i).true_ns -
                          (i > 0 ? g_array_index(w->seen, struct world_frame, i - 1).true_ns : 0);

        if (i % t->n_points == 0)
            continue;
        n++;
        found = corr_result_latency(corr_engine_result(w->engine), s);
        wrong += found.known && llabs(found.ns - latency) > found.error_ns + SLACK;
    }
    if (wrong * 1000 > n)
        g_test_message("%s: %u of %u latencies outside their bound", what, wrong, n);
    return wrong * 1000 > n ? wrong : 0;
}

/* Does something to a clock. */
typedef void spoiler(struct world *w, const struct trial *t, struct random *r);

static bool trial(uint64_t seed, spoiler *spoil, unsigned *blunt)
{
    struct random r = {seed};
    struct trial t = {.n_points = 2 + random_below(&r, 5)};
    struct world *w = world_new();
    g_autofree char *what = g_strdup_printf("seed %u", (unsigned)seed);
    unsigned wrong, blunt_points = 0;

    t.duration_ns = (int64_t)spread(&r, 5e9, 120e9);
    t.n_packets = (unsigned)spread(&r, 60, 1500);
    t.jitter = spread(&r, 0.02, 2);
    for (unsigned k = 0; k < t.n_points; k++) {
        g_autofree char *name = g_strdup_printf("p%u", k);
        double delay = spread(&r, 25e3, 150e6 / t.n_points);

        world_point(w, name);
        t.segment_ns[k] = (int64_t)delay;
        t.back_ns[k] = unit(&r) < 0.3 ? (int64_t)(delay * spread(&r, 0.2, 5)) : t.segment_ns[k];
        w->clocks[k].offset_ns = unit(&r) < 0.5 ? 0 : (int64_t)((unit(&r) - 0.5) * 2 * 36e12);
        w->clocks[k].drift_ppm = unit(&r) < 0.3 ? 0 : (unit(&r) - 0.5) * 400;
    }
    if (spoil != NULL)
        spoil(w, &t, &r);
    traffic(w, &t, &r);
    world_run(w);
    wrong = points_check(w, &t, what, &blunt_points) + latencies_check(w, &t, what);
    *blunt += blunt_points > 0;
    world_free(w);
    return wrong == 0;
}

static void steps(struct world *w, const struct trial *t, struct random *r)
{
    unsigned k = random_below(r, t->n_points);

    w->clocks[k].step_at_ns = (int64_t)((0.1 + 0.8 * unit(r)) * (double)t->duration_ns);
    w->clocks[k].step_ns = (int64_t)(spread(r, 20e3, 3e9) * (unit(r) < 0.5 ? -1 : 1));
}

static void slews(struct world *w, const struct trial *t, struct random *r)
{
    unsigned k = random_below(r, t->n_points);

    w->clocks[k].slew_from_ns = (int64_t)((0.1 + 0.4 * unit(r)) * (double)t->duration_ns);
    w->clocks[k].slew_to_ns = w->clocks[k].slew_from_ns + (int64_t)(0.3 * (double)t->duration_ns);
    w->clocks[k].slew_ppm = unit(r) < 0.5 ? 500 : -500;
    w->clocks[k].drift_ppm = 0;
}

/* CORR_TRIALS=n tries more; CORR_SEED=n tries one. */
static void many(spoiler *spoil, unsigned most_wrong, unsigned most_blunt)
{
    const char *trials = getenv("CORR_TRIALS"), *only = getenv("CORR_SEED");
    unsigned n = 0, wrong = 0, blunt = 0;
    uint64_t from = only ? (uint64_t)atoll(only) : 1;
    uint64_t to = only ? from : trials ? (uint64_t)atoll(trials) : 60;

    for (uint64_t seed = from; seed <= to; seed++, n++)
        wrong += !trial(seed, spoil, &blunt);
    g_test_message("of %u trials %u wrong, %u not sharp", n, wrong, blunt);
    g_assert_cmpuint(wrong * 100, <=, most_wrong * n);
    g_assert_cmpuint(blunt * 100, <=, most_blunt * n);
}

static void lines(void)
{
    many(NULL, 0, 0);
}

static void set(void)
{
    many(steps, 0, 2);
}

static void slewed(void)
{
    many(slews, 0, 50);
}

void add_clock_random_tests(void)
{
    g_test_add_func("/path/clock/random/offset and drift", lines);
    g_test_add_func("/path/clock/random/steps", set);
    g_test_add_func("/path/clock/random/slews", slewed);
}
