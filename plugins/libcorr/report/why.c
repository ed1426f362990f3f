/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.c - how a match was found, or why there is none, in one sentence. */
#include "report/why.h"

#include "path/nat_text.h"
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

/* Between the first sighting and one that looks different: what was undone to compare them. */
static void append_transform(const struct corr_result *r, const struct corr_packet *p,
                             GString *text)
{
    const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, p->first));
    struct corr_tuple first = corr_tuple_of(r->store, a);
    bool reply = p->dir != 0, any = false;

    for (uint32_t i = p->first + 1; i < p->first + p->n && !any; i++) {
        const struct corr_obs *b = corr_result_obs(r, corr_result_sighting(r, i));
        struct corr_tuple now = corr_tuple_of(r->store, b);
        /* Pieces of a segment begin elsewhere: their numbers tell no shift. */
        bool numbers = a->kind == CORR_KIND_TCP && b->kind == CORR_KIND_TCP && a->len == b->len &&
                       a->have & b->have & CORR_HAVE_SEQ;

        if (!corr_tuple_equal(&first, &now)) {
            g_string_append(text, "; undone: ");
            corr_nat_text(&first, &now, reply, text);
            any = true;
        }
        if (numbers && a->seq != b->seq) {
            g_string_append_printf(text, "%sseq %+d",
                                   any ? ", " : "; undone: ", (int32_t)(b->seq - a->seq));
            any = true;
        }
        if (numbers && a->have & b->have & CORR_HAVE_TS && a->tsval != b->tsval) {
            g_string_append_printf(text, "%stsval %+d",
                                   any ? ", " : "; undone: ", (int32_t)(b->tsval - a->tsval));
            any = true;
        }
    }
}

/* By what equal packets were told apart: the marks that all sightings share. */
static const char *told_by(const struct corr_result *r, const struct corr_packet *p)
{
    const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, p->first));
    bool id = a->have & CORR_HAVE_IP_ID && a->ip_id != 0, stamp = a->have & CORR_HAVE_TS;

    for (uint32_t i = p->first + 1; i < p->first + p->n; i++) {
        const struct corr_obs *b = corr_result_obs(r, corr_result_sighting(r, i));

        id &= b->have & CORR_HAVE_IP_ID && b->ip_id == a->ip_id;
        stamp &= b->have & CORR_HAVE_TS && b->tsval == a->tsval;
    }
    return id && stamp ? "by IP identification and time stamp at"
           : id        ? "by IP identification at"
           : stamp     ? "by time stamp and order at"
                       : "by their order and usual delay at";
}

void corr_text_why(const struct corr_result *r, uint32_t sighting, uint32_t frames, GString *text)
{
    static const char *const why[CORR_METHOD_COUNT] = {
        [CORR_METHOD_PACKET_ID] = "the capture itself numbers the packet, at",
        [CORR_METHOD_EXACT] = "same content and no other packet like it, at",
        [CORR_METHOD_TRANSLATED] =
            "same content and no other packet like it once the translation is undone, at",
        [CORR_METHOD_RANGE] = "the same bytes, cut as each point saw them, at",
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
    g_string_append_printf(text, "%s %u points",
                           p->method == CORR_METHOD_ALIGNED ? told_by(r, p)
                           : why[p->method] != NULL         ? why[p->method]
                                                            : "seen at",
                           points);
    if (p->method != CORR_METHOD_EXACT)
        append_transform(r, p, text);
}
