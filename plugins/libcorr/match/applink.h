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

/* Adds one request or connection to the link of this pair. */
void corr_app_link_add(struct corr_applinks *links, const struct corr_app_link *link);
/* Likewise, with times and frames by two observations: into the proxy, and out of it. */
void corr_app_link_pair(struct corr_applinks *links, struct corr_app_link link, uint32_t enter,
                        uint32_t leave);

/* Flows that carry the same bytes in both directions. */
void corr_app_streams_link(struct corr_applinks *links);

#endif /* CORR_APPLINK_H */
