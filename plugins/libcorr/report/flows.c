/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flows.c - a row per conversation: its ends as each point sees them, ways, losses, latencies. */
#include "path/nat_text.h"
#include "report/by_flow.h"
#include "report/report-int.h"
#include "layers/segment.h"
#include "path/text.h"

/* clang-format off */
#define VIEW_COLUMNS(X)                                                                            \
    X(VIEW_POINT,     "point",     NULL, TEXT, COLUMN, NULL, "Capture point")                      \
    X(VIEW_INITIATOR, "initiator", NULL, TEXT, COLUMN, NULL, "Who began, as this point sees it")   \
    X(VIEW_RESPONDER, "responder", NULL, TEXT, COLUMN, NULL, "The other end, as this point sees it")

#define LATENCY_COLUMNS(X)                                                                         \
    X(MIN,   "min",   NULL, TIME, COLUMN, NULL, "Smallest")                                        \
    X(P50,   "p50",   NULL, TIME, COLUMN, NULL, "Median (nearest rank)")                           \
    X(MAX,   "max",   NULL, TIME, COLUMN, NULL, "Largest")                                         \
    X(ERROR, "error", NULL, TIME, COLUMN, NULL, "Half-width of the clock's bound, the worst")

#define SEGMENT_COLUMNS(X)                                                                         \
    X(SEG_FROM,    "from",      NULL, TEXT,   COLUMN, NULL, "Point before")                        \
    X(SEG_TO,      "to",        NULL, TEXT,   COLUMN, NULL,                                        \
      "Point after; absent: what was lost after the last point")                                   \
    X(SEG_PACKETS, "packets",   NULL, COUNT,  COLUMN, NULL, "Packets seen at both")                \
    X(SEG_LOST,    "lost",      NULL, COUNT,  COLUMN, NULL, "Packets lost between them")           \
    X(SEG_LATENCY, "latency_s", NULL, OBJECT, COLUMN, latency_columns, "Latency, clocks corrected")

#define RESIDENCE_COLUMNS(X)                                                                       \
    X(RES_MIN,   "min",   NULL, TIME, COLUMN, NULL, "Of the fastest request")                      \
    X(RES_MAX,   "max",   NULL, TIME, COLUMN, NULL, "Of the slowest")                              \
    X(RES_ERROR, "error", NULL, TIME, COLUMN, NULL, "Half-width of the clock's bound")

#define LINK_COLUMNS(X)                                                                            \
    X(LINK_FLOW,      "flow",        NULL, COUNT,  COLUMN, NULL, "The other flow")                 \
    X(LINK_ROLE,      "role",        NULL, TEXT,   COLUMN, NULL,                                   \
      "client side: the other flow goes on to the server; server side: it comes from the client")  \
    X(LINK_HOW,       "how",         NULL, TEXT,   COLUMN, NULL,                                   \
      "proxy-header, tls-hello, request-id, byte-stream")                                          \
    X(LINK_SURE,      "confidence",  NULL, TEXT,   COLUMN, NULL, "confirmed, possible")            \
    X(LINK_REQUESTS,  "requests",    NULL, COUNT,  COLUMN, NULL,                                   \
      "Requests with a common id; else connections: 1")                                            \
    X(LINK_FRAMES,    "frames",      NULL, FRAMES, COLUMN, NULL,                                   \
      "The first of them, before and behind the proxy")                                            \
    X(LINK_RESIDENCE, "residence_s", NULL, OBJECT, COLUMN, residence_columns,                      \
      "From the last point before the proxy to the first behind it, if clocks allow")

