/* SPDX-License-Identifier: GPL-2.0-or-later */
/* applink.h - what the finders of application links share. */
#ifndef CORR_APPLINK_H
#define CORR_APPLINK_H

#include <string.h>

#include "match/match.h"

struct corr_applinks {
    struct corr_work *work;
    struct corr_result *result; /* links are appended to result->links */
    GHashTable *by_pair;        /* key of front, back and how -> index + 1 into links */
    uint32_t *first_data;       /* flow -> observation of its initiator's first data; CORR_NONE */
};

/* Does flow `front` end where flow `back` begins, and not the other way round? */
bool corr_app_front(const struct corr_result *r, uint32_t front, uint32_t back);

/* Time between two packets at the proxy: seen last before it, and first behind it. */
bool corr_app_residence(const struct corr_result *r, uint32_t enter, uint32_t leave,
                        int64_t *time_ns, int64_t *error_ns);

/* Is this pair linked already, by whatever? */
bool corr_app_linked(const struct corr_applinks *links, uint32_t front, uint32_t back);

/* Notes one request or connection, and adds it to the link of its pair of flows. */
void corr_app_hand(struct corr_applinks *links, struct corr_handed handed);

/* A token as an observation shows it; a run of them has one kind and one value. */
struct corr_app_said {
    uint64_t value;
    uint32_t flow, obs;
    uint8_t kind; /* enum corr_token_kind */
};

/* Hellos or request ids that are equal, by observation: who handed on what of whom? */
void corr_app_run_link(struct corr_applinks *links, const struct corr_app_said *run, size_t n);

/* Flows that carry the same bytes in both directions. */
void corr_app_streams_link(struct corr_applinks *links);

#endif /* CORR_APPLINK_H */
