/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of enumerations, the text dump, and the check of what the results promise. */
#include <inttypes.h>

#include "match/match.h"
#include "path/order.h"
#include "report/why.h"

const char *corr_method_word(enum corr_method method)
{
    static const char *const words[] = {
#define CORR_ROW(id, word) word,
        CORR_METHODS(CORR_ROW)
#undef CORR_ROW
    };

    return words[method];
}

const char *corr_link_word(enum corr_link_how how)
{
    static const char *const words[] = {
#define CORR_ROW(id, word) word,
        CORR_LINKS(CORR_ROW)
#undef CORR_ROW
    };

    return words[how];
}

const char *corr_fate_word(enum corr_fate fate)
{
    return fate == CORR_FATE_CONFIRMED  ? "confirmed"
           : fate == CORR_FATE_PROBABLE ? "probable"
           : fate == CORR_FATE_BLOCKED  ? "blocked"
                                        : NULL;
}

const char *corr_cause_word(enum corr_cause cause)
{
    static const char *const words[] = {NULL,    "policy",  "mtu",       "ttl",
                                        "queue", "policer", "corruption"};

    return words[cause];
}

const char *corr_clock_status_word(enum corr_clock_status status)
{
    static const char *const words[] = {"unknown", "drift-only",  "bounded",  "same (assumed)",
                                        "manual",  "uncorrected", "reference"};

    return words[status];
}

static void conv_dump(const struct corr_conv *conv, GString *text)
{
    corr_endpoint_text(&conv->end[0], conv->has_ports, text);
    g_string_append(text, " - ");
    corr_endpoint_text(&conv->end[1], conv->has_ports, text);
}

static void result_dump(const struct corr_result *result, FILE *out)
{
    GString *why = g_string_new(NULL);

    for (uint32_t f = 0; f < result->flows->len; f++) {
        const struct corr_flow *flow = corr_result_flow(result, f);

        fprintf(out, "flow %u proto %u\n", f + 1, flow->proto);
        for (uint32_t m = 0; m < flow->convs->len; m++) {
            const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, m);
            const struct corr_conv *conv = corr_result_conv(result, member->conv);
            GString *text = g_string_new(NULL);

            conv_dump(conv, text);
            fprintf(out, "  member %u point %s flip %u: %s\n", member->conv,
                    corr_store_point(result->store, conv->point)->name, member->flip, text->str);
            g_string_free(text, TRUE);
        }
    }
    for (uint32_t p = 0; p < result->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(result, p);

        fprintf(out,
                "packet %u flow %u dir %u kind %u %s%s candidates %u bytes %" PRId64 "-%" PRId64
                " fate %u\n",
                p + 1, packet->flow + 1, packet->dir, packet->kind,
                corr_method_word(packet->method), packet->ambiguous ? " ambiguous" : "",
                packet->candidates, packet->from, packet->to, packet->fate);
        corr_text_why(result, packet->first, packet->n, why);
        fprintf(out, "  why: %s\n", why->str);
        g_string_truncate(why, 0);
        for (uint32_t s = packet->first; s < packet->first + packet->n; s++) {
            const struct corr_sighting *sighting = corr_result_sighting(result, s);
            const struct corr_obs *obs = corr_result_obs(result, sighting);

            fprintf(out, "  frame %u at %s hop %u%s", obs->frame,
                    corr_store_point(result->store, obs->point)->name, sighting->hop,
                    sighting->duplicate ? " duplicate" : "");
            struct corr_latency latency = corr_result_latency(result, sighting);
            if (latency.known)
                fprintf(out, " latency %" PRId64 " +- %" PRId64 " ns", latency.ns,
                        latency.error_ns);
            fputc('\n', out);
        }
    }
    for (uint32_t l = 0; l < result->links->len; l++) {
        const struct corr_app_link *link = &g_array_index(result->links, struct corr_app_link, l);

        fprintf(out, "link flow %u to %u %s%s requests %u frames %u %u\n", link->front + 1,
                link->back + 1, corr_link_word(link->how), link->sure ? "" : " possible",
                link->requests, link->enter_frame, link->leave_frame);
    }
    g_string_free(why, TRUE);
}

