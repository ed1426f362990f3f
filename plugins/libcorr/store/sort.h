/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sort.h - sorting of records, with the comparison inlined.
 *
 * What is to be sorted here is mostly in order already: frames come by time, and
 * packets by frame.  The sort finds ascending runs and merges only where runs
 * overlap, so it is linear then, and never worse than n log n.  It is stable.
 *
 *     static bool cut_less(const int64_t *a, const int64_t *b) { return *a < *b; }
 *     CORR_SORT_DEFINE(cuts_sort, int64_t, cut_less)
 *     ...
 *     cuts_sort(cuts, n);
 */
#ifndef CORR_SORT_H
#define CORR_SORT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CORR_SORT_RUN 16u   /* shorter runs are extended by insertion */
#define CORR_SORT_STACK 64u /* runs at least double from one to the next below: n < 2^64 */

/* Defines static void name(type *items, size_t n).  less(a, b): a belongs before b. */
#define CORR_SORT_DEFINE(name, type, less)                                                         \
    /* Index, from 0, of the first item in [0, n) that belongs behind `key`. */                    \
    static size_t name##_after(const type *items, size_t n, const type *key)                       \
    {                                                                                              \
        size_t lo = 0, hi = n;                                                                     \
                                                                                                   \
        while (lo < hi) {                                                                          \
            size_t mid = lo + (hi - lo) / 2;                                                       \
                                                                                                   \
            if (less(key, &items[mid]))                                                            \
                hi = mid;                                                                          \
            else                                                                                   \
                lo = mid + 1;                                                                      \
        }                                                                                          \
        return lo;                                                                                 \
    }                                                                                              \
                                                                                                   \
    /* Merges [0, m) and [m, n); `*spare` grows as needed. */                                      \
    static void name##_merge(type *items, size_t m, size_t n, type **spare, size_t *room)          \
    {                                                                                              \
        size_t from = name##_after(items, m, &items[m]), left = m - from, i = 0, k = m;            \
                                                                                                   \
        if (left == 0)                                                                             \
            return;                                                                                \
        /* What is not before the last of the left is in its place. */                             \
        while (n > m && !less(&items[n - 1], &items[m - 1]))                                       \
            n--;                                                                                   \
        if (left > *room) {                                                                        \
            *room = left;                                                                          \
            *spare = g_realloc_n(*spare, left, sizeof(type));                                      \
        }                                                                                          \
        memcpy(*spare, &items[from], left * sizeof(type));                                         \
        for (size_t at = from; i < left; at++)                                                     \
            if (k < n && less(&items[k], &(*spare)[i]))                                            \
                items[at] = items[k++];                                                            \
            else                                                                                   \
                items[at] = (*spare)[i++];                                                         \
    }                                                                                              \
                                                                                                   \
    static void name(type *items, size_t n)                                                        \
    {                                                                                              \
        size_t begin[CORR_SORT_STACK + 1], top = 0, room = 0;                                      \
        type *spare = NULL;                                                                        \
                                                                                                   \
        begin[0] = 0;                                                                              \
        for (size_t at = 0, end; at < n; at = end) {                                               \
            for (end = at + 1; end < n && !less(&items[end], &items[end - 1]); end++)              \
                ;                                                                                  \
            for (; end < n && end - at < CORR_SORT_RUN; end++) {                                   \
                type one = items[end];                                                             \
                size_t k = end;                                                                    \
                                                                                                   \
                for (; k > at && less(&one, &items[k - 1]); k--)                                   \
                    items[k] = items[k - 1];                                                       \
                items[k] = one;                                                                    \
            }                                                                                      \
            begin[++top] = end;                                                                    \
            while (top > 1 &&                                                                      \
                   (begin[top - 1] - begin[top - 2] < 2 * (begin[top] - begin[top - 1]) ||         \
                    end == n)) {                                                                   \
                name##_merge(&items[begin[top - 2]], begin[top - 1] - begin[top - 2],              \
                             end - begin[top - 2], &spare, &room);                                 \
                begin[top - 1] = end;                                                              \
                top--;                                                                             \
            }                                                                                      \
        }                                                                                          \
        g_free(spare);                                                                             \
    }

#endif /* CORR_SORT_H */
