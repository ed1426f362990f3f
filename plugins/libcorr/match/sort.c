/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Radix sort of (key, observation) records: linear, stable, the same everywhere. */
#include <string.h>

#include "match/match.h"

#define DIGITS 8u /* of 8 bits */

void corr_keyed_sort(struct corr_keyed *items, size_t n)
{
    size_t count[DIGITS][256] = {{0}};
    struct corr_keyed *from = items, *spare, *to;

    if (n < 2)
        return;
    /* How often a digit occurs does not depend on the order: one reading tells of all digits. */
    for (size_t i = 0; i < n; i++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            count[digit][items[i].key >> 8 * digit & 255]++;
    spare = to = g_new(struct corr_keyed, n);
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        size_t *place = count[digit], at = 0;

        if (place[from[0].key >> 8 * digit & 255] == n)
            continue; /* the same everywhere: already in order */
        for (unsigned d = 0; d < 256; d++) {
            size_t c = place[d];

            place[d] = at;
            at += c;
        }
        for (size_t i = 0; i < n; i++)
            to[place[from[i].key >> 8 * digit & 255]++] = from[i];
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
