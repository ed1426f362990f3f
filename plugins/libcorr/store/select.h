/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * select.h - the value at one place of a sorted list, without sorting all of it.
 *
 * Quantiles are asked of every segment, path and flow: sorting would cost n log n
 * comparisons, this costs about three for each value.
 */
#ifndef CORR_SELECT_H
#define CORR_SELECT_H

#include <stddef.h>
#include <stdint.h>

/*
 * What would stand at index `at` (below n) if the n values ascended.  Afterwards
 * nothing before it is greater, and nothing behind it is less (Hoare's FIND).
 */
static inline int64_t corr_select(int64_t *values, size_t n, size_t at)
{
    size_t lo = 0, hi = n - 1;

    while (lo < hi) {
        int64_t middle = values[lo + (hi - lo) / 2];
        size_t i = lo, k = hi;

        for (;;) {
            while (values[i] < middle)
                i++;
            while (values[k] > middle)
                k--;
            if (i >= k)
                break;
            int64_t swap = values[i];

            values[i++] = values[k];
            values[k--] = swap;
        }
        if (at <= k)
            hi = k;
        else
            lo = k + 1;
    }
    return values[at];
}

#endif /* CORR_SELECT_H */
