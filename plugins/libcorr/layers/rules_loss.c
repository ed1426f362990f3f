/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_loss.c - where packets are lost, and why. */
#include <stdlib.h>
#include <string.h>

#include "layers/findings-int.h"
#include "path/text.h"

#define LOSS_ERROR 0.01 /* share from which a loss is more than a nuisance: layers/grade.h */
#define LOSS_ERROR_N 3  /* a share of fewer says little */
#define BURST_NS INT64_C(200000000) /* losses closer than this belong together */
#define BURST_SHARE 0.8
#define BURST_FLOWS 3
#define BLOCKED_TOLD 8 /* flows to one service that have a finding each */
#define BURST_PART 10  /* and in less than this part of the capture */

/* Time of a lost packet at the last point that saw it. */
static int64_t lost_ns(const struct corr_inquiry *q, uint32_t packet)
{
    const struct corr_packet *p = corr_result_packet(q->r, packet);

    return corr_result_obs(q->r, corr_result_sighting(q->r, p->drop_after))->time_ns;
}

uint32_t corr_inquiry_lost_frame(const struct corr_inquiry *q, uint32_t packet)
{
    const struct corr_packet *p = corr_result_packet(q->r, packet);

    return corr_result_obs(q->r, corr_result_sighting(q->r, p->drop_after))->frame;
}

static void prove_losses(const struct corr_inquiry *q, const GArray *packets,
                         struct corr_insight *insight)
{
    for (unsigned k = 0; k < packets->len && insight->evidence->len < CORR_EVIDENCE_MAX; k++) {
        uint32_t packet = g_array_index(packets, uint32_t, k);
        corr_insight_prove(insight, corr_inquiry_lost_frame(q, packet));
        corr_insight_prove(insight, corr_result_packet(q->r, packet)->evidence);
    }
}

static unsigned count_flows(const struct corr_inquiry *q, const GArray *packets, unsigned from,
                            unsigned to)
{
    g_autoptr(GHashTable) flows = g_hash_table_new(NULL, NULL);

    for (unsigned k = from; k < to; k++) {
        uint32_t flow = corr_result_packet(q->r, g_array_index(packets, uint32_t, k))->flow;
        g_hash_table_add(flows, GUINT_TO_POINTER(flow));
    }
    return g_hash_table_size(flows);
}

/* Most of the losses fell together, in several flows: something happened to the link. */
static void append_pattern(const struct corr_inquiry *q, const struct corr_loss *loss,
                           GString *text)
{
    unsigned n = loss->packets->len, best = 0, best_from = 0, from = 0;

    if (n == 0)
        return;
    for (unsigned k = 1; k <= n; k++) {
        bool apart =
            k == n || llabs(lost_ns(q, g_array_index(loss->packets, uint32_t, k)) -
                            lost_ns(q, g_array_index(loss->packets, uint32_t, k - 1))) > BURST_NS;
        if (!apart)
            continue;
        if (k - from > best) {
            best = k - from;
            best_from = from;
        }
        from = k;
    }
    unsigned flows = count_flows(q, loss->packets, 0, n);
    const struct corr_capture *capture = &q->captures[loss->after];
    int64_t span = best ? lost_ns(q, g_array_index(loss->packets, uint32_t, best_from + best - 1)) -
                              lost_ns(q, g_array_index(loss->packets, uint32_t, best_from))
                        : 0;
    if (best >= 5 && (double)best >= BURST_SHARE * n &&
        llabs(span) < (capture->last_ns - capture->first_ns) / BURST_PART &&
        count_flows(q, loss->packets, best_from, best_from + best) >= BURST_FLOWS) {
        g_string_append_printf(text, ", %u of them within ", best);
        corr_text_time(llabs(span), text);
        g_string_append_printf(text, " and in %u flows at once: something happened to the link",
                               count_flows(q, loss->packets, best_from, best_from + best));
    } else if (flows > 1) {
        g_string_append_printf(text, ", in %u flows", flows);
    }
}

