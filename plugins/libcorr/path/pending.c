/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pending.c - verdicts on packets that may still be under way, while a capture runs. */
#include "path/pending.h"

#include "path/verdict.h"

const char *const corr_pending_word = "pending";

/* A longer way is a mistake, and would hold up every verdict. */
#define LONGEST_NS INT64_C(60000000000)

static int64_t longest_latency(const struct corr_result *r)
{
    int64_t longest = 0;

    for (uint32_t i = 0; i < r->sightings->len; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);
        struct corr_latency took;

        if (s->prev == CORR_NONE || s->duplicate)
            continue;
        took = corr_result_latency(r, s);
        if (took.known)
            longest = MAX(longest, took.ns);
    }
    return MIN(longest, LONGEST_NS);
}

/* The first observation since which less than `due_ns` has passed. */
static uint32_t first_pending(const struct corr_result *r, int64_t due_ns, int64_t silence_ns)
{
    const struct corr_store *store = r->store;
    g_autofree int64_t *last = g_new(int64_t, store->points->len + 1);
    g_autofree bool *seen = g_new0(bool, store->points->len + 1);
    uint32_t first = store->obs->len;

    while (first > 0) {
        const struct corr_obs *obs = corr_store_obs(store, first - 1);

        if (!seen[obs->point])
            last[obs->point] = obs->time_ns;
        seen[obs->point] = true;
        if (silence_ns + (last[obs->point] - obs->time_ns) > due_ns)
            break;
        first--;
    }
    return first;
}

/* The packet's newest observation. */
static uint32_t newest(const struct corr_result *r, const struct corr_packet *packet)
{
    uint32_t obs = 0;

    for (uint32_t i = packet->first; i < packet->first + packet->n; i++)
        obs = MAX(obs, corr_result_sighting(r, i)->obs);
    return obs;
}

static bool is_pending(const struct corr_result *r, uint32_t packet, uint32_t first)
{
    return newest(r, corr_result_packet(r, packet)) >= first;
}

void corr_pending_decide(struct corr_result *result, const struct corr_live *live)
{
    uint32_t first, kept = 0;

    result->live = true;
    result->due_ns = longest_latency(result) + live->grace_ns;
    first = first_pending(result, result->due_ns, live->silence_ns);
    for (uint32_t p = 0; p < result->packets->len; p++) {
        struct corr_packet *packet = &g_array_index(result->packets, struct corr_packet, p);

        if ((packet->fate == CORR_FATE_ARRIVED && packet->missed == 0) ||
            !is_pending(result, p, first))
            continue;
        packet->missed = 0;
        result->n_pending++;
        if (packet->fate == CORR_FATE_ARRIVED)
            continue;
        corr_verdict_undetermine(packet, packet->drop_after, packet->drop_before,
                                corr_pending_word);
        packet->cause = CORR_CAUSE_UNKNOWN;
    }
    for (uint32_t i = 0; i < result->injected->len; i++) {
        struct corr_injected *at = &g_array_index(result->injected, struct corr_injected, i);

        if (!is_pending(result, at->packet, first))
            g_array_index(result->injected, struct corr_injected, kept++) = *at;
    }
    g_array_set_size(result->injected, kept);
    kept = 0;
    for (uint32_t i = 0; i < result->upstream->len; i++) {
        struct corr_upstream *at = &g_array_index(result->upstream, struct corr_upstream, i);

        if (!is_pending(result, at->packet, first))
            g_array_index(result->upstream, struct corr_upstream, kept++) = *at;
    }
    g_array_set_size(result->upstream, kept);
}

bool corr_packet_is_pending(const struct corr_packet *packet)
{
    return packet->fate == CORR_FATE_UNDETERMINED && packet->reason == corr_pending_word;
}
