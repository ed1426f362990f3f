/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.c - how a match was found, or why there is none, in one sentence. */
#include "report/why.h"

#include "path/nat_text.h"
#include "path/text.h"
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

/* What became of a packet that no other point shows. */
static void append_end(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    if (corr_fate_is_drop(p->fate)) {
        g_string_append(text, "; it was lost");
        if (p->drop_before != CORR_NONE)
            g_string_append_printf(text, " before %s",
                                   corr_store_point(r->store, p->drop_before)->name);
        g_string_append_printf(text, " (%s)", corr_fate_word(p->fate));
    } else if (p->fate == CORR_FATE_UNDETERMINED) {
        g_string_append(text, "; what became of it is not known: ");
        corr_text_reason(r, p, text);
    }
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
    else if (p->flow < r->flows->len && append_elsewhere(r, p->flow, obs->point, points)) {
        g_string_append_printf(text, ": its flow was seen at %s, this packet was not", points->str);
        if (corr_conv_scoped(corr_store_conv(r->store, obs->conv)) && !(obs->have & CORR_HAVE_MAC))
            g_string_append(text, "; no router forwards it, and without MAC addresses nothing "
                                  "shows that two points are on its link");
        append_end(r, p, text);
    } else if (p->flow < r->flows->len)
        g_string_append(text, ": nothing of its flow was seen elsewhere, under no addresses");
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

#define MAX_RIVALS 3       /* frames that are named */
#define MAX_LOOKED_AT 1000 /* of a flood of equal packets */

/* The frame of a packet at a point; 0: the point does not show it. */
static uint32_t frame_at(const struct corr_result *r, const struct corr_packet *p, uint32_t point)
{
    for (uint32_t i = p->first; i < p->first + p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, i);

        if (!s->duplicate && corr_result_obs(r, s)->point == point)
            return corr_result_obs(r, s)->frame;
    }
    return 0;
}

static void sort_frames(uint32_t *frames, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = i; k > 0 && frames[k - 1] > frames[k]; k--) {
            uint32_t one = frames[k];

            frames[k] = frames[k - 1];
            frames[k - 1] = one;
        }
}

/*
 * "frames 17 and 23", "frames 17, 23, 31 and others": sightings at the same point of other
 * packets with this content, which this packet could have been taken for.  False: none is known.
 */
static bool append_rivals(const struct corr_result *r, uint32_t packet, uint32_t point,
                          GString *text)
{
    uint32_t frames[MAX_RIVALS + 1];
    unsigned n = 0, looked = 0;

    for (uint32_t other = corr_result_rival(r, packet);
         other != CORR_NONE && other != packet && n <= MAX_RIVALS && looked < MAX_LOOKED_AT;
         other = corr_result_rival(r, other), looked++) {
        uint32_t frame = frame_at(r, corr_result_packet(r, other), point);
        bool known = frame == 0;

        for (unsigned i = 0; i < n; i++)
            known |= frames[i] == frame;
        if (!known)
            frames[n++] = frame;
    }
    if (n == 0)
        return false;
    g_string_append(text, n == 1 ? "frame " : "frames ");
    sort_frames(frames, MIN(n, MAX_RIVALS));
    for (unsigned i = 0; i < MIN(n, MAX_RIVALS); i++)
        g_string_append_printf(text, "%s%u", i == 0 ? "" : i + 1 == n ? " and " : ", ", frames[i]);
    if (n > MAX_RIVALS)
        g_string_append(text, " and others");
    return true;
}

/* What all sightings of a packet have in common, which is what they were compared by. */
static void append_content(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, p->first));
    uint8_t level = a->cap_level;
    bool residual = a->have & CORR_HAVE_RESID;

    for (uint32_t i = p->first + 1; i < p->first + p->n; i++) {
        const struct corr_obs *b = corr_result_obs(r, corr_result_sighting(r, i));

        level = MIN(level, b->cap_level);
        residual &= b->have & CORR_HAVE_RESID && a->resid == b->resid;
    }
    switch (a->kind) {
    case CORR_KIND_TCP:
        g_string_append(text, a->tcp_flags & CORR_TCP_SYN ? "same SYN, same sequence numbers"
                                                          : "same TCP sequence numbers");
        break;
    case CORR_KIND_ECHO:
        g_string_append(text, "same echo sequence number");
        break;
    case CORR_KIND_ICMP_ERROR:
        g_string_append(text, "same ICMP error about the same packet");
        return;
    case CORR_KIND_FRAGMENT:
        g_string_append(text, "same datagram and offset");
        break;
    case CORR_KIND_L2:
        g_string_append(text, "same type of frame");
        break;
    default:
        g_string_append(text, "same flow");
        break;
    }
    if (!(a->have & CORR_HAVE_LEN) || a->len == 0)
        return;
    switch (level) {
    case CORR_LEVEL_FULL:
        g_string_append_printf(text, " and %u bytes", a->len);
        break;
    case CORR_LEVEL_128:
        g_string_append_printf(text, " and length and the first 128 of %u bytes", a->len);
        break;
    case CORR_LEVEL_32:
        g_string_append_printf(text, " and length and the first 32 of %u bytes", a->len);
        break;
    case CORR_LEVEL_8:
        g_string_append_printf(text, " and length and the first 8 of %u bytes", a->len);
        break;
    default:
        g_string_append_printf(text, " and length (%u bytes, not captured everywhere)", a->len);
        break;
    }
    if (level != CORR_LEVEL_FULL && residual)
        g_string_append(text, ", and checksum");
}

