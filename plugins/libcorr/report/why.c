/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.c - how a match was found, or why there is none, in one sentence. */
#include "report/why.h"

#include "report/report-int.h"

#define MAX_NAMES 4 /* a flow may pass a hundred points: the first few tell enough */

/* "client, lan and 3 more": the other points at which the flow was seen. */
static unsigned append_elsewhere(const struct corr_result *r, uint32_t flow, uint32_t own,
                                 GString *text)
{
    const GArray *convs = corr_result_flow(r, flow)->convs;
    uint32_t named[MAX_NAMES];
    unsigned n = 0, more = 0;

    for (unsigned i = 0; i < convs->len; i++) {
        uint32_t conv = g_array_index(convs, struct corr_member, i).conv;
        uint32_t point = corr_result_conv(r, conv)->point;
        bool known = point == own;
        for (unsigned k = 0; k < n && !known; k++)
            known = named[k] == point;
        if (known)
            continue;
        if (n == MAX_NAMES) {
            more++; /* local flows: re-used ports may count a point twice */
            continue;
        }
        named[n] = point;
        g_string_append_printf(text, "%s%s", n ? ", " : "",
                               corr_store_point(r->store, point)->name);
        n++;
    }
    if (more)
        g_string_append(text, " and more");
    return n;
}

static void append_unmatched(const struct corr_result *r, const struct corr_sighting *s,
                             GString *text)
{
    const struct corr_packet *p = corr_result_packet(r, s->packet);
    const struct corr_obs *obs = corr_result_obs(r, s);
    g_autoptr(GString) points = g_string_new(NULL);

    g_string_append(text, "no copy at any other point");
    if (r->store->points->len == 1)
        g_string_append(text, ": the file has one capture point");
    else if (r->clock && obs->point != r->clock_reference &&
             corr_result_clock(r, r->clock_reference, obs->point, obs->time_ns).status ==
                 CORR_CLOCK_UNKNOWN)
        g_string_append(text, ": this point has nothing in common with the others");
    else if (p->flow < r->flows->len && append_elsewhere(r, p->flow, obs->point, points))
        g_string_append_printf(text, ": its flow was seen at %s, this packet was not", points->str);
    else if (p->flow < r->flows->len)
        g_string_append(text, ": nothing of its flow was seen elsewhere");
}

void corr_text_why(const struct corr_result *r, uint32_t sighting, uint32_t frames, GString *text)
{
    static const char *const why[CORR_METHOD_COUNT] = {
        [CORR_METHOD_PACKET_ID] = "the capture itself numbers the packet, at",
        [CORR_METHOD_EXACT] = "same content and no other packet like it, at",
        [CORR_METHOD_TRANSLATED] =
            "same content and no other packet like it once the translation is undone, at",
        [CORR_METHOD_RANGE] = "the same bytes, cut as each point saw them, at",
        [CORR_METHOD_ALIGNED] = "by ID, time stamp or order at",
    };
    const struct corr_sighting *s = corr_result_sighting(r, sighting);
    const struct corr_packet *p = corr_result_packet(r, s->packet);
    unsigned points = 0;

    if (p->ambiguous) {
        g_string_append_printf(text,
                               "ambiguous: %u%s equal packets at one point, nobody could tell "
                               "which is which",
                               p->candidates, p->candidates == 255 ? " or more" : "");
        return;
    }
    if (frames < 2) {
        append_unmatched(r, s, text);
        return;
    }
    for (uint32_t i = 0; i < p->n; i++)
        points += !corr_result_sighting(r, p->first + i)->duplicate;
    g_string_append_printf(text, "%s: ", corr_method_word(p->method));
    if (points < 2) {
        g_string_append_printf(text, "%u copies at one point", frames);
        return;
    }
    if (p->method == CORR_METHOD_ALIGNED && p->candidates > 1)
        g_string_append_printf(text, "told apart from equal packets (%u%s at one point) ",
                               p->candidates, p->candidates == 255 ? " or more" : "");
    else if (p->method == CORR_METHOD_ALIGNED)
        g_string_append(text, "told apart from equal packets ");
    g_string_append_printf(text, "%s %u points", why[p->method] ? why[p->method] : "seen at",
                           points);
}
