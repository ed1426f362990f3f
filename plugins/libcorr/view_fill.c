/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_fill.c - the setters of the corr.* fields, in the order of CORR_FIELDS.
 *
 * A frame may hold several packets.  What has room for one value speaks of the
 * first; match_id, prev, next, missed and the drop fields speak of all.
 *
 * Each setter may add unwanted values, they are left out; but it makes no
 * unwanted text and takes no unwanted walk.
 */
#include "view_fill.h"

#include <stdlib.h>
#include <string.h>

#include "layers/layers.h"
#include "report/change.h"
#include "path/nat_text.h"
#include "report/report-int.h"
#include "path/text.h"
#include "report/why.h"
#include "view_fill-int.h"

/* Fields that are made together. */
#define WANT_NEIGHBOURS (CORR_WANT(prev_frame) | CORR_WANT(next_frame))
#define WANT_WAY                                                                                   \
    (WANT_NEIGHBOURS | CORR_WANT(hop) | CORR_WANT(path) | CORR_WANT(first_frame) |                 \
     CORR_WANT(last_frame))
#define WANT_LATENCY                                                                               \
    (CORR_WANT(hop_latency) | CORR_WANT(hop_latency_error) | CORR_WANT(path_latency) |             \
     CORR_WANT_SUMMARY)
/* The fields corr.nat.*, which stand one after the other in the list. */
#define WANT_ELSEWHERE                                                                             \
    (CORR_WANT(nat_src) | CORR_WANT(nat_dst) | CORR_WANT(nat_src_port) | CORR_WANT(nat_dst_port) | \
     CORR_WANT(nat_ip) | CORR_WANT(nat_ip6))
/* All that depends on whether the packet was seen elsewhere. */
#define WANT_COUNT                                                                                 \
    (CORR_WANT(match_count) | CORR_WANT(method) | CORR_WANT(why) | WANT_WAY | WANT_ELSEWHERE |     \
     CORR_WANT_SUMMARY)