/* By what equal packets were told apart: the marks that all sightings share. */
static void append_marks(const struct corr_result *r, const struct corr_packet *p, GString *text)
{
    const struct corr_obs *a = corr_result_obs(r, corr_result_sighting(r, p->first));
    bool id = a->have & CORR_HAVE_IP_ID && a->ip_id != 0, stamp = a->have & CORR_HAVE_TS;

    for (uint32_t i = p->first + 1; i < p->first + p->n; i++) {
        const struct corr_obs *b = corr_result_obs(r, corr_result_sighting(r, i));

        id &= b->have & CORR_HAVE_IP_ID && b->ip_id == a->ip_id;
        stamp &= b->have & CORR_HAVE_TS && b->tsval == a->tsval;
    }
    g_string_append(text, "by ");
    if (id)
        g_string_append_printf(text, "IP identification 0x%04x%s", a->ip_id, stamp ? ", " : "");
    if (stamp)
        g_string_append_printf(text, "time stamp %u%s", a->tsval, id ? "" : " and order");
    if (!id && !stamp)
        g_string_append(text, "their order and usual delay");
}

static void append_ambiguous(const struct corr_result *r, const struct corr_sighting *s,
                             GString *text)
{
    const struct corr_packet *p = corr_result_packet(r, s->packet);
    g_autoptr(GString) rivals = g_string_new(NULL);

    g_string_append_printf(text,
                           "ambiguous: %u%s equal packets at one point, nobody could tell "
                           "which is which",
                           p->candidates, p->candidates == 255 ? " or more" : "");
    if (append_rivals(r, s->packet, corr_sighting_point(r, s), rivals))
        g_string_append_printf(text, ": %s here could be it, too", rivals->str);
}

static void append_choice(const struct corr_result *r, const struct corr_sighting *s, GString *text)
{
    const struct corr_packet *p = corr_result_packet(r, s->packet);
    g_autoptr(GString) rivals = g_string_new(NULL);

    if (append_rivals(r, s->packet, corr_sighting_point(r, s), rivals))
        g_string_append_printf(text, "; not %s here, which %s equal but for that", rivals->str,
                               g_str_has_prefix(rivals->str, "frame ") ? "is" : "are");
    else if (p->candidates > 1)
        g_string_append_printf(text, "; %u%s equal packets at one point were told apart by that",
                               p->candidates, p->candidates == 255 ? " or more" : "");
}

void corr_text_why(const struct corr_result *r, uint32_t sighting, uint32_t frames, GString *text)
{
    const struct corr_sighting *s = corr_result_sighting(r, sighting);
    const struct corr_packet *p = corr_result_packet(r, s->packet);
    unsigned points = 0;

    if (p->ambiguous) {
        append_ambiguous(r, s, text);
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
    switch (p->method) {
    case CORR_METHOD_PACKET_ID:
        g_string_append_printf(text, "the capture itself numbers the packet, at %u points", points);
        break;
    case CORR_METHOD_RANGE:
        g_string_append_printf(text, "the same %u byte%s at %u points, cut as each saw them",
                               p->len, p->len == 1 ? "" : "s", points);
        break;
    default:
        append_content(r, p, text);
        g_string_append_printf(text, " at %u points", points);
        break;
    }
    if (p->method == CORR_METHOD_ALIGNED) {
        g_string_append(text, ", told apart ");
        append_marks(r, p, text);
        append_choice(r, s, text);
    } else if (p->method != CORR_METHOD_PACKET_ID) {
        g_string_append(text, ", and no other packet like it");
    }
    append_transform(r, p, text);
}
