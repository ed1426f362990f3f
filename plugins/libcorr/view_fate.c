/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_fate.c - what became of a frame's packets: the fields of losses and of capture loss. */
#include <string.h>

#include "path/gap.h"
#include "path/pending.h"
#include "path/text.h"
#include "view_fill-int.h"

#define WANT_LOSS                                                                                  \
    (CORR_WANT(dropped) | CORR_WANT(drop_after) | CORR_WANT(drop_before) |                         \
     CORR_WANT(drop_match_id) | CORR_WANT(drop_verdict) | CORR_WANT(drop_cause) |                  \
     CORR_WANT(drop_evidence) | CORR_WANT(fate) | CORR_WANT_SUMMARY | CORR_WANT_FINDINGS)

/* The packet of a sighting, if that sighting is where it ends with this kind of fate. */
static const struct corr_packet *ends_here(const struct corr_fill *f, unsigned i, bool drop)
{
    uint32_t s = g_array_index(f->sightings, uint32_t, i);
    const struct corr_packet *p = corr_result_packet(f->r, corr_result_sighting(f->r, s)->packet);

    if (p->drop_after != s || (drop && p->ambiguous))
        return NULL;
    return (drop ? corr_fate_is_drop(p->fate) : p->fate == CORR_FATE_UNDETERMINED) ? p : NULL;
}

static enum corr_finding_kind drop_kind(enum corr_fate fate)
{
    if (fate == CORR_FATE_BLOCKED)
        return CORR_FINDING_blocked;
    return fate == CORR_FATE_CONFIRMED ? CORR_FINDING_lost : CORR_FINDING_lost_probably;
}

/* "packet 8 after lan, before wan; cause: ttl; frame 9 proves it" */
static void find_drop(struct corr_fill *f, const struct corr_packet *p, uint32_t packet)
{
    GString *out = f->sentence;

    if (!corr_view_wants(f->view, CORR_WANT_FINDINGS))
        return;
    g_string_printf(out, "packet %u after %s, ", packet + 1,
                    corr_fill_point_name(f, f->obs->point));
    if (p->drop_before != CORR_NONE)
        g_string_append_printf(out, "before %s", corr_fill_point_name(f, p->drop_before));
    else
        g_string_append(out, "the last point");
    if (corr_cause_word(p->cause))
        g_string_append_printf(out, "; cause: %s", corr_cause_word(p->cause));
    if (p->evidence) {
        g_string_append(out, "; ");
        corr_text_evidence(f->r, packet, out);
    }
    corr_view_add_finding(f->view, drop_kind(p->fate), out->str);
}

const struct corr_packet *corr_fill_fate(struct corr_fill *f)
{
    const struct corr_packet *dropped = NULL;
    bool losses = corr_view_wants(f->view, WANT_LOSS);
    bool undetermined = corr_view_wants(f->view, CORR_WANT(undetermined));
    const struct corr_packet *p;

    for (unsigned i = 0; losses && i < f->sightings->len && !dropped; i++) {
        dropped = ends_here(f, i, true);
        if (dropped)
            corr_view_add_number(f->view, CORR_FIELD_dropped, 1);
    }
    for (unsigned i = 0; undetermined && i < f->sightings->len; i++) {
        if (!(p = ends_here(f, i, false)))
            continue;
        g_string_truncate(f->text, 0);
        corr_text_reason(f->r, p, f->text);
        corr_fill_text_once(f, CORR_FIELD_undetermined, f->text->str);
    }
    if (!dropped)
        return NULL;
    p = dropped;
    corr_view_add_word(f->view, CORR_FIELD_drop_after, corr_fill_point_name(f, f->obs->point));
    if (p->drop_before != CORR_NONE)
        corr_view_add_word(f->view, CORR_FIELD_drop_before,
                           corr_fill_point_name(f, p->drop_before));
    for (unsigned i = 0; f->sightings->len > 1 && i < f->sightings->len; i++)
        if (ends_here(f, i, true))
            corr_view_add_number(
                f->view, CORR_FIELD_drop_match_id,
                corr_result_sighting(f->r, g_array_index(f->sightings, uint32_t, i))->packet + 1);
    corr_view_add_word(f->view, CORR_FIELD_drop_verdict, corr_fate_word(p->fate));
    if (corr_cause_word(p->cause))
        corr_view_add_word(f->view, CORR_FIELD_drop_cause, corr_cause_word(p->cause));
    for (unsigned i = 0; i < f->sightings->len; i++) {
        if (!(p = ends_here(f, i, true)))
            continue;
        if (p->evidence)
            corr_fill_number_once(f, CORR_FIELD_drop_evidence, p->evidence);
        find_drop(f, p,
                  corr_result_sighting(f->r, g_array_index(f->sightings, uint32_t, i))->packet);
    }
    return dropped;
}

