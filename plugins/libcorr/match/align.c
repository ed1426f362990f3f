/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order-preserving alignment of two rows of equal sightings, with the probability of each pair. */
#include <math.h>

#include "match/assign.h"

/* What exchanging the partners of two neighbours must cost: odds of nine to one. */
#define EXCHANGE 2.2

static double log_add(double a, double b)
{
    double hi = a > b ? a : b, lo = a > b ? b : a;

    return lo == -INFINITY ? hi : hi + log1p(exp(lo - hi));
}

/*
 * Probability of each pair over all order-preserving alignments.  Three states
 * (pair, gap in a, then gap in b) so that each alignment is counted once.
 * `score` is m x n; `pair` receives the probabilities.
 */
void corr_align(const double *score, uint32_t m, uint32_t n, double *pair)
{
    size_t w = n + 1, size = (size_t)(m + 1) * w;
    double *f = g_new(double, 6 * size), *fm = f, *fa = f + size, *fb = f + 2 * size;
    double *bm = f + 3 * size, *ba = f + 4 * size, *bb = f + 5 * size, total;

    for (size_t c = 0; c < 6 * size; c++)
        f[c] = -INFINITY;
    fm[0] = 0;
    for (uint32_t i = 0; i <= m; i++)
        for (uint32_t k = 0; k <= n; k++) {
            size_t at = i * w + k;

            if (i > 0 && k > 0)
                fm[at] = score[(size_t)(i - 1) * n + k - 1] +
                         log_add(fm[at - w - 1], log_add(fa[at - w - 1], fb[at - w - 1]));
            if (i > 0)
                fa[at] = CORR_SCORE_GAP + log_add(fm[at - w], fa[at - w]);
            if (k > 0)
                fb[at] = CORR_SCORE_GAP + log_add(fm[at - 1], log_add(fa[at - 1], fb[at - 1]));
        }
    total = log_add(fm[size - 1], log_add(fa[size - 1], fb[size - 1]));
    /* bX[at]: weight of all completions from state X at this place */
    bm[size - 1] = ba[size - 1] = bb[size - 1] = 0;
    for (uint32_t i = m + 1; i-- > 0;)
        for (uint32_t k = n + 1; k-- > 0;) {
            size_t at = i * w + k;
            double p = -INFINITY, a = -INFINITY, b = -INFINITY;

            if (at == size - 1)
                continue;
            if (i < m && k < n)
                p = score[(size_t)i * n + k] + bm[at + w + 1];
            if (i < m)
                a = CORR_SCORE_GAP + ba[at + w];
            if (k < n)
                b = CORR_SCORE_GAP + bb[at + 1];
            bm[at] = ba[at] = log_add(p, log_add(a, b));
            bb[at] = log_add(p, b);
        }
    for (uint32_t i = 1; i <= m; i++)
        for (uint32_t k = 1; k <= n; k++)
            pair[(size_t)(i - 1) * n + k - 1] = exp(fm[i * w + k] + bm[i * w + k] - total);
    g_free(f);
}

/*
 * Alignments keep order, networks need not.  Where time does not tell neighbours
 * apart, a pair counts only if exchanging partners with a neighbour is clearly
 * worse by what the headers say; otherwise both pairs lose their certainty.
 */
void corr_align_refuse_exchanges(const double *score, uint32_t m, uint32_t n, double *pair)
{
    uint32_t last_i = 0, last_k = 0;
    bool has_last = false;
    GArray *doubt = g_array_new(FALSE, FALSE, sizeof(size_t));

    for (uint32_t i = 0; i < m; i++)
        for (uint32_t k = 0; k < n; k++) {
            size_t at = (size_t)i * n + k, before = (size_t)last_i * n + last_k;

            if (pair[at] < CORR_ALIGN_SURE)
                continue;
            if (has_last && score[at] + score[before] - score[(size_t)last_i * n + k] -
                                    score[(size_t)i * n + last_k] <
                                EXCHANGE) {
                g_array_append_val(doubt, at);
                g_array_append_val(doubt, before);
            }
            last_i = i;
            last_k = k;
            has_last = true;
        }
    for (uint32_t d = 0; d < doubt->len; d++)
        pair[g_array_index(doubt, size_t, d)] = CORR_ALIGN_SURE / 2;
    g_array_unref(doubt);
}
