/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of bytes of a stream. */
#include "layers/ranges.h"

#define AT(ranges, i) g_array_index(ranges, struct corr_range, i)

GArray *corr_ranges_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(struct corr_range));
}

/* The first range that ends at or after `from`. */
static guint ranges_find(const GArray *ranges, int64_t from)
{
    guint low = 0, high = ranges->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (AT(ranges, middle).to < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void corr_ranges_add(GArray *ranges, int64_t from, int64_t to)
{
    struct corr_range add = {from, to};
    guint first, i;

    if (from >= to)
        return;
    first = i = ranges_find(ranges, from);
    for (; i < ranges->len && AT(ranges, i).from <= to; i++) {
        add.from = MIN(add.from, AT(ranges, i).from);
        add.to = MAX(add.to, AT(ranges, i).to);
    }
    if (i > first) {
        AT(ranges, first) = add;
        if (i > first + 1)
            g_array_remove_range(ranges, first + 1, i - first - 1);
    } else {
        g_array_insert_val(ranges, first, add);
    }
}

void corr_ranges_remove(GArray *ranges, int64_t from, int64_t to)
{
    guint i;

    if (from >= to)
        return;
    for (i = ranges_find(ranges, from); i < ranges->len && AT(ranges, i).from < to;) {
        struct corr_range *range = &AT(ranges, i);
        struct corr_range rest = {to, range->to};

        if (range->from < from && range->to > to) {
            range->to = from;
            g_array_insert_val(ranges, i + 1, rest);
            return;
        }
        if (range->from >= from && range->to <= to) {
            g_array_remove_index(ranges, i);
            continue;
        }
        if (range->from < from)
            range->to = MIN(range->to, from);
        else
            range->from = to;
        i++;
    }
}

int64_t corr_ranges_overlap(const GArray *ranges, int64_t from, int64_t to)
{
    int64_t bytes = 0;

    for (guint i = ranges_find(ranges, from); i < ranges->len && AT(ranges, i).from < to; i++)
        bytes += MAX(0, MIN(to, AT(ranges, i).to) - MAX(from, AT(ranges, i).from));
    return bytes;
}

int64_t corr_ranges_bytes(const GArray *ranges)
{
    int64_t bytes = 0;

    for (guint i = 0; i < ranges->len; i++)
        bytes += AT(ranges, i).to - AT(ranges, i).from;
    return bytes;
}
