/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From cells to instances: which sightings of equal content are one packet?
 *
 * A cell in which every station has one sighting leaves no choice; it is only
 * asked whether the sightings can be one packet at all.  Otherwise the stations
 * are taken one after the other along the path, and the sightings of the next
 * one are aligned with the instances so far: order is kept, pairs score by what
 * headers and delays say, and a pair counts only if it stands in nearly all
 * alignments, weighed by their likelihood.  Where spacing is below jitter and no
 * header tells copies apart, no pair does, and the instances are ambiguous.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "match/assign.h"
#include "match/learn.h"
#include "path/order.h"

/* Copies can be told apart by time where their distance is so many times the jitter. */
#define RESOLVED 8
/* Sightings of one cell at two stations whose product is larger are not aligned. */
#define ALIGN_MAX 4000000u

/* An instance while its cell is being assigned. */
struct growing {
    GArray *obs; /* uint32_t, one per station */
    bool ambiguous;
    int64_t when;      /* expected time at the station that is asked next */
    int64_t spread_ns; /* how far other packets of the flow are from theirs; 0 unknown */
};

static uint32_t growing_last(const struct growing *g)
{
    return g_array_index(g->obs, uint32_t, g->obs->len - 1);
}

static int growing_compare(const void *x, const void *y)
{
    const struct growing *a = *(struct growing *const *)x, *b = *(struct growing *const *)y;

    if (a->when != b->when)
        return a->when < b->when ? -1 : 1;
    return growing_last(a) < growing_last(b) ? -1 : growing_last(a) > growing_last(b);
}

static void growing_add(GPtrArray *instances, uint32_t obs)
{
    struct growing *g = g_new0(struct growing, 1);

    g->obs = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_array_append_val(g->obs, obs);
    g_ptr_array_add(instances, g);
}

static void growing_free(void *data)
{
    struct growing *g = data;

    g_array_unref(g->obs);
    g_free(g);
}

static void expect_at(const struct corr_work *work, struct growing *g, uint32_t next,
                      uint32_t flow_dir)
{
    const struct corr_obs *last = corr_store_obs(work->store, growing_last(g));
    const struct corr_obs *at = corr_store_obs(work->store, next);
    struct corr_expectation expect;

    g->when = last->time_ns;
    if (last->point != at->point &&
        corr_delay_expect(work, growing_last(g), next, flow_dir, &expect)) {
        g->when += expect.d_ns;
        g->spread_ns = expect.spread_ns;
    }
}

/*
 * Copies that an IP ID (or time stamp) names are paired first: they may have
 * been reordered, which an order-preserving alignment could not say.
 */
static uint64_t name_of(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);
    const struct corr_extra *extra = corr_store_extra(work->store, obs);

    if (extra != NULL && extra->has_packet_id)
        return extra->packet_id + 1;

    if (!(obs->have & CORR_HAVE_IP_ID) || obs->ip_id == 0)
        return 0;
    return (uint64_t)obs->ip_id + 1;
}

static void named_pair(const struct corr_work *work, const struct corr_cell *cell,
                       GPtrArray *instances, const uint32_t *next, uint32_t n, bool *taken)
{
    GHashTable *by_name = g_hash_table_new(g_direct_hash, g_direct_equal);
    GHashTable *mine = g_hash_table_new(g_direct_hash, g_direct_equal);

    for (uint32_t k = 0; k < n; k++) {
        gpointer name = GSIZE_TO_POINTER(name_of(work, next[k]));

        if (name != NULL)
            g_hash_table_replace(
                by_name, name, GSIZE_TO_POINTER(g_hash_table_contains(by_name, name) ? 0 : k + 1));
    }
    for (uint32_t i = 0; i < instances->len; i++) {
        gpointer name =
            GSIZE_TO_POINTER(name_of(work, growing_last(g_ptr_array_index(instances, i))));

        g_hash_table_replace(
            mine, name, GSIZE_TO_POINTER(GPOINTER_TO_SIZE(g_hash_table_lookup(mine, name)) + 1));
    }
    for (uint32_t i = 0; i < instances->len; i++) {
        struct growing *g = g_ptr_array_index(instances, i);
        gpointer name = GSIZE_TO_POINTER(name_of(work, growing_last(g)));
        size_t k = GPOINTER_TO_SIZE(g_hash_table_lookup(by_name, name));

        if (name == NULL || k == 0 || GPOINTER_TO_SIZE(g_hash_table_lookup(mine, name)) != 1)
            continue;
        if (corr_pair_score(work, cell, growing_last(g), next[k - 1], 0) > 2 * CORR_SCORE_GAP + 6) {
            g_array_append_val(g->obs, next[k - 1]);
            taken[k - 1] = true;
        }
    }
    g_hash_table_destroy(by_name);
    g_hash_table_destroy(mine);
}

