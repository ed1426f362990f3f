/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Radix sort of (key, observation) records: linear, stable, the same everywhere. */
#include <string.h>

#include "match/match.h"

void corr_keyed_sort(struct corr_keyed *items, size_t n)
{
    struct corr_keyed *from = items, *spare, *to;

    if (n < 2)
        return;
    spare = to = g_new(struct corr_keyed, n);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t count[256] = {0}, at = 0;

        for (size_t i = 0; i < n; i++)
            count[from[i].key >> shift & 255]++;
        if (count[from[0].key >> shift & 255] == n)
            continue; /* one digit only: already in order */
        for (unsigned d = 0; d < 256; d++) {
            size_t c = count[d];

            count[d] = at;
            at += c;
        }
        for (size_t i = 0; i < n; i++)
            to[count[from[i].key >> shift & 255]++] = from[i];
        {
            struct corr_keyed *swap = from;

            from = to;
            to = swap;
        }
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
    g_free(spare);
}