/* Of sorted struct corr_injected. */
static const struct corr_injected *find_injected(const GArray *all, uint32_t packet)
{
    unsigned lo = 0, hi = all->len;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (g_array_index(all, struct corr_injected, mid).packet < packet)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct corr_injected *found = &g_array_index(all, struct corr_injected, lo);
    return lo < all->len && found->packet == packet ? found : NULL;
}

void corr_fill_origin(struct corr_fill *f)
{
    const struct corr_injected *injected = find_injected(f->r->injected, f->s->packet);

    if (!injected || !corr_view_wants(f->view, CORR_WANT(originated) | CORR_WANT_FINDINGS))
        return;
    uint32_t first = corr_sighting_point(f->r, corr_result_sighting(f->r, f->p->first));
    g_string_printf(f->sentence, "between %s and %s", corr_fill_point_name(f, injected->after),
                    corr_fill_point_name(f, first));
    corr_view_add_text(f->view, CORR_FIELD_originated, f->sentence->str);
    if (f->main == f->p->first)
        corr_view_add_finding(f->view, CORR_FINDING_originated, f->sentence->str);
}

void corr_fill_missed(struct corr_fill *f)
{
    if (!corr_view_wants(f->view, CORR_WANT(missed) | CORR_WANT_FINDINGS))
        return;
    for (unsigned i = 0; i < f->sightings->len; i++) {
        uint32_t sighting = g_array_index(f->sightings, uint32_t, i);
        uint32_t packet = corr_result_sighting(f->r, sighting)->packet;
        const struct corr_packet *p = corr_result_packet(f->r, packet);
        const GArray *missed = corr_packet_missed(f->r, p);
        for (unsigned m = 0; missed && m < missed->len; m++) {
            uint32_t point = g_array_index(missed, uint32_t, m);
            bool sure;
            if (corr_gap_sighting(f->r, p, point, &sure) != sighting)
                continue;
            corr_fill_text_once(f, CORR_FIELD_missed, corr_fill_point_name(f, point));
            if (!corr_view_wants(f->view, CORR_WANT_FINDINGS))
                continue;
            g_string_printf(f->sentence, "packet %u passed %s", packet + 1,
                            corr_fill_point_name(f, point));
            corr_view_add_finding(f->view, CORR_FINDING_missed, f->sentence->str);
        }
    }
}

static void append_missed(const struct corr_fill *f, GString *out)
{
    const GArray *missed = corr_packet_missed(f->r, f->p);

    for (unsigned m = 0; missed && m < missed->len; m++) {
        uint32_t point = g_array_index(missed, uint32_t, m);
        bool sure;

        if (corr_gap_sighting(f->r, f->p, point, &sure) == f->main)
            g_string_append_printf(out, "%s%s", out->len ? ", " : "missed by the capture at ",
                                   corr_fill_point_name(f, point));
    }
}

/* "lost before wan (confirmed, ttl)", "unknown: tail", "missed by the capture at wan", "pending" */
void corr_fill_end(struct corr_fill *f, const struct corr_packet *dropped)
{
    GString *out = f->text;

    if (!corr_view_wants(f->view, CORR_WANT(fate)))
        return;
    g_string_truncate(out, 0);
    if (dropped) {
        if (dropped->drop_before != CORR_NONE)
            g_string_printf(out, "lost before %s (%s",
                            corr_fill_point_name(f, dropped->drop_before),
                            corr_fate_word(dropped->fate));
        else
            g_string_printf(out, "lost after this point (%s", corr_fate_word(dropped->fate));
        if (corr_cause_word(dropped->cause))
            g_string_append_printf(out, ", %s", corr_cause_word(dropped->cause));
        g_string_append_c(out, ')');
    } else {
        append_missed(f, out);
        for (unsigned i = 0; out->len == 0 && i < f->sightings->len; i++) {
            const struct corr_packet *p = ends_here(f, i, false);

            if (p) {
                g_string_assign(out, corr_packet_is_pending(p) ? "" : "unknown: ");
                corr_text_reason(f->r, p, out);
            }
        }
    }
    if (out->len)
        corr_view_add_text(f->view, CORR_FIELD_fate, out->str);
}
