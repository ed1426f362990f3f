/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packet does an ICMP error quote?  Looked for at the error's own point first. */
#include "match/match.h"
#include "store/hash.h"

/* An error follows what it quotes closely; a later use of the same numbers is another packet. */
#define QUOTE_NS INT64_C(60000000000)

static uint64_t quote_key(const struct corr_addr *src, const struct corr_addr *dst, uint8_t proto,
                          uint16_t ip_id)
{
    uint64_t key = corr_hash_mix(corr_hash(src->bytes, 16), corr_hash(dst->bytes, 16));

    return corr_hash_mix(key, (uint64_t)proto << 16 | ip_id);
}

static bool quoted(const struct corr_work *work, const struct corr_quote *quote, uint32_t i)
{
    const struct corr_obs *obs = corr_store_obs(work->store, i);
    const struct corr_conv *conv = corr_result_conv(work->result, work->result->obs_conv[i]);

    return corr_addr_equal(&conv->end[obs->dir].addr, &quote->src) &&
           corr_addr_equal(&conv->end[!obs->dir].addr, &quote->dst) &&
           (!quote->has_ports || !conv->has_ports ||
            (conv->end[obs->dir].port == quote->src_port &&
             conv->end[!obs->dir].port == quote->dst_port)) &&
           (!quote->has_seq || !(obs->have & CORR_HAVE_SEQ) || obs->seq == quote->seq);
}

void corr_quotes_find(struct corr_work *work)
{
    struct corr_result *result = work->result;
    uint32_t n = work->store->obs->len;
    GArray *errors = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct corr_keyed));
    const struct corr_keyed *items;

    for (uint32_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);

        if (obs->kind == CORR_KIND_ICMP_ERROR && obs->have & CORR_HAVE_QUOTE)
            g_array_append_val(errors, i);
    }
    for (uint32_t i = 0; i < n && errors->len > 0; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);
        const struct corr_conv *conv = corr_result_conv(result, result->obs_conv[i]);
        struct corr_keyed item = {.obs = i};

        if (obs->kind == CORR_KIND_L2)
            continue;
        item.key = quote_key(&conv->end[obs->dir].addr, &conv->end[!obs->dir].addr, conv->proto,
                             obs->ip_id);
        g_array_append_val(keys, item);
    }
    corr_keyed_sort((struct corr_keyed *)keys->data, keys->len);
    items = (const struct corr_keyed *)keys->data;
    for (uint32_t e = 0; e < errors->len; e++) {
        uint32_t error = g_array_index(errors, uint32_t, e), best = CORR_NONE;
        const struct corr_obs *obs = corr_store_obs(work->store, error);
        const struct corr_quote *quote = &corr_store_extra(work->store, obs)->quote;
        uint64_t key = quote_key(&quote->src, &quote->dst, quote->proto, quote->ip_id);
        size_t lo = 0, hi = keys->len;
        struct corr_packet *packet;

        if (result->obs_first[error] == result->obs_first[error + 1])
            continue;
        packet = &g_array_index(
            result->packets, struct corr_packet,
            corr_result_sighting(result, result->obs_sightings[result->obs_first[error]])->packet);
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;

            if (items[mid].key < key)
                lo = mid + 1;
            else
                hi = mid;
        }
        /* The last one before the error, at the same point if there is one. */
        for (size_t k = lo; k < keys->len && items[k].key == key; k++) {
            const struct corr_obs *cause = corr_store_obs(work->store, items[k].obs);
            bool here = cause->point == obs->point;

            if (!quoted(work, quote, items[k].obs) ||
                (here && (cause->frame > obs->frame || obs->time_ns - cause->time_ns > QUOTE_NS)))
                continue;
            if (best == CORR_NONE || here || corr_store_obs(work->store, best)->point != obs->point)
                best = items[k].obs;
        }
        if (best != CORR_NONE && result->obs_first[best] < result->obs_first[best + 1] &&
            packet->quotes == CORR_NONE)
            packet->quotes =
                corr_result_sighting(result, result->obs_sightings[result->obs_first[best]])
                    ->packet;
    }
    g_array_unref(errors);
    g_array_unref(keys);
}