static bool is_ack(const struct corr_inquiry *q, uint32_t packet)
{
    const struct corr_packet *p = corr_result_packet(q->r, packet);
    const struct corr_obs *obs = corr_result_obs(q->r, corr_result_sighting(q->r, p->first));

    return p->kind == CORR_KIND_TCP && p->len == 0 && obs->have & CORR_HAVE_TCP &&
           (obs->tcp_flags & ~CORR_TCP_PSH) == CORR_TCP_ACK;
}

/* Later acknowledgements say the same again: losing some costs little. */
static bool only_acks(const struct corr_inquiry *q, const struct corr_loss *loss)
{
    for (unsigned k = 0; k < loss->packets->len; k++)
        if (!is_ack(q, g_array_index(loss->packets, uint32_t, k)))
            return false;
    return loss->packets->len && !loss->unnamed;
}

/* "between wan and server", "behind server: inside of the host, or beyond" */
static void append_place(const struct corr_inquiry *q, uint32_t after, uint32_t before,
                         GString *text)
{
    if (before == CORR_NONE)
        g_string_append_printf(text, "behind %s: inside of the host, or beyond",
                               corr_inquiry_point(q, after));
    else
        g_string_append_printf(text, "between %s and %s", corr_inquiry_point(q, after),
                               corr_inquiry_point(q, before));
}

static void set_filter(const struct corr_inquiry *q, const struct corr_loss *loss,
                       struct corr_insight *insight)
{
    g_autofree char *after = corr_inquiry_quoted(q, loss->after);
    g_autofree char *before =
        loss->before == CORR_NONE ? NULL : corr_inquiry_quoted(q, loss->before);
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_printf(text, "corr.drop.after == \"%s\"", after);
    if (before)
        g_string_append_printf(text, " && corr.drop.before == \"%s\"", before);
    if (corr_cause_word(loss->cause))
        g_string_append_printf(text, " && corr.drop.cause == \"%s\"", corr_cause_word(loss->cause));
    corr_insight_filter(insight, "%s", text->str);
}

/* One finding per place, for losses of one cause; `why` ends the sentence. */
static void tell(struct corr_inquiry *q, enum corr_rule rule, uint8_t cause, const char *why)
{
    for (unsigned k = 0; k < q->losses->len; k++) {
        const struct corr_loss *loss = g_ptr_array_index(q->losses, k);
        if (loss->cause != cause)
            continue;
        const struct corr_segment *segment =
            corr_segment_find(q->segments, loss->after, loss->before);
        uint64_t passed = segment && loss->before != CORR_NONE ? segment->packets : 0;
        uint64_t lost = segment ? segment->lost : loss->n;
        double share = (double)loss->n / (double)(passed + MAX(lost, loss->n));
        bool acks = only_acks(q, loss);
        bool bad = share > LOSS_ERROR && loss->n >= LOSS_ERROR_N && !acks;
        g_autoptr(GString) text = g_string_new(NULL);
        struct corr_insight *insight =
            corr_insight_add(q, rule,
                             cause == CORR_CAUSE_TTL ? CORR_WEIGHT_NOTE
                             : bad                   ? CORR_WEIGHT_ERROR
                                                     : CORR_WEIGHT_WARNING,
                             loss->confirmed ? CORR_CONFIDENCE_CONFIRMED : CORR_CONFIDENCE_PROBABLE,
                             loss->after, loss->before);
        insight->size = loss->n;
        if (passed)
            corr_inquiry_share(text, loss->n, passed + MAX(lost, loss->n), "packet");
        else
            g_string_append_printf(text, "%u packet%s", loss->n, CORR_PLURAL(loss->n));
        g_string_append(text, loss->n == 1 ? " was lost " : " were lost ");
        append_place(q, loss->after, loss->before, text);
        append_pattern(q, loss, text);
        g_string_append(text, why);
        if (acks)
            g_string_append(text, " All are acknowledgements without data, which later ones "
                                  "replace: perhaps thinned out on purpose.");
        if (loss->unnamed)
            g_string_append_printf(text, " Of %u nobody can tell which they were: equal packets.",
                                   loss->unnamed);
        corr_insight_say(insight, "%s", text->str);
        set_filter(q, loss, insight);
        prove_losses(q, loss->packets, insight);
    }
}