#define COLUMNS(X)                                                                                 \
    X(FLOW,        "flow",            "flow",      COUNT,   COLUMN, NULL, "Its number: corr.flow") \
    X(PROTOCOL,    "protocol",        "protocol",  TEXT,    COLUMN, NULL, "Protocol")              \
    X(FIRST,       "first_frame",     "first",     FRAME,   COLUMN, NULL, "Its first frame")       \
    X(INITIATOR,   "initiator",       NULL,        TEXT,    COLUMN, NULL,                          \
      "Who began, as the point nearest to it sees it")                                             \
    X(RESPONDER,   "responder",       NULL,        TEXT,    COLUMN, NULL,                          \
      "The other end, as the point nearest to the initiator sees it")                              \
    X(GUESSED,     "initiator_guess", NULL,        TEXT,    COLUMN, NULL,                          \
      "Present if nothing but the first frame tells who began")                                    \
    X(FWD,         "packets",         "packets",   COUNT,   COLUMN, NULL,                          \
      "Packets from the initiator, each counted once")                                             \
    X(BACK,        "packets_back",    "back",      COUNT,   COLUMN, NULL, "Packets towards it")    \
    X(FWD_BYTES,   "payload_bytes",   "bytes",     COUNT,   COLUMN, NULL,                          \
      "Payload bytes from the initiator, retransmissions included")                                \
    X(BACK_BYTES,  "payload_back_bytes", "bytes back", COUNT, COLUMN, NULL, "Payload bytes back")  \
    X(LOST,        "lost",            "lost",      COUNT,   COLUMN, NULL, "Packets lost")          \
    X(RETRANS,     "retransmissions", "retrans",   COUNT,   COLUMN, NULL,                          \
      "Transmissions of what had been sent before")                                                \
    X(WHAT,        "what",            "endpoints", TEXT,    BELOW,  NULL,                          \
      "Endpoints, with every translation that the initiator's packets meet")                       \
    X(PATH,        "path",            "path",      TEXT,    TITLED, NULL,                          \
      "Points in order, from the initiator (the longest way that was seen)")                       \
    X(PATH_BACK,   "path_back",       "back",      TEXT,    TITLED, NULL, "Likewise, to it")       \
    X(VIEWS,       "points",          NULL,        OBJECTS, COLUMN, view_columns,                  \
      "The endpoints at each point")                                                               \
    X(SEGMENTS,    "segments",        NULL,        OBJECTS, COLUMN, segment_columns,               \
      "Per pair of neighbouring points and direction: packets, loss, latency")                     \
    X(LINKS,       "links",           NULL,        OBJECTS, COLUMN, link_columns,                  \
      "Flows that a proxy joins with this one: other packets, the same requests or bytes")
/* clang-format on */