static uint32_t sighting_frame(const struct corr_fill *f, uint32_t sighting)
{
    return corr_result_obs(f->r, corr_result_sighting(f->r, sighting))->frame;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Frames that show a packet.  They mostly ascend; a storm of copies always does. */
static uint32_t count_frames(const struct corr_result *r, const struct corr_packet *p)
{
    g_autofree uint32_t *frames = NULL;
    uint32_t count = 0, last = 0, i;

    for (i = 0; i < p->n; i++) {
        uint32_t frame = corr_result_obs(r, corr_result_sighting(r, p->first + i))->frame;
        if (frame < last)
            break;
        count += frame != last; /* frames count from 1 */
        last = frame;
    }
    if (i == p->n)
        return count;

    frames = g_new(uint32_t, p->n);
    for (i = 0; i < p->n; i++)
        frames[i] = corr_result_obs(r, corr_result_sighting(r, p->first + i))->frame;
    qsort(frames, p->n, sizeof *frames, compare_u32);
    for (count = i = 0; i < p->n; i++)
        count += i == 0 || frames[i] != frames[i - 1];
    return count;
}

/* Another sighting stands at the same position of the way: a branch, not a step. */
static bool is_sibling(const struct corr_fill *f, uint32_t sighting)
{
    const struct corr_sighting *s = corr_result_sighting(f->r, sighting);
    const struct corr_packet *p = corr_result_packet(f->r, s->packet);

    for (uint32_t i = 0; i < p->n; i++) {
        const struct corr_sighting *other = corr_result_sighting(f->r, p->first + i);
        if (other != s && !other->duplicate && other->hop == s->hop)
            return true;
    }
    return false;
}

/* A mirror copy stands where its original does, which precedes it. */
static uint32_t original_of(const struct corr_fill *f, uint32_t sighting)
{
    while (corr_result_sighting(f->r, sighting)->duplicate &&
           sighting > corr_result_packet(f->r, corr_result_sighting(f->r, sighting)->packet)->first)
        sighting--;
    return sighting;
}

static void add_frame_once(const struct corr_fill *f, enum corr_field field, GArray *added,
                           uint32_t frame)
{
    if (frame == f->frame)
        return;
    for (unsigned i = added->len; i-- > 0;)
        if (g_array_index(added, uint32_t, i) == frame)
            return;
    g_array_append_val(added, frame);
    corr_view_add_number(f->view, field, frame);
}

static void fill_identity(struct corr_fill *f)
{
    for (unsigned i = 0; i < f->sightings->len; i++) {
        uint32_t s = g_array_index(f->sightings, uint32_t, i);
        corr_view_add_number(f->view, CORR_FIELD_match_id,
                             corr_result_sighting(f->r, s)->packet + 1);
    }
    corr_view_add_number(f->view, CORR_FIELD_match_count, f->count);
    if (f->matched)
        corr_view_add_word(f->view, CORR_FIELD_method, corr_method_word(f->p->method));
    if (corr_view_wants(f->view, CORR_WANT(why))) {
        g_string_truncate(f->text, 0);
        corr_text_why(f->r, f->main, f->count, f->text);
        corr_view_add_text(f->view, CORR_FIELD_why, f->text->str);
    }
    if (f->p->quotes != CORR_NONE)
        corr_view_add_number(f->view, CORR_FIELD_quotes, f->p->quotes + 1);
    if (f->p->ambiguous) {
        corr_view_add_number(f->view, CORR_FIELD_ambiguous, 1);
        corr_view_add_finding(f->view, CORR_FINDING_ambiguous, NULL);
    }
}

static void fill_neighbours(const struct corr_fill *f)
{
    g_autoptr(GArray) added = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (unsigned i = 0; i < f->sightings->len; i++) {
        uint32_t s = original_of(f, g_array_index(f->sightings, uint32_t, i));
        uint32_t prev = corr_result_sighting(f->r, s)->prev;
        if (prev != CORR_NONE && !is_sibling(f, prev))
            add_frame_once(f, CORR_FIELD_prev_frame, added, sighting_frame(f, prev));
    }
    g_array_set_size(added, 0);
    for (unsigned i = 0; i < f->sightings->len; i++) {
        uint32_t s = original_of(f, g_array_index(f->sightings, uint32_t, i));
        const struct corr_packet *p =
            corr_result_packet(f->r, corr_result_sighting(f->r, s)->packet);
        for (uint32_t k = p->first; k < p->first + p->n; k++) {
            const struct corr_sighting *t = corr_result_sighting(f->r, k);
            if (t->prev == s && !t->duplicate && !is_sibling(f, k))
                add_frame_once(f, CORR_FIELD_next_frame, added, sighting_frame(f, k));
        }
    }
}

static void fill_way(struct corr_fill *f)
{
    uint32_t end = f->p->first + f->p->n - 1;

    if (!f->matched || f->p->ambiguous || !corr_view_wants(f->view, WANT_WAY))
        return;
    if (f->s->hop)
        corr_view_add_number(f->view, CORR_FIELD_hop, f->s->hop);
    if (f->p->ordered && corr_view_wants(f->view, CORR_WANT(path))) {
        g_string_truncate(f->text, 0);
        corr_text_path(f->r, f->p, f->text);
        if (f->text->len)
            corr_view_add_text(f->view, CORR_FIELD_path, f->text->str);
    }
    if (f->p->ordered)
        corr_view_add_number(f->view, CORR_FIELD_first_frame, sighting_frame(f, f->p->first));
    if (corr_view_wants(f->view, WANT_NEIGHBOURS))
        fill_neighbours(f);
    if (f->p->ordered)
        corr_view_add_number(f->view, CORR_FIELD_last_frame,
                             sighting_frame(f, original_of(f, end)));
}

/*
 * Last byte to last byte: of several packets in the frame the last one's time
 * counts, as it was the last to be put in.
 */
static const struct corr_sighting *fill_latency(struct corr_fill *f)
{
    const struct corr_sighting *found = NULL;
    struct corr_latency took = {0}, since;

    if (f->p->ambiguous || !corr_view_wants(f->view, WANT_LATENCY))
        return NULL;
    for (unsigned i = 0; i < f->sightings->len; i++) {
        const struct corr_sighting *s =
            corr_result_sighting(f->r, g_array_index(f->sightings, uint32_t, i));
        if (!s->duplicate && (since = corr_result_latency(f->r, s)).known) {
            found = s;
            took = since;
        }
    }
    if (found) {
        corr_view_add_ns(f->view, CORR_FIELD_hop_latency, took.ns);
        corr_view_add_ns(f->view, CORR_FIELD_hop_latency_error, took.error_ns);
    }
    since = corr_result_path_latency(f->r, found ? found : f->s);
    if (since.known && (found || !f->s->duplicate))
        corr_view_add_ns(f->view, CORR_FIELD_path_latency, since.ns);
    return found;
}

void corr_fill_text_once(const struct corr_fill *f, enum corr_field field, const char *text)
{
    for (unsigned i = f->view->values->len; i-- > 0;) {
        const struct corr_value *v = &g_array_index(f->view->values, struct corr_value, i);
        if (v->field != field)
            break;
        if (strcmp(v->str, text) == 0)
            return;
    }
    corr_view_add_text(f->view, field, text);
}

void corr_fill_number_once(const struct corr_fill *f, enum corr_field field, uint32_t number)
{
    for (unsigned i = f->view->values->len; i-- > 0;) {
        const struct corr_value *v = &g_array_index(f->view->values, struct corr_value, i);
        if (v->field != field)
            break;
        if (v->u32 == number)
            return;
    }
    corr_view_add_number(f->view, field, number);
}

static void add_addr_once(const struct corr_fill *f, enum corr_field field, unsigned len,
                          const struct corr_addr *addr, const struct corr_tuple *own)
{
    if (addr->len != len || corr_addr_equal(addr, &own->src->addr) ||
        corr_addr_equal(addr, &own->dst->addr))
        return;
    for (unsigned i = f->view->values->len; i-- > 0;) {
        const struct corr_value *v = &g_array_index(f->view->values, struct corr_value, i);
        if (v->field != field)
            break;
        if (memcmp(v->addr, addr->bytes, len) == 0)
            return;
    }
    corr_view_add_addr(f->view, field, addr->bytes, len);
}

/* What the packet's first sighting and this one tell: corr.nat.  f->text holds it afterwards. */
static void fill_nat(struct corr_fill *f)
{
    uint32_t first = f->main;

    g_string_truncate(f->text, 0);
    if (!corr_view_wants(f->view, CORR_WANT(nat) | CORR_WANT_SUMMARY))
        return;
    for (uint32_t guard = 0; guard < f->p->n; guard++) {
        uint32_t prev = corr_result_sighting(f->r, original_of(f, first))->prev;
        if (prev == CORR_NONE)
            break;
        first = prev;
    }
    const struct corr_obs *origin = corr_result_obs(f->r, corr_result_sighting(f->r, first));
    if (corr_result_sighting(f->r, first)->hop != 1 || f->p->ambiguous)
        return;
    if (!(origin->have & f->obs->have & CORR_HAVE_IP))
        return;
    /* A later fragment may be one of a tunnel's: its addresses are not the packet's. */
    if (origin->kind != f->obs->kind &&
        (origin->kind == CORR_KIND_FRAGMENT || f->obs->kind == CORR_KIND_FRAGMENT))
        return;
    struct corr_tuple then = corr_tuple_of(f->r->store, origin);
    struct corr_tuple now = corr_tuple_of(f->r->store, f->obs);
    corr_nat_text(&then, &now, f->p->flow != CORR_NONE && f->p->dir, f->text);
    if (f->text->len)
        corr_view_add_text(f->view, CORR_FIELD_nat, f->text->str);
}

/* Endpoints of this packet's direction as other members of the flow show them. */
static struct corr_tuple other_form(const struct corr_fill *f, const GArray *convs, unsigned i)
{
    const struct corr_member *member = &g_array_index(convs, struct corr_member, i);
    const struct corr_conv *conv = corr_result_conv(f->r, member->conv);
    unsigned dir = (f->p->dir ^ member->flip) & 1;
    return (struct corr_tuple){&conv->end[dir], &conv->end[!dir], conv->has_ports, conv->proto};
}

static void add_elsewhere(const struct corr_fill *f, enum corr_field field,
                          const struct corr_tuple *now, const struct corr_tuple *other)
{
    bool is_src = field == CORR_FIELD_nat_src || field == CORR_FIELD_nat_src_port;
    const struct corr_endpoint *mine = is_src ? now->src : now->dst;
    const struct corr_endpoint *theirs = is_src ? other->src : other->dst;
    char text[CORR_ADDR_TEXT];

    switch (field) {
    case CORR_FIELD_nat_src:
    case CORR_FIELD_nat_dst:
        if (!corr_addr_equal(&theirs->addr, &mine->addr))
            corr_fill_text_once(f, field, corr_addr_text(&theirs->addr, text));
        break;
    case CORR_FIELD_nat_src_port:
    case CORR_FIELD_nat_dst_port:
        if (now->has_ports && other->has_ports && theirs->port != mine->port)
            corr_fill_number_once(f, field, theirs->port);
        break;
    default:
        add_addr_once(f, field, field == CORR_FIELD_nat_ip ? 4 : 16, &other->src->addr, now);
        add_addr_once(f, field, field == CORR_FIELD_nat_ip ? 4 : 16, &other->dst->addr, now);
    }
}

static void fill_elsewhere(struct corr_fill *f)
{
    if (!f->matched || f->p->flow == CORR_NONE || !(f->obs->have & CORR_HAVE_IP) ||
        !corr_view_wants(f->view, WANT_ELSEWHERE))
        return;
    const GArray *convs = corr_result_flow(f->r, f->p->flow)->convs;
    struct corr_tuple now = corr_tuple_of(f->r->store, f->obs);
    bool translated = false;
    for (unsigned i = 0; i < convs->len && !translated; i++) {
        struct corr_tuple other = other_form(f, convs, i);
        translated = !corr_tuple_equal(&now, &other);
    }
    for (int field = CORR_FIELD_nat_src; translated && field <= CORR_FIELD_nat_ip6; field++) {
        if (!corr_view_wants(f->view, CORR_WANT_FIELD(field)))
            continue;
        for (unsigned i = 0; i < convs->len; i++) {
            struct corr_tuple other = other_form(f, convs, i);
            add_elsewhere(f, (enum corr_field)field, &now, &other);
        }
    }
}

static void fill_flow(struct corr_fill *f)
{
    uint32_t flow = f->p->flow;

    /* The local flow of a later fragment has no ports: it is no conversation of its own. */
    if (flow == CORR_NONE && f->obs->kind != CORR_KIND_FRAGMENT && f->r->obs_conv &&
        f->r->conv_flow)
        flow = f->r->conv_flow[f->r->obs_conv[f->s->obs]];
    if (flow != CORR_NONE && f->obs->have & CORR_HAVE_IP)
        corr_view_add_number(f->view, CORR_FIELD_flow, flow + 1);
}

static void fill_changes(struct corr_fill *f)
{
    g_autoptr(GArray) changes = NULL;

    if (f->s->hop < 2 || f->s->duplicate || f->p->ambiguous ||
        !corr_view_wants(f->view, CORR_WANT(change)))
        return;
    changes = g_array_new(FALSE, FALSE, sizeof(struct corr_change));
    corr_change_collect(f->r, f->main, changes);
    for (unsigned i = 0; i < changes->len; i++) {
        g_string_truncate(f->text, 0);
        corr_change_text(f->r, &g_array_index(changes, struct corr_change, i), f->text);
        corr_view_add_text(f->view, CORR_FIELD_change, f->text->str);
    }
}

/* "Packet 8, hop 3 of 4 at wan: 1.20 ms ± 20.0 µs after lan, SNAT a -> b, dropped before server" */
static void fill_summary(struct corr_fill *f, const struct corr_sighting *latency, const char *nat,
                         const struct corr_packet *dropped)
{
    GString *out = f->sentence;
    unsigned hops = 0;

    g_string_printf(out, "Packet %u", f->s->packet + 1);
    if (f->sightings->len > 1)
        g_string_append_printf(out, " and %u more", f->sightings->len - 1);
    for (uint32_t i = 0; i < f->p->n; i++)
        hops = MAX(hops, corr_result_sighting(f->r, f->p->first + i)->hop);
    if (f->matched && f->s->hop && !f->p->ambiguous) {
        g_string_append_printf(out, ", hop %u", f->s->hop);
        if (f->p->ordered)
            g_string_append_printf(out, " of %u", hops);
    }
    g_string_append_printf(out, " at %s", corr_fill_point_name(f, f->obs->point));
    const char *join = ": ";
    if (latency) {
        g_string_append(out, join);
        corr_text_latency(corr_result_latency(f->r, latency), out);
        const struct corr_sighting *prev = corr_result_sighting(f->r, latency->prev);
        g_string_append_printf(out, " after %s",
                               corr_fill_point_name(f, corr_sighting_point(f->r, prev)));
        join = ", ";
    }
    if (*nat) {
        g_string_append_printf(out, "%s%s", join, nat);
        join = ", ";
    }
    if (f->s->duplicate) {
        g_string_append_printf(out, "%sfurther copy at this point", join);
        join = ", ";
    }
    if (f->p->ambiguous || !f->matched) {
        g_string_append_printf(out, "%s%s", join, f->p->ambiguous ? "ambiguous" : "seen here only");
        join = ", ";
    }
    if (dropped && dropped->drop_before != CORR_NONE)
        g_string_append_printf(out, "%sdropped before %s (%s)", join,
                               corr_fill_point_name(f, dropped->drop_before),
                               corr_fate_word(dropped->fate));
    else if (dropped)
        g_string_append_printf(out, "%sdropped after this point (%s)", join,
                               corr_fate_word(dropped->fate));
    f->view->summary = g_string_chunk_insert(f->view->strings, out->str);
}

static void fill_packet(struct corr_fill *f)
{
    const struct corr_packet *dropped;
    const char *nat = "";

    f->main = g_array_index(f->sightings, uint32_t, 0);
    f->s = corr_result_sighting(f->r, f->main);
    f->p = corr_result_packet(f->r, f->s->packet);
    f->obs = corr_result_obs(f->r, f->s);
    if (corr_view_wants(f->view, WANT_COUNT))
        f->count = count_frames(f->r, f->p);
    f->matched = f->count > 1;

    fill_identity(f);
    fill_way(f);
    const struct corr_sighting *latency = fill_latency(f);
    fill_flow(f);
    fill_nat(f);
    if (f->text->len && corr_view_wants(f->view, CORR_WANT_SUMMARY))
        nat = g_string_chunk_insert(f->view->strings, f->text->str);
    fill_elsewhere(f);
    fill_changes(f);
    corr_fill_origin(f);
    dropped = corr_fill_fate(f);
    corr_fill_missed(f);
    corr_fill_end(f, dropped);
    if (f->s->duplicate)
        corr_view_add_number(f->view, CORR_FIELD_duplicate, 1);
    corr_view_fill_tcp(f->r, f->s->obs, f->view);
    corr_view_fill_phases(f->r, f->s->obs, f->view);
    corr_fill_point(f);
    if (corr_view_wants(f->view, CORR_WANT_SUMMARY))
        fill_summary(f, latency, nat, dropped);
}

void corr_view_prepare(const struct corr_result *result, uint64_t wanted)
{
    if (wanted & (CORR_WANT_TCP | CORR_WANT_FINDINGS))
        corr_layers_tcp(result);
    if (wanted & CORR_WANT_PHASES)
        corr_layers_phases(result);
    if (wanted & CORR_WANT_FINDINGS) {
        corr_layers_verdicts(result);
        corr_layers_findings(result);
    }
}

uint64_t corr_view_prepared(const struct corr_result *result)
{
    uint64_t not_yet = 0;

    if (!corr_layers_has_tcp(result))
        not_yet |= CORR_WANT_TCP | CORR_WANT_FINDINGS;
    if (!corr_layers_has_phases(result))
        not_yet |= CORR_WANT_PHASES;
    if (!corr_layers_has_verdicts(result) || !corr_layers_has_findings(result))
        not_yet |= CORR_WANT_FINDINGS;
    return ~not_yet;
}

void corr_view_fill(const struct corr_store *store, const struct corr_result *result,
                    uint32_t frame, uint64_t wanted, struct corr_view *view)
{
    GArray *sightings = view->sightings;

    corr_view_clear(view);
    view->wanted = wanted;
    if (frame != 0 && frame == store->full_at)
        corr_view_add_finding(view, CORR_FINDING_limit, "from this frame on");
    if (frame == 0 || frame >= store->frame_point->len ||
        g_array_index(store->frame_point, uint16_t, frame) == 0)
        return;
    uint32_t point = g_array_index(store->frame_point, uint16_t, frame) - 1u;
    corr_view_add_word(view, CORR_FIELD_point, corr_store_point(store, point)->name);
    uint32_t obs = g_array_index(store->frame_obs, uint32_t, frame);
    if (!result || obs == CORR_NONE || obs >= result->n_obs || !(wanted & ~CORR_WANT(point)))
        return;
    for (; obs < result->n_obs && corr_store_obs(store, obs)->frame == frame; obs++)
        g_array_append_vals(sightings, result->obs_sightings + result->obs_first[obs],
                            result->obs_first[obs + 1] - result->obs_first[obs]);
    if (sightings->len == 0)
        return;
    struct corr_fill f = {
        .r = result,
        .view = view,
        .frame = frame,
        .sightings = sightings,
        .text = view->text,
        .sentence = view->sentence,
    };
    fill_packet(&f);
}