static int double_compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return a < b ? -1 : a > b;
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof *values, double_compare);
    return n > 0 ? values[n / 2] : 0;
}

/*
 * How far arrivals are from the nearest expected time, in the middle: the jitter,
 * as long as it is small beside the distance of the copies.  Otherwise the nearest
 * is not the right one, and time must not tell: the scale becomes that wide.
 */
static double jitter_of(const struct corr_work *work, const GPtrArray *open, const uint32_t *rest,
                        uint32_t n, bool *resolved)
{
    double *off = g_new(double, n + 1), *gaps = g_new(double, open->len + n + 1), jitter, spacing,
           spread;
    uint32_t at = 0, n_gaps = 0;

    for (uint32_t k = 0; k < n; k++) {
        int64_t t = corr_store_obs(work->store, rest[k])->time_ns;

#define WHEN(i) (((const struct growing *)g_ptr_array_index(open, i))->when)
        while (at + 1 < open->len && WHEN(at + 1) <= t)
            at++;
        off[k] = fabs((double)(t - WHEN(at)));
        if (at + 1 < open->len)
            off[k] = fmin(off[k], fabs((double)(WHEN(at + 1) - t)));
        if (k > 0)
            gaps[n_gaps++] = fabs((double)(t - corr_store_obs(work->store, rest[k - 1])->time_ns));
    }
    for (uint32_t i = 1; i < open->len; i++)
        gaps[n_gaps++] = (double)(WHEN(i) - WHEN(i - 1));
#undef WHEN
    jitter = fmax(1.5 * median(off, n), 1);
    spacing = median(gaps, n_gaps);
    g_free(off);
    g_free(gaps);
    spread = 1.5 * (double)((const struct growing *)g_ptr_array_index(open, 0))->spread_ns;
    *resolved = n_gaps == 0 || fmax(jitter, spread) * RESOLVED <= spacing;
    return *resolved ? jitter : fmax(fmax(jitter, spread), 4 * spacing);
}

/* The sightings of one more station join the instances. */
static void station_join(const struct corr_work *work, const struct corr_cell *cell,
                         GPtrArray *instances, const uint32_t *next, uint32_t n)
{
    bool *taken = g_new0(bool, n + 1);
    GPtrArray *open = g_ptr_array_new();
    GArray *rest = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    uint32_t conv = work->result->obs_conv[next[0]];

    named_pair(work, cell, instances, next, n, taken);
    for (uint32_t i = 0; i < instances->len; i++) {
        struct growing *g = g_ptr_array_index(instances, i);

        if (work->result->obs_conv[growing_last(g)] == conv)
            continue;
        expect_at(work, g, next[0], cell->flow * 2 + cell->dir);
        g_ptr_array_add(open, g);
    }
    for (uint32_t k = 0; k < n; k++)
        if (!taken[k])
            g_array_append_val(rest, next[k]);
    g_ptr_array_sort(open, growing_compare);
    if (open->len > 0 && rest->len > 0) {
        uint32_t m = open->len, w = rest->len;
        bool too_many = (uint64_t)m * w > ALIGN_MAX;
        double *score = g_new(double, too_many ? 1 : 2 * (size_t)m * w), *pair = score;
        bool resolved;
        double jitter = jitter_of(work, open, (const uint32_t *)rest->data, w, &resolved);

        if (!too_many) {
            pair = score + (size_t)m * w;
            for (uint32_t i = 0; i < m; i++)
                for (uint32_t k = 0; k < w; k++)
                    score[(size_t)i * w + k] =
                        corr_pair_score(work, cell, growing_last(g_ptr_array_index(open, i)),
                                        g_array_index(rest, uint32_t, k), jitter);
            corr_align(score, m, w, pair);
            if (!resolved)
                corr_align_refuse_exchanges(score, m, w, pair);
        }
        for (uint32_t k = 0; k < w; k++) {
            uint32_t obs = g_array_index(rest, uint32_t, k);
            double best = 0, sum = 0;
            uint32_t who = 0;

            for (uint32_t i = 0; !too_many && i < m; i++) {
                double p = pair[(size_t)i * w + k];

                sum += p;
                if (p > best) {
                    best = p;
                    who = i;
                }
            }
            if (best >= CORR_ALIGN_SURE) {
                g_array_append_val(((struct growing *)g_ptr_array_index(open, who))->obs, obs);
                continue;
            }
            growing_add(instances, obs);
            if (too_many || sum > 1 - CORR_ALIGN_SURE)
                ((struct growing *)g_ptr_array_index(instances, instances->len - 1))->ambiguous =
                    true;
        }
        for (uint32_t i = 0; i < m; i++) {
            struct growing *g = g_ptr_array_index(open, i);
            double best = 0, sum = 0;

            for (uint32_t k = 0; !too_many && k < w; k++) {
                best = fmax(best, pair[(size_t)i * w + k]);
                sum += pair[(size_t)i * w + k];
            }
            if (too_many || (best < CORR_ALIGN_SURE && sum > 1 - CORR_ALIGN_SURE))
                g->ambiguous = true;
        }
        g_free(score);
    } else {
        for (uint32_t k = 0; k < rest->len; k++)
            growing_add(instances, g_array_index(rest, uint32_t, k));
    }
    g_ptr_array_unref(open);
    g_array_unref(rest);
    g_free(taken);
}

