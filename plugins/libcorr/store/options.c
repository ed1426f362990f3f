/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - TCP options that few frames have, kept beside the observations. */
#include <string.h>

#include "store/store-int.h"

void corr_options_keep(struct corr_store *store, const struct corr_parsed *packet)
{
    struct corr_options options = {
        .obs = store->obs->len, .wscale = packet->wscale, .n_sack = packet->n_sack};

    if (packet->kind != CORR_KIND_TCP || !(packet->opt_kinds & (CORR_OPT_WSCALE | CORR_OPT_SACK)))
        return;
    memcpy(options.sack, packet->sack, sizeof options.sack);
    g_array_append_val(store->options, options);
}

void corr_options_take_back(struct corr_store *store)
{
    while (store->options->len > 0 &&
           g_array_index(store->options, struct corr_options, store->options->len - 1).obs >=
               store->obs->len)
        g_array_set_size(store->options, store->options->len - 1);
}

const struct corr_options *corr_store_options(const struct corr_store *store, uint32_t obs)
{
    guint from = 0, to = store->options->len;

    if (!(corr_store_obs(store, obs)->opt_kinds & (CORR_OPT_WSCALE | CORR_OPT_SACK)))
        return NULL;
    while (from < to) {
        guint middle = from + (to - from) / 2;
        const struct corr_options *options =
            &g_array_index(store->options, struct corr_options, middle);

        if (options->obs == obs)
            return options;
        if (options->obs < obs)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}