void corr_rule_loss(struct corr_inquiry *q)
{
    tell(q, CORR_RULE_loss, CORR_CAUSE_UNKNOWN, ".");
}

void corr_rule_queue(struct corr_inquiry *q)
{
    tell(q, CORR_RULE_queue, CORR_CAUSE_QUEUE,
         ": the delay had grown before, a queue was full there.");
}

void corr_rule_policer(struct corr_inquiry *q)
{
    tell(q, CORR_RULE_policer, CORR_CAUSE_POLICER,
         ", while the delay did not grow: a rate limit (policer) drops what is above it.");
}

void corr_rule_corruption(struct corr_inquiry *q)
{
    tell(q, CORR_RULE_corruption, CORR_CAUSE_CORRUPTION,
         ": their checksum is wrong behind it. Look for a bad cable, port or radio link.");
}

void corr_rule_rejected(struct corr_inquiry *q)
{
    tell(q, CORR_RULE_rejected, CORR_CAUSE_POLICY,
         ": refused by a rule of a firewall or router, as an ICMP error or a reset says.");
}

void corr_rule_mtu(struct corr_inquiry *q)
{
    tell(q, CORR_RULE_mtu, CORR_CAUSE_MTU,
         ": only long packets fail, and must not be fragmented. Let ICMP \"fragmentation "
         "needed\" pass, or lower the MSS (clamping).");
}

void corr_rule_ttl(struct corr_inquiry *q)
{
    tell(q, CORR_RULE_ttl, CORR_CAUSE_TTL,
         ": their time to live ran out there, as that of probes (traceroute, mtr) does.");
}

/* One note per place. */
void corr_rule_thinned(struct corr_inquiry *q)
{
    const struct corr_result *r = q->r;
    uint32_t n_points = r->store->points->len;
    g_autofree uint32_t *place = g_new0(uint32_t, r->packets->len + 1); /* p * n + q, from 1 */
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (uint32_t i = 0; i < r->packets->len; i++) {
        const struct corr_packet *p = corr_result_packet(r, i);
        bool known = false;

        if (!corr_packet_is_thinned(p) || !corr_packet_counts(q->mask, i))
            continue;
        place[i] = corr_sighting_point(r, corr_result_sighting(r, p->drop_after)) * n_points +
                   p->drop_before + 1;
        for (guint k = 0; k < places->len; k++)
            known |= g_array_index(places, uint32_t, k) == place[i];
        if (!known)
            g_array_append_val(places, place[i]);
    }
    for (guint k = 0; k < places->len; k++) {
        uint32_t at = g_array_index(places, uint32_t, k), after = (at - 1) / n_points;
        uint32_t before = (at - 1) % n_points, n = 0;
        g_autofree char *name = corr_inquiry_quoted(q, before);
        struct corr_insight *insight = corr_insight_add(q, CORR_RULE_thinned, CORR_WEIGHT_NOTE,
                                                        CORR_CONFIDENCE_PROBABLE, after, before);

        for (uint32_t i = 0; i < r->packets->len; i++) {
            const struct corr_packet *p = corr_result_packet(r, i);

            if (place[i] != at)
                continue;
            n++;
            corr_insight_prove(insight,
                               corr_result_obs(r, corr_result_sighting(r, p->drop_after))->frame);
        }
        insight->size = n;
        corr_insight_filter(insight, "corr.undetermined == \"" CORR_THINNED " %s\"", name);
        corr_insight_say(insight,
                         "%u acknowledgements without data were taken out between %s and %s, where "
                         "later ones said the same: a cable modem or radio link does so to save "
                         "its uplink. Not counted as lost.",
                         n, corr_inquiry_point(q, after), corr_inquiry_point(q, before));
    }
}

