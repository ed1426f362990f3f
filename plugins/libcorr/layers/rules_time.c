/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_time.c - where the time of all transactions went: the end-to-end verdict. */
#include "layers/findings-int.h"
#include "layers/layers.h"
#include "layers/phase_time.h"
#include "path/text.h"

#define SMALL 0.005 /* shares below this are not told */

/* Where the time of all transactions went. */
struct share {
    uint32_t from, to;
    int64_t ns;
};

static void add_share(GArray *shares, uint32_t from, uint32_t to, int64_t ns)
{
    for (unsigned i = 0; i < shares->len; i++) {
        struct share *old = &g_array_index(shares, struct share, i);
        if ((old->from == from && old->to == to) ||
            (from != CORR_NONE && old->from == to && old->to == from)) {
            old->ns += ns;
            return;
        }
    }
    struct share made = {from, to, ns};
    g_array_append_val(shares, made);
}

static int compare_shares(const void *a, const void *b)
{
    const struct share *x = a, *y = b;

    return x->ns > y->ns ? -1 : x->ns < y->ns;
}

void corr_rule_time(struct corr_inquiry *q)
{
    const struct corr_phases *phases = corr_layers_phases(q->r);
    g_autoptr(GArray) shares = g_array_new(FALSE, FALSE, sizeof(struct share));
    g_autoptr(GString) text = g_string_new(NULL), all = g_string_new(NULL);
    int64_t total = 0, repairs_ns = 0;
    uint32_t last = CORR_NONE, n = 0, frame = 0;

    for (uint32_t i = 0; i < phases->phases->len; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        const struct corr_transaction *t = corr_phases_transaction(phases, phase->transaction);
        if (!corr_inquiry_counts(q, t))
            continue;
        n += phase->transaction != last;
        frame = frame ? frame : t->frame;
        last = phase->transaction;
        total += phase->duration_ns;
        /* The split gives a sender's waiting to the sender; TCP tells for whom it waited. */
        int64_t read_ns = phase->name == CORR_PHASE_DOWNLOAD
                              ? MIN(corr_phase_waited(q->r, phase, true), phase->server_ns)
                              : 0;
        repairs_ns += corr_phase_waited(q->r, phase, false);
        add_share(shares, CORR_NONE, 0, phase->server_ns - read_ns);
        add_share(shares, CORR_NONE, 1, phase->client_ns + read_ns);
        for (uint32_t k = 0; k < phase->n_shares; k++) {
            const struct corr_phase_share *share =
                &g_array_index(phases->shares, struct corr_phase_share, phase->first_share + k);
            add_share(shares, share->from, share->to, share->time_ns);
        }
    }
    if (total <= 0)
        return;
    g_array_sort(shares, compare_shares);
    for (unsigned i = 0; i < shares->len; i++) {
        const struct share *share = &g_array_index(shares, struct share, i);
        if ((double)share->ns < SMALL * (double)total)
            break;
        if (text->len)
            g_string_append(text, ", ");
        corr_text_ratio((double)share->ns / (double)total, text);
        if (share->from == CORR_NONE)
            g_string_append(text, share->to == 0 ? " at servers" : " at clients");
        else
            g_string_append_printf(text, " between %s and %s", corr_inquiry_point(q, share->from),
                                   corr_inquiry_point(q, share->to));
    }
    corr_text_time(total, all);
    struct corr_insight *insight = corr_insight_add(
        q, CORR_RULE_time, CORR_WEIGHT_NOTE, CORR_CONFIDENCE_CONFIRMED, CORR_NONE, CORR_NONE);
    if (repairs_ns) {
        g_string_append(text, ". Of it ");
        corr_text_time(repairs_ns, text);
        g_string_append(text, " (");
        corr_text_ratio((double)repairs_ns / (double)total, text);
        g_string_append(text, ") went by until lost segments were repaired");
    }
    corr_insight_say(insight, "%u transaction%s took %s: %s.", n, CORR_PLURAL(n), all->str,
                     text->str);
    corr_insight_filter(insight, "corr.transaction");
    corr_insight_prove(insight, frame);
}