static uint8_t method_of(const struct corr_work *work, const struct corr_cell *cell,
                         const uint32_t *obs, uint32_t n)
{
    const struct corr_conv *first = corr_result_conv(work->result, work->result->obs_conv[obs[0]]);
    bool flip = work->result->conv_flip[work->result->obs_conv[obs[0]]];
    bool translated = false, numbered = true, known;

    if (n < 2)
        return CORR_METHOD_NONE;
    for (uint32_t i = 1; i < n && numbered; i++)
        numbered = corr_pair_numbered(work, obs[i - 1], obs[i], &known);
    if (numbered)
        return CORR_METHOD_PACKET_ID;
    if (cell->choice)
        return CORR_METHOD_ALIGNED;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t c = work->result->obs_conv[obs[i]];
        const struct corr_conv *conv = corr_result_conv(work->result, c);
        bool other = flip ^ work->result->conv_flip[c];

        if (cell->to > cell->from && corr_work_len(work, obs[i]) != corr_work_len(work, obs[0]))
            return CORR_METHOD_RANGE;
        for (unsigned e = 0; e < 2; e++)
            translated |= !corr_addr_equal(&first->end[e].addr, &conv->end[e ^ other].addr) ||
                          first->end[e].port != conv->end[e ^ other].port;
        translated |= cell->range && corr_store_obs(work->store, obs[i])->seq !=
                                         corr_store_obs(work->store, obs[0])->seq;
        for (unsigned d = 0; d < 2; d++)
            translated |= work->dseq[c][d] != work->dseq[work->result->obs_conv[obs[0]]][d ^ other];
    }
    return translated ? CORR_METHOD_TRANSLATED : CORR_METHOD_EXACT;
}

/* Might this sighting, seen alone, be one that another point shows among several tenants'? */
static bool is_doubtful(const struct corr_work *work, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);
    const struct corr_doubt *doubt = &work->doubts[work->result->obs_conv[i]];

    return corr_result_conv(work->result, work->result->obs_conv[i])->mixed ||
           (doubt->mixed != CORR_NONE &&
            work->conv_seq[doubt->mixed].ttl[obs->dir ^ doubt->flip] != 0);
}

static void instance_add(struct corr_work *work, uint32_t cell_index, const uint32_t *obs,
                         uint32_t n, bool ambiguous, uint32_t candidates)
{
    const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, cell_index);
    struct corr_instance instance = {
        .cell = cell_index,
        .first = work->chosen->len,
        .n = n,
        .ambiguous = ambiguous,
        .method = method_of(work, cell, obs, n),
        .candidates = (uint8_t)MIN(candidates, 255),
    };
    uint32_t *chosen;

    if (n == 1 && is_doubtful(work, obs[0])) {
        instance.ambiguous = true;
        instance.candidates = (uint8_t)MIN(MAX(candidates, 2), 255);
    }
    g_array_append_vals(work->chosen, obs, n);
    /* In one order wherever they come from, so that neighbouring ranges compare. */
    chosen = &g_array_index(work->chosen, uint32_t, instance.first);
    for (uint32_t i = 1; i < n; i++) {
        uint32_t one = chosen[i], k = i;

        for (; k > 0 && chosen[k - 1] > one; k--)
            chosen[k] = chosen[k - 1];
        chosen[k] = one;
    }
    g_array_append_val(work->instances, instance);
}