/* "TCP 10.0.0.1:5 > 10.0.0.2:80" of a packet at its first sighting. */
static void append_flow(const struct corr_inquiry *q, uint32_t packet, GString *text)
{
    const struct corr_packet *p = corr_result_packet(q->r, packet);
    const struct corr_obs *obs = corr_result_obs(q->r, corr_result_sighting(q->r, p->first));
    g_autoptr(GString) proto = g_string_new(NULL);

    corr_text_proto(corr_store_conv(q->r->store, obs->conv)->proto, proto);
    g_string_ascii_up(proto);
    g_string_append_printf(text, "%s ", proto->str);
    corr_text_ends(q->r, obs, text);
}

/* Flows to one service that are blocked at one place: the first of them. */
static unsigned service_first(const struct corr_inquiry *q, GHashTable *services, unsigned k)
{
    const struct corr_blocked *b = g_ptr_array_index(q->blocked, k);
    g_autofree char *service = corr_inquiry_end(q, corr_inquiry_conv(q, b->flow), 1);
    char *key = g_strdup_printf("%u %u %u %s", b->after, b->before, b->cause, service);
    void *found;

    if (g_hash_table_lookup_extended(services, key, NULL, &found)) {
        g_free(key);
        return GPOINTER_TO_UINT(found);
    }
    g_hash_table_insert(services, key, GUINT_TO_POINTER(k));
    return k;
}

static struct corr_insight *tell_blocked(struct corr_inquiry *q, const struct corr_blocked *b)
{
    const struct corr_segment *segment = corr_segment_find(q->segments, b->after, b->before);
    uint32_t first = g_array_index(b->packets, uint32_t, 0), proof = CORR_NONE;
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned m = 0; m < b->packets->len && proof == CORR_NONE; m++)
        if (corr_result_packet(q->r, g_array_index(b->packets, uint32_t, m))->evidence)
            proof = g_array_index(b->packets, uint32_t, m);
    struct corr_insight *insight =
        corr_insight_add(q, CORR_RULE_blocked, CORR_WEIGHT_ERROR,
                         proof == CORR_NONE ? CORR_CONFIDENCE_PROBABLE : CORR_CONFIDENCE_CONFIRMED,
                         b->after, b->before);
    insight->size = b->n;
    append_flow(q, first, text);
    g_string_append(text, " is blocked ");
    append_place(q, b->after, b->before, text);
    g_string_append_printf(text, ": %u packet%s sent, none passes", b->n, CORR_PLURAL(b->n));
    if (segment && segment->packets)
        g_string_append_printf(text, ", while %" G_GUINT64_FORMAT " of other flows do",
                               segment->packets);
    if (proof != CORR_NONE) {
        g_string_append(text, "; ");
        corr_text_evidence(q->r, proof, text);
    }
    corr_insight_say(insight, "%s.", text->str);
    corr_insight_filter(insight, "corr.flow == %u", b->flow + 1);
    prove_losses(q, b->packets, insight);
    corr_insight_follows(insight, corr_inquiry_find(q, CORR_RULE_exhausted, b->after, b->before));
    return insight;
}

/* Each flow by itself; of many to one service the first ones, and how many there are. */
void corr_rule_blocked(struct corr_inquiry *q)
{
    g_autoptr(GHashTable) services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree unsigned *told = g_new0(unsigned, q->blocked->len + 1);
    g_autofree struct corr_insight **last = g_new0(struct corr_insight *, q->blocked->len + 1);

    for (unsigned k = 0; k < q->blocked->len; k++) {
        unsigned first = service_first(q, services, k);
        if (told[first]++ < BLOCKED_TOLD)
            last[first] = tell_blocked(q, g_ptr_array_index(q->blocked, k));
    }
    for (unsigned k = 0; k < q->blocked->len; k++) {
        if (told[k] <= BLOCKED_TOLD)
            continue;
        g_autofree char *what = g_steal_pointer(&last[k]->what);
        g_autofree char *after = corr_inquiry_quoted(q, last[k]->points[0]);
        corr_insight_say(last[k], "%s So are %u more connections to the same service.", what,
                         told[k] - BLOCKED_TOLD);
        corr_insight_filter(last[k],
                            "corr.drop.verdict == \"blocked\" && corr.drop.after == \"%s\"", after);
    }
}