void corr_engine_dump(const struct corr_engine *engine, FILE *out)
{
    const struct corr_result *result = corr_engine_result(engine);

    fprintf(out, "frames %u last %u %s\n", corr_engine_frame_count(engine),
            corr_engine_last_frame(engine), result != NULL ? "settled" : "unsettled");
    if (result == NULL)
        return;
    for (uint32_t p = 0; p < result->store->points->len; p++)
        fprintf(out, "point %u %s frames %" PRIu64 "\n", p,
                corr_store_point(result->store, p)->name,
                corr_store_point(result->store, p)->frames);
    result_dump(result, out);
}

static char *packets_check(const struct corr_result *result)
{
    uint32_t next = 0, last_frame = 0;

    for (uint32_t p = 0; p < result->packets->len; p++) {
        const struct corr_packet *packet = corr_result_packet(result, p);
        uint32_t lowest = UINT32_MAX;
        uint16_t hop = 0;

        if (packet->n == 0 || packet->first != next)
            return g_strdup_printf("packet %u: its sightings do not follow the last one's", p);
        next += packet->n;
        if (packet->flow >= result->flows->len)
            return g_strdup_printf("packet %u: no flow %u", p, packet->flow);
        for (uint32_t s = packet->first; s < next; s++) {
            const struct corr_sighting *sighting = corr_result_sighting(result, s);

            if (sighting->packet != p || sighting->obs >= result->store->obs->len)
                return g_strdup_printf("sighting %u: not of packet %u", s, p);
            lowest = MIN(lowest, corr_result_obs(result, sighting)->frame);
            if (packet->ordered && sighting->hop < hop)
                return g_strdup_printf("packet %u: hops do not rise", p);
            hop = sighting->hop;
            if (sighting->prev != CORR_NONE &&
                (sighting->prev < packet->first || sighting->prev >= s))
                return g_strdup_printf("sighting %u: previous one is not before it", s);
        }
        if (lowest < last_frame)
            return g_strdup_printf("packet %u: not numbered by first frame", p);
        last_frame = lowest;
        if (packet->drop_after != CORR_NONE &&
            (packet->drop_after < packet->first || packet->drop_after >= next))
            return g_strdup_printf("packet %u: lost after a sighting of another", p);
        if ((packet->fate == CORR_FATE_ARRIVED) != (packet->drop_after == CORR_NONE))
            return g_strdup_printf("packet %u: fate and last sighting disagree", p);
    }
    if (next != result->sightings->len)
        return g_strdup_printf("%u sightings, %u of packets", result->sightings->len, next);
    return NULL;
}

/* Every observation is a sighting of some packet, and of no packet twice. */
static char *index_check(const struct corr_result *result)
{
    for (uint32_t i = 0; i < result->store->obs->len; i++) {
        uint32_t last = CORR_NONE;

        if (result->obs_first[i] == result->obs_first[i + 1])
            return g_strdup_printf("observation %u: of no packet", i);
        for (uint32_t k = result->obs_first[i]; k < result->obs_first[i + 1]; k++) {
            const struct corr_sighting *sighting =
                corr_result_sighting(result, result->obs_sightings[k]);

            if (sighting->obs != i)
                return g_strdup_printf("observation %u: sighting of %u", i, sighting->obs);
            if (sighting->packet == last)
                return g_strdup_printf("observation %u: twice in packet %u", i, last);
            last = sighting->packet;
        }
    }
    return NULL;
}

char *corr_engine_check(const struct corr_engine *engine)
{
    const struct corr_result *result = corr_engine_result(engine);
    char *broken;

    if (result == NULL)
        return NULL;
    broken = corr_store_check(result->store);
    if (broken == NULL)
        broken = packets_check(result);
    if (broken == NULL)
        broken = index_check(result);
    return broken;
}