/* One sighting per station: taken as one packet, unless something speaks against it. */
static void cell_take(struct corr_work *work, uint32_t c, const uint32_t *obs, uint32_t n,
                      bool informed)
{
    const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);
    bool fits = true;

    for (uint32_t i = 1; i < n && fits; i++) {
        const struct corr_obs *a = corr_store_obs(work->store, obs[i - 1]);
        const struct corr_obs *b = corr_store_obs(work->store, obs[i]);

        if (!informed || corr_pair_shifted(work, cell, obs[i - 1], obs[i]))
            fits = !corr_pair_left_link(work, obs[i - 1], obs[i]) &&
                   !corr_pair_shifted(work, cell, obs[i - 1], obs[i]) &&
                   !corr_pair_split_handshake(work, obs[i - 1], obs[i]);
        else if (!(a->have & b->have & CORR_HAVE_IP_ID && a->ip_id == b->ip_id && a->ip_id != 0 &&
                   a->dfull == b->dfull) ||
                 corr_pair_left_link(work, obs[i - 1], obs[i]))
            fits = corr_pair_score(work, cell, obs[i - 1], obs[i], 0) > 2 * CORR_SCORE_GAP;
    }
    if (fits) {
        instance_add(work, c, obs, n, false, 1);
        return;
    }
    {
        GPtrArray *instances = g_ptr_array_new_with_free_func(growing_free);

        growing_add(instances, obs[0]);
        for (uint32_t i = 1; i < n; i++)
            station_join(work, cell, instances, &obs[i], 1);
        for (uint32_t i = 0; i < instances->len; i++) {
            const struct growing *g = g_ptr_array_index(instances, i);

            instance_add(work, c, (const uint32_t *)g->obs->data, g->obs->len, false, 1);
        }
        g_ptr_array_unref(instances);
    }
}

/* A run of one station's sightings in the list of a cell. */
struct run {
    uint32_t first, n, conv;
};

struct run_order {
    const struct corr_result *result;
    uint32_t flow;
    unsigned dir;
};

/* Stations along the path: each after all that are known to precede it (n is small). */
static void runs_sort(struct run *runs, uint32_t n, const struct run_order *by)
{
    for (uint32_t done = 0; done < n; done++) {
        uint32_t pick = done;

        for (uint32_t i = done; i < n; i++) {
            bool first = true;

            for (uint32_t k = done; k < n && first; k++)
                first = corr_order_compare(by->result, by->flow, by->dir, runs[k].conv,
                                           runs[i].conv) >= 0;
            if (first) {
                pick = i;
                break;
            }
        }
        {
            struct run run = runs[pick];

            memmove(&runs[done + 1], &runs[done], (pick - done) * sizeof *runs);
            runs[done] = run;
        }
    }
}

static void cell_divide(struct corr_work *work, uint32_t c, const uint32_t *obs, uint32_t n)
{
    const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(struct run));
    GPtrArray *instances = g_ptr_array_new_with_free_func(growing_free);
    struct run_order by = {work->result, cell->flow, cell->dir};
    uint32_t most = 0;

    for (uint32_t i = 0, end; i < n; i = end) {
        struct run run = {i, 0, work->result->obs_conv[obs[i]]};

        for (end = i + 1; end < n && work->result->obs_conv[obs[end]] == run.conv; end++)
            ;
        run.n = end - i;
        most = MAX(most, run.n);
        g_array_append_val(runs, run);
    }
    runs_sort((struct run *)runs->data, runs->len, &by);
    for (uint32_t r = 0; r < runs->len; r++) {
        const struct run *run = &g_array_index(runs, struct run, r);

        if (r == 0)
            for (uint32_t i = 0; i < run->n; i++)
                growing_add(instances, obs[run->first + i]);
        else
            station_join(work, cell, instances, &obs[run->first], run->n);
    }
    for (uint32_t i = 0; i < instances->len; i++) {
        const struct growing *g = g_ptr_array_index(instances, i);

        if (!g->ambiguous) {
            instance_add(work, c, (const uint32_t *)g->obs->data, g->obs->len, false, most);
            continue;
        }
        /* Where one link of the chain is in doubt, each sighting keeps a number of its own. */
        for (uint32_t k = 0; k < g->obs->len; k++)
            instance_add(work, c, &g_array_index(g->obs, uint32_t, k), 1, true, most);
    }
    g_array_unref(runs);
    g_ptr_array_unref(instances);
}

void corr_cells_assign(struct corr_work *work, bool informed)
{
    GArray *obs = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    if (work->instances == NULL) {
        work->instances = g_array_new(FALSE, FALSE, sizeof(struct corr_instance));
        work->chosen = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    }
    g_array_set_size(work->instances, 0);
    g_array_set_size(work->chosen, 0);
    for (uint32_t c = 0; c < work->cells->len; c++) {
        const struct corr_cell *cell = &g_array_index(work->cells, struct corr_cell, c);

        g_array_set_size(obs, 0);
        for (uint32_t i = 0; i < cell->n; i++) {
            uint32_t o = g_array_index(work->members, uint32_t, cell->first + i);

            if (work->duplicate[o] == CORR_NONE)
                g_array_append_val(obs, o);
        }
        if (!cell->choice)
            cell_take(work, c, (const uint32_t *)obs->data, obs->len, informed);
        else if (informed)
            cell_divide(work, c, (const uint32_t *)obs->data, obs->len);
        else
            for (uint32_t i = 0; i < obs->len; i++)
                instance_add(work, c, &g_array_index(obs, uint32_t, i), 1, true, 1);
    }
    g_array_unref(obs);
}
