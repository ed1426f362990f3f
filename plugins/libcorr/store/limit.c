/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limit.c - what the store holds, and what it does when that is enough. */
#include "store/index.h"
#include "store/store-int.h"

#define LINK_SLL2 276u /* `tcpdump -i any`: the only one whose frames tell their interface */
#define DEFAULT_MAX_OBSERVATIONS 20000000u

static uint64_t array_bytes(GArray *array)
{
    return (uint64_t)array->len * g_array_get_element_size(array);
}

uint64_t corr_store_bytes(const struct corr_store *store)
{
    GArray *const arrays[] = {store->obs,      store->frame_obs, store->frame_point, store->convs,
                              store->contexts, store->l2s,       store->unusable,    store->extras,
                              store->tokens,   store->larges,    store->options};
    uint64_t bytes = store->large_bytes->len + (uint64_t)store->obs->len * store->answer_bytes;

    for (unsigned i = 0; i < G_N_ELEMENTS(arrays); i++)
        bytes += array_bytes(arrays[i]);
    return bytes + corr_index_bytes(store->conv_index) + corr_index_bytes(store->context_index) +
           corr_index_bytes(store->l2_index) + corr_brokers_bytes(store) + corr_l7_bytes(store->l7);
}

bool corr_store_is_full(const struct corr_store *store)
{
    uint32_t most = store->config.max_observations;

    if (store->full_at != 0 || store->obs->len >= (most != 0 ? most : DEFAULT_MAX_OBSERVATIONS))
        return true;
    return store->config.max_bytes != 0 && corr_store_bytes(store) >= store->config.max_bytes;
}

uint32_t corr_store_point_of(const struct corr_store *store, const struct corr_frame *frame)
{
    struct corr_parsed packets[CORR_PARSE_MAX];
    uint32_t point = CORR_NONE;

    if (frame->link == LINK_SLL2) {
        corr_parse(frame, store->config.closed_tunnels, packets);
        if (packets[0].have & CORR_HAVE_IFINDEX)
            point = corr_store_find_ifindex(store, frame->point, packets[0].ifindex);
    }
    return point != CORR_NONE ? point : frame->point;
}

void corr_store_refuse(struct corr_store *store, const struct corr_frame *frame)
{
    uint32_t point = corr_store_point_of(store, frame);

    if (store->full_at == 0)
        store->full_at = frame->number;
    ((struct corr_point *)g_ptr_array_index(store->points, point))->frames++;
    store->refused_last = point;
    store->n_refused++;
    store->n_frames++;
    store->last_frame = frame->number;
}

static void take_one_back(struct corr_store *store, uint32_t point)
{
    ((struct corr_point *)g_ptr_array_index(store->points, point))->frames--;
    store->n_refused--;
    store->n_frames--;
}

/*
 * Refused frames leave no trace but counts: only of the last one is known where it was.  More
 * than that is taken back only if all of them are, or Wireshark numbers frames as nobody does.
 */
void corr_store_take_back_refused(struct corr_store *store, uint32_t number)
{
    if (store->full_at == 0)
        return;
    if (store->n_refused > 0 && number == store->last_frame && number >= store->full_at)
        take_one_back(store, store->refused_last);
    if (number > store->full_at)
        return;
    /* From here on counts are made anew from what is stored: see take_back(). */
    store->full_at = 0;
    store->n_refused = 0;
    store->n_frames = 0;
    for (uint32_t p = 0; p < store->points->len; p++)
        ((struct corr_point *)g_ptr_array_index(store->points, p))->frames = 0;
    for (uint32_t i = 1; i < store->frame_point->len; i++) {
        uint16_t point = g_array_index(store->frame_point, uint16_t, i);

        if (point == 0)
            continue;
        ((struct corr_point *)g_ptr_array_index(store->points, point - 1u))->frames++;
        store->n_frames++;
    }
}
