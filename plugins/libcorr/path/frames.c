/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames.c - sets of frames, and the packets that they show. */
#include "path/frames.h"

#include <string.h>

struct corr_frame_set *corr_frame_set_new(void)
{
    struct corr_frame_set *set = g_new0(struct corr_frame_set, 1);
    set->bits = g_byte_array_new();
    return set;
}

void corr_frame_set_add(struct corr_frame_set *set, uint32_t frame)
{
    unsigned byte = frame / 8;
    if (byte >= set->bits->len) {
        unsigned old = set->bits->len;
        g_byte_array_set_size(set->bits, byte + 1);
        memset(set->bits->data + old, 0, byte + 1 - old);
    }
    set->bits->data[byte] |= (uint8_t)(1u << frame % 8);
}

bool corr_frame_set_has(const struct corr_frame_set *set, uint32_t frame)
{
    if (!set)
        return true;
    unsigned byte = frame / 8;
    return byte < set->bits->len && set->bits->data[byte] >> frame % 8 & 1;
}

void corr_frame_set_free(struct corr_frame_set *set)
{
    if (!set)
        return;
    g_byte_array_free(set->bits, TRUE);
    g_free(set);
}

uint8_t *corr_packet_mask(const struct corr_result *r, const struct corr_frame_set *frames)
{
    if (!frames)
        return NULL;
    uint8_t *mask = g_malloc0(r->packets->len + 1);
    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        if (corr_frame_set_has(frames, corr_result_obs(r, s)->frame))
            mask[s->packet] = 1;
    }
    return mask;
}