enum { VIEW_COLUMNS(CORR_COLUMN_ENUM) };
enum { LATENCY_COLUMNS(CORR_COLUMN_ENUM) };
enum { SEGMENT_COLUMNS(CORR_COLUMN_ENUM) };
enum { RESIDENCE_COLUMNS(CORR_COLUMN_ENUM) };
enum { LINK_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column view_columns[] = {VIEW_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column latency_columns[] = {LATENCY_COLUMNS(CORR_COLUMN_INIT)
                                                         CORR_COLUMN_END};
static const struct corr_column segment_columns[] = {SEGMENT_COLUMNS(CORR_COLUMN_INIT)
                                                         CORR_COLUMN_END};
static const struct corr_column residence_columns[] = {RESIDENCE_COLUMNS(CORR_COLUMN_INIT)
                                                           CORR_COLUMN_END};
static const struct corr_column link_columns[] = {LINK_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

static void endpoint(const struct corr_conv *conv, unsigned end, GString *text)
{
    g_string_truncate(text, 0);
    corr_text_endpoint(&conv->end[end], conv->has_ports, conv->proto, text);
}

/* One entry per point and form of the endpoints; contexts and re-used ports do not repeat it. */
static void add_views(const struct corr_result *r, const struct corr_flow *flow,
                      struct corr_row *row)
{
    g_autoptr(GString) a = g_string_new(NULL), b = g_string_new(NULL);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < flow->convs->len; i++) {
        const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, i);
        const struct corr_conv *conv = corr_result_conv(r, member->conv);
        endpoint(conv, member->flip, a);
        endpoint(conv, !member->flip, b);
        if (!g_hash_table_add(seen, g_strdup_printf("%u %s %s", conv->point, a->str, b->str)))
            continue;
        struct corr_row *sub = corr_cell_add_row(row, C_VIEWS, view_columns);
        corr_cell_set_text(sub, C_VIEW_POINT, corr_store_point(r->store, conv->point)->name);
        corr_cell_set_text(sub, C_VIEW_INITIATOR, a->str);
        corr_cell_set_text(sub, C_VIEW_RESPONDER, b->str);
    }
}

static void add_segments(const struct corr_result *r, struct corr_segments *segments,
                         struct corr_row *row)
{
    for (unsigned i = 0; i < segments->rows->len; i++) {
        struct corr_segment *segment = g_ptr_array_index(segments->rows, i);
        struct corr_row *sub = corr_cell_add_row(row, C_SEGMENTS, segment_columns);
        struct corr_percentiles l;

        corr_cell_set_text(sub, C_SEG_FROM, corr_store_point(r->store, segment->from)->name);
        if (segment->to != CORR_NONE)
            corr_cell_set_text(sub, C_SEG_TO, corr_store_point(r->store, segment->to)->name);
        corr_cell_set_count(sub, C_SEG_PACKETS, segment->packets);
        corr_cell_set_count(sub, C_SEG_LOST, segment->lost);
        if (!corr_percentiles(segment->latencies, &l))
            continue;
        struct corr_row *latency = corr_cell_add_row(sub, C_SEG_LATENCY, latency_columns);
        corr_cell_set_time(latency, C_MIN, l.min);
        corr_cell_set_time(latency, C_P50, l.p50);
        corr_cell_set_time(latency, C_MAX, l.max);
        corr_cell_set_time(latency, C_ERROR, segment->error_ns);
    }
}

/* Where a proxy carries this flow on, or from where. */
static void add_links(const struct corr_result *r, uint32_t flow, struct corr_row *row)
{
    for (unsigned i = 0; i < r->links->len; i++) {
        const struct corr_app_link *link = &g_array_index(r->links, struct corr_app_link, i);
        bool front = link->front == flow;

        if (!front && link->back != flow)
            continue;
        struct corr_row *sub = corr_cell_add_row(row, C_LINKS, link_columns);
        corr_cell_set_count(sub, C_LINK_FLOW, (front ? link->back : link->front) + 1);
        corr_cell_set_text(sub, C_LINK_ROLE, front ? "client side" : "server side");
        corr_cell_set_text(sub, C_LINK_HOW, corr_link_word(link->how));
        corr_cell_set_text(sub, C_LINK_SURE, link->sure ? "confirmed" : "possible");
        corr_cell_set_count(sub, C_LINK_REQUESTS, link->requests);
        corr_cell_add_frame(sub, C_LINK_FRAMES, link->enter_frame);
        corr_cell_add_frame(sub, C_LINK_FRAMES, link->leave_frame);
        if (!link->has_residence)
            continue;
        struct corr_row *residence = corr_cell_add_row(sub, C_LINK_RESIDENCE, residence_columns);
        corr_cell_set_time(residence, C_RES_MIN, link->residence_min_ns);
        corr_cell_set_time(residence, C_RES_MAX, link->residence_max_ns);
        corr_cell_set_time(residence, C_RES_ERROR, link->residence_error_ns);
    }
}

/* "; a proxy carries it on in flow 7": for people, who do not see the list. */
static void append_links(const struct corr_result *r, uint32_t flow, GString *text)
{
    for (unsigned i = 0; i < r->links->len; i++) {
        const struct corr_app_link *link = &g_array_index(r->links, struct corr_app_link, i);

        if (link->front == flow)
            g_string_append_printf(text, "; a proxy %s it on in flow %u (%s)",
                                   link->sure ? "carries" : "may carry", link->back + 1,
                                   corr_link_word(link->how));
        else if (link->back == flow)
            g_string_append_printf(text, "; a proxy %s flow %u (%s)",
                                   link->sure ? "made it for" : "may have made it for",
                                   link->front + 1, corr_link_word(link->how));
    }
}

/* Sums over the packets of one flow. */
struct sums {
    uint64_t packets[2], bytes[2], lost, retransmissions;
    uint32_t longest[2]; /* packet whose way has most points; CORR_NONE */
};

static void add_packet(const struct corr_result *r, uint32_t packet, struct sums *sums)
{
    const struct corr_packet *p = corr_result_packet(r, packet);
    unsigned dir = p->dir & 1;

    sums->packets[dir]++;
    sums->bytes[dir] += p->len;
    sums->lost += corr_fate_is_drop(p->fate);
    sums->retransmissions += p->original != CORR_NONE;
    if (p->ordered && !p->ambiguous &&
        (sums->longest[dir] == CORR_NONE || p->n > corr_result_packet(r, sums->longest[dir])->n))
        sums->longest[dir] = packet;
}

/*
 * The endpoints as the initiator has them: from the first sighting of its
 * packets, or the last of the answers, or, with no order known, any member.
 */
static struct corr_tuple nearest_view(const struct corr_result *r, const struct corr_flow *flow,
                                      const struct sums *sums)
{
    if (sums->longest[0] != CORR_NONE) {
        const struct corr_packet *p = corr_result_packet(r, sums->longest[0]);
        return corr_tuple_of(r->store, corr_result_obs(r, corr_result_sighting(r, p->first)));
    }
    if (sums->longest[1] != CORR_NONE) {
        const struct corr_packet *p = corr_result_packet(r, sums->longest[1]);
        struct corr_tuple t = corr_tuple_of(
            r->store, corr_result_obs(r, corr_result_sighting(r, p->first + p->n - 1)));
        return corr_tuple_reversed(&t);
    }
    const struct corr_member *member = &g_array_index(flow->convs, struct corr_member, 0);
    const struct corr_conv *conv = corr_result_conv(r, member->conv);
    return (struct corr_tuple){&conv->end[member->flip], &conv->end[!member->flip], conv->has_ports,
                               conv->proto};
}

/* "a > b", and for every point of the way where that changes, "; a2 > b2 at point". */
static void append_what(const struct corr_result *r, const struct corr_tuple *near_initiator,
                        const struct sums *sums, GString *text)
{
    struct corr_tuple now = *near_initiator;

    corr_text_endpoint(now.src, now.has_ports, now.proto, text);
    g_string_append(text, " > ");
    corr_text_endpoint(now.dst, now.has_ports, now.proto, text);
    if (sums->longest[0] == CORR_NONE)
        return;
    const struct corr_packet *p = corr_result_packet(r, sums->longest[0]);
    for (uint32_t i = 1; i < p->n; i++) {
        const struct corr_sighting *s = corr_result_sighting(r, p->first + i);
        const struct corr_obs *obs = corr_result_obs(r, s);
        struct corr_tuple next = corr_tuple_of(r->store, obs);
        if (s->duplicate || corr_tuple_equal(&now, &next))
            continue;
        g_string_append(text, "; ");
        corr_nat_text(&now, &next, false, text);
        g_string_append_printf(text, " before %s", corr_store_point(r->store, obs->point)->name);
        now = next;
    }
}

static void add_path(const struct corr_result *r, struct corr_row *row, unsigned column,
                     uint32_t packet)
{
    if (packet == CORR_NONE)
        return;
    g_autoptr(GString) text = g_string_new(NULL);
    corr_text_path(r, corr_result_packet(r, packet), text);
    if (text->len)
        corr_cell_set_text(row, column, text->str);
}

static void add_row(const struct corr_result *r, uint32_t number, const struct sums *sums,
                    struct corr_segments *segments, struct corr_report_table *out)
{
    const struct corr_flow *flow = corr_result_flow(r, number);
    struct corr_row *row = corr_report_row(out);
    g_autoptr(GString) text = g_string_new(NULL);

