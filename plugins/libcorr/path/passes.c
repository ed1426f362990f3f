/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arrays of passes between points: sorted, and asked by time. */
#include <string.h>

#include "path/expect.h"
#include "store/sort.h"

static inline int pass_compare(const struct corr_pass *a, const struct corr_pass *b)
{
    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    if (a->q != b->q)
        return a->q < b->q ? -1 : 1;
    if (a->t_ns != b->t_ns)
        return a->t_ns < b->t_ns ? -1 : 1;
    return a->d_ns < b->d_ns ? -1 : a->d_ns > b->d_ns;
}

static bool pass_less(const struct corr_pass *a, const struct corr_pass *b)
{
    return pass_compare(a, b) < 0;
}

CORR_SORT_DEFINE(passes_sort, struct corr_pass, pass_less)

/* A bucket for each pair of points, where these are few: within one, time ascends mostly. */
static void passes_part(GArray *passes)
{
    struct corr_pass *all = (struct corr_pass *)passes->data, *parted;
    uint32_t n = passes->len, points = 0, *place, at = 0;

    for (uint32_t i = 0; i < n; i++)
        points = MAX(points, MAX(all[i].p, all[i].q) + 1);
    if (n == 0 || (uint64_t)points * points > n)
        return;
    place = g_new0(uint32_t, points * points);
    parted = g_new(struct corr_pass, n);
    for (uint32_t i = 0; i < n; i++)
        place[all[i].p * points + all[i].q]++;
    for (uint32_t i = 0; i < points * points; i++) {
        uint32_t count = place[i];

        place[i] = at;
        at += count;
    }
    for (uint32_t i = 0; i < n; i++)
        parted[place[all[i].p * points + all[i].q]++] = all[i];
    memcpy(all, parted, sizeof *all * n);
    g_free(place);
    g_free(parted);
}

void corr_passes_sort(GArray *passes)
{
    passes_part(passes);
    passes_sort((struct corr_pass *)passes->data, passes->len);
}

/* Passes of a sorted array that come before a key. */
static uint32_t passes_below(const GArray *passes, const struct corr_pass *key)
{
    const struct corr_pass *all = (const struct corr_pass *)passes->data;
    uint32_t lo = 0, hi = passes->len;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (pass_compare(&all[mid], key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void corr_expect_around(const struct corr_expect *expect, uint32_t p, uint32_t q, int64_t t_ns,
                        const struct corr_pass **before, const struct corr_pass **after)
{
    const struct corr_pass *all = (const struct corr_pass *)expect->passes->data;
    struct corr_pass key = {p, q, t_ns, INT64_MIN};
    uint32_t lo = passes_below(expect->passes, &key);

    *before = lo > 0 && all[lo - 1].p == p && all[lo - 1].q == q ? &all[lo - 1] : NULL;
    *after = lo < expect->passes->len && all[lo].p == p && all[lo].q == q ? &all[lo] : NULL;
}

uint32_t corr_passes_count(const GArray *passes, uint32_t p, uint32_t q, int64_t from, int64_t to)
{
    struct corr_pass first = {p, q, from, INT64_MIN}, end = {p, q, to, INT64_MAX};

    return passes_below(passes, &end) - passes_below(passes, &first);
}
