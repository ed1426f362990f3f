/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 5-tuple that is used again is another conversation (RFC 9293, section
 * 3.6.1): a SYN with a new initial sequence number begins a new local flow.
 */
#include <string.h>

#include "match/match.h"

struct incarnation {
    uint32_t conv; /* the local flow that packets go to now */
    uint32_t isn[2];
    bool has_isn[2];
    bool other[2]; /* something but a SYN was seen in this direction */
};

static bool begins_anew(const struct incarnation *now, const struct corr_obs *obs)
{
    if (now->has_isn[obs->dir])
        return now->isn[obs->dir] != obs->seq;
    /* A SYN-ACK belongs to the SYN that it answers; after data it is a new connection. */
    return now->other[obs->dir] || (now->other[!obs->dir] && !(obs->tcp_flags & CORR_TCP_ACK));
}

static void sequence_starts(struct corr_work *work)
{
    work->conv_seq = g_new0(struct corr_conv_seq, work->result->n_convs + 1);
    for (uint32_t i = 0; i < work->store->obs->len; i++) {
        const struct corr_obs *obs = corr_store_obs(work->store, i);
        struct corr_conv_seq *seq = &work->conv_seq[work->result->obs_conv[i]];

        if (seq->ttl[obs->dir] == 0)
            seq->ttl[obs->dir] = obs->ttl;
        if (obs->kind != CORR_KIND_TCP || !(obs->have & CORR_HAVE_SEQ))
            continue;
        if (!seq->has_first[obs->dir]) {
            seq->has_first[obs->dir] = true;
            seq->first[obs->dir] = seq->end[obs->dir] = obs->seq;
        }
        /* What follows a FIN has its number, too. */
        if (obs->len > 0 && (int32_t)(obs->seq + obs->len - seq->end[obs->dir]) > 0)
            seq->end[obs->dir] = obs->seq + obs->len;
        if (obs->tcp_flags & CORR_TCP_SYN && !seq->has_isn[obs->dir]) {
            seq->has_isn[obs->dir] = true;
            seq->isn[obs->dir] = obs->seq;
        }
    }
}

void corr_convs_split(struct corr_work *work)
{
    const struct corr_store *store = work->store;
    struct corr_result *result = work->result;
    uint32_t n = store->obs->len, n_convs = store->convs->len;
    struct incarnation *now = g_new0(struct incarnation, n_convs + 1);

    result->convs = g_array_sized_new(FALSE, FALSE, sizeof(struct corr_conv), n_convs);
    g_array_append_vals(result->convs, store->convs->data, n_convs);
    for (uint32_t i = 0; i < n_convs; i++)
        now[i].conv = i;
    result->obs_conv = g_new(uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const struct corr_obs *obs = corr_store_obs(store, i);
        struct incarnation *at = &now[obs->conv];

        if (obs->kind == CORR_KIND_TCP && obs->have & CORR_HAVE_TCP) {
            if (obs->tcp_flags & CORR_TCP_SYN) {
                if (begins_anew(at, obs)) {
                    struct corr_conv conv = *corr_store_conv(store, obs->conv);

                    memset(at, 0, sizeof *at);
                    at->conv = result->convs->len;
                    g_array_append_val(result->convs, conv);
                }
                at->isn[obs->dir] = obs->seq;
                at->has_isn[obs->dir] = true;
            } else {
                at->other[obs->dir] = true;
            }
        }
        result->obs_conv[i] = at->conv;
    }
    result->n_convs = result->convs->len;
    g_free(now);
    sequence_starts(work);
}