    corr_cell_set_count(row, C_FLOW, number + 1);
    corr_text_proto(flow->proto, text);
    corr_cell_set_text(row, C_PROTOCOL, text->str);
    corr_cell_set_count(row, C_FIRST, flow->first_frame);
    corr_cell_set_count(row, C_FWD, sums->packets[0]);
    corr_cell_set_count(row, C_BACK, sums->packets[1]);
    corr_cell_set_count(row, C_FWD_BYTES, sums->bytes[0]);
    corr_cell_set_count(row, C_BACK_BYTES, sums->bytes[1]);
    corr_cell_set_count(row, C_LOST, sums->lost);
    if (flow->proto == 6)
        corr_cell_set_count(row, C_RETRANS, sums->retransmissions);
    if (!flow->initiator_known)
        corr_cell_set_text(row, C_GUESSED, "first frame");
    if (flow->convs->len) {
        struct corr_tuple ends = nearest_view(r, flow, sums);
        g_string_truncate(text, 0);
        corr_text_endpoint(ends.src, ends.has_ports, ends.proto, text);
        corr_cell_set_text(row, C_INITIATOR, text->str);
        g_string_truncate(text, 0);
        corr_text_endpoint(ends.dst, ends.has_ports, ends.proto, text);
        corr_cell_set_text(row, C_RESPONDER, text->str);
        g_string_truncate(text, 0);
        append_what(r, &ends, sums, text);
        append_links(r, number, text);
        corr_cell_set_text(row, C_WHAT, text->str);
        add_views(r, flow, row);
    }
    add_path(r, row, C_PATH, sums->longest[0]);
    add_path(r, row, C_PATH_BACK, sums->longest[1]);
    add_segments(r, segments, row);
    add_links(r, number, row);
}

void corr_build_flows(const struct corr_result *r, const struct corr_frame_set *frames,
                      struct corr_report_table *out)
{
    struct corr_by_flow by = corr_by_flow_sort(r, frames);
    struct corr_segments *segments = corr_segments_new();
    uint32_t without_ip = 0;

    for (uint32_t f = 0; f < r->flows->len; f++) {
        struct sums sums = {.longest = {CORR_NONE, CORR_NONE}};
        if (by.start[f] == by.start[f + 1])
            continue;
        if (!corr_flow_is_ip(r, corr_result_flow(r, f))) {
            without_ip++;
            continue;
        }
        corr_segments_clear(segments);
        for (uint32_t k = by.start[f]; k < by.start[f + 1]; k++) {
            add_packet(r, by.packets[k], &sums);
            corr_segments_add(segments, r, by.packets[k]);
        }
        /* The fates of equal packets are known in sum only. */
        for (uint32_t k = by.group_start[f]; k < by.group_start[f + 1]; k++) {
            corr_segments_add_group(segments, by.groups[k]);
            sums.lost += corr_group_lost(by.groups[k]);
        }
        add_row(r, f, &sums, segments, out);
    }
    if (without_ip)
        corr_report_note(out, "+ %u flow%s without IP", without_ip, without_ip == 1 ? "" : "s");
    corr_segments_free(segments);
    corr_by_flow_clear(&by);
}

CORR_TABLE_DEFINE(flows, "Conversations",
                  "conversations: ends, ways, packets, bytes, loss, latency", columns);
