/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flows_tcp.c - TCP of a conversation: handshake, round trips, repetitions, what limited it. */
#include "report/flows_tcp.h"

#include "layers/layers.h"
#include "layers/tcp.h"
#include "path/text.h"

/* clang-format off */
#define RTT_COLUMNS(X)                                                                             \
    X(RTT_MIN, "min", NULL, TIME,  COLUMN, NULL, "Smallest")                                       \
    X(RTT_P50, "p50", NULL, TIME,  COLUMN, NULL, "Median")                                         \
    X(RTT_MAX, "max", NULL, TIME,  COLUMN, NULL, "Largest")                                        \
    X(RTT_N,   "n",   NULL, COUNT, COLUMN, NULL, "Samples")

#define WAIT_COLUMNS(X)                                                                            \
    X(WAIT_CAUSE, "cause",  NULL, TEXT,  COLUMN, NULL,                                             \
      "application, receiver, fast recovery, timeout, congestion window, delayed ack or host")     \
    X(WAIT_TIME,  "time_s", NULL, TIME,  COLUMN, NULL, "Time in which nothing was sent, for it")   \
    X(WAIT_SHARE, "share",  NULL, RATIO, COLUMN, NULL, "Of the time from first to last data")

#define ROUND_COLUMNS(X)                                                                           \
    X(ROUND_POINT,  "point",       NULL, TEXT, COLUMN, NULL, "Capture point")                      \
    X(ROUND_SERVER, "to_server_s", NULL, TIME, COLUMN, NULL,                                       \
      "From here to the server and back: SYN to SYN-ACK")                                          \
    X(ROUND_CLIENT, "to_client_s", NULL, TIME, COLUMN, NULL,                                       \
      "From here to the client and back: SYN-ACK to ACK")

#define WAY_COLUMNS(X)                                                                             \
    X(WAY_FROM,     "from",                NULL, TEXT,    COLUMN, NULL,                            \
      "Who sent the data: initiator or responder")                                                 \
    X(WAY_POINT,    "point",               NULL, TEXT,    COLUMN, NULL,                            \
      "The capture point nearest to it, where this was measured")                                  \
    X(WAY_RETRANS,  "retransmissions",     NULL, COUNT,   COLUMN, NULL, "Packets sent again")      \
    X(WAY_FAST,     "fast",                NULL, COUNT,   COLUMN, NULL,                            \
      "Of them: because acknowledgements told what was missing")                                   \
    X(WAY_TIMEOUT,  "timeout",             NULL, COUNT,   COLUMN, NULL,                            \
      "Of them: because the timer ran out")                                                        \
    X(WAY_PROBE,    "probe",               NULL, COUNT,   COLUMN, NULL,                            \
      "Of them: the last one, early, to learn whether it was lost")                                \
    X(WAY_NEEDLESS, "spurious",            NULL, COUNT,   COLUMN, NULL,                            \
      "Of them: although they had arrived")                                                        \
    X(WAY_ORDER,    "out_of_order",        NULL, COUNT,   COLUMN, NULL,                            \
      "Packets overtaken by later ones on the way")                                                \
    X(WAY_DUPACK,   "duplicate_acks",      NULL, COUNT,   COLUMN, NULL,                            \
      "Duplicate acknowledgements that came back")                                                 \
    X(WAY_ZERO,     "zero_windows",        NULL, COUNT,   COLUMN, NULL,                            \
      "Frames of its receiver that announce no room")                                              \
    X(WAY_ZERO_TIME, "zero_window_s",      NULL, TIME,    COLUMN, NULL, "Time without any room")   \
    X(WAY_WIN_MIN,  "window_min_bytes",    NULL, COUNT,   COLUMN, NULL, "Least room")              \
    X(WAY_WIN_MAX,  "window_max_bytes",    NULL, COUNT,   COLUMN, NULL, "Most room")               \
    X(WAY_FLIGHT,   "in_flight_max_bytes", NULL, COUNT,   COLUMN, NULL, "Most bytes outstanding")  \
    X(WAY_RTT,      "data_rtt_s",          NULL, OBJECT,  COLUMN, rtt_columns,                     \
      "Data to its acknowledgement, first transmissions only")                                     \
    X(WAY_TS_RTT,   "timestamp_rtt_s",     NULL, OBJECT,  COLUMN, rtt_columns,                     \
      "Time stamp to its echo")                                                                    \
    X(WAY_LIMIT,    "limited_by",          NULL, TEXT,    COLUMN, NULL,                            \
      "The cause of most of the waits")                                                            \
    X(WAY_WAITS,    "waits",               NULL, OBJECTS, COLUMN, wait_columns,                    \
      "Why nothing new was sent, by cause")

#define COLUMNS(X)                                                                                 \
    X(HANDSHAKE,  "handshake",            NULL, TEXT,    COLUMN, NULL, "normal, fast open, "       \
      "simultaneous, refused, unanswered, partial (some was not captured), unseen")                \
    X(SYN_AGAIN,  "syn_retransmissions",  NULL, COUNT,   COLUMN, NULL,                             \
      "SYN and SYN-ACK sent again")                                                                \
    X(RESET,      "reset_frame",          NULL, FRAME,   COLUMN, NULL, "The first reset")          \
    X(RESET_FROM, "reset_from",           NULL, TEXT,    COLUMN, NULL,                             \
      "initiator or responder: whose address it bears")                                            \
    X(RESET_BORN, "reset_between",        NULL, TEXT,    COLUMN, NULL,                             \
      "Points between which it appeared: something in between sent it")                            \
    X(ROUNDS,     "round_trips",          NULL, OBJECTS, COLUMN, round_columns,                    \
      "Round trips of the handshake, at each point")                                               \
    X(WAYS,       "directions",           NULL, OBJECTS, COLUMN, way_columns,                      \
      "Each direction that carried data")
/* clang-format on */

enum { RTT_COLUMNS(CORR_COLUMN_ENUM) };
enum { WAIT_COLUMNS(CORR_COLUMN_ENUM) };
enum { ROUND_COLUMNS(CORR_COLUMN_ENUM) };
enum { WAY_COLUMNS(CORR_COLUMN_ENUM) };
enum { COLUMNS(CORR_COLUMN_ENUM) };
static const struct corr_column rtt_columns[] = {RTT_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column wait_columns[] = {WAIT_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column round_columns[] = {ROUND_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
static const struct corr_column way_columns[] = {WAY_COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};
const struct corr_column corr_flow_tcp_columns[] = {COLUMNS(CORR_COLUMN_INIT) CORR_COLUMN_END};

#define LIMIT_FRAMES 20 /* fewer frames with data tell nothing of what limits a transfer */

static const char *sender_word(unsigned dir)
{
    return dir == 0 ? "initiator" : "responder";
}

static void add_rtt(struct corr_row *row, unsigned column, const struct corr_rtt_stat *stat)
{
    struct corr_row *sub;

    if (stat->n == 0)
        return;
    sub = corr_cell_add_row(row, column, rtt_columns);
    corr_cell_set_time(sub, C_RTT_MIN, stat->min_ns);
    corr_cell_set_time(sub, C_RTT_P50, stat->p50_ns);
    corr_cell_set_time(sub, C_RTT_MAX, stat->max_ns);
    corr_cell_set_count(sub, C_RTT_N, stat->n);
}

/* The cause of most waits; CORR_TCP_STALL_COUNT if too little was sent to say. */
static unsigned limit_of(const struct corr_tcp_way *way)
{
    unsigned most = 0;

    for (unsigned i = 1; i < CORR_TCP_STALL_COUNT; i++)
        if (way->limited_ns[i] > way->limited_ns[most])
            most = i;
    return way->data_frames >= LIMIT_FRAMES && way->limited_ns[most] > 0 ? most
                                                                         : CORR_TCP_STALL_COUNT;
}

static double share_of(const struct corr_tcp_way *way, unsigned cause)
{
    return (double)way->limited_ns[cause] / (double)way->active_ns;
}

static void add_waits(const struct corr_tcp_way *way, struct corr_row *row)
{
    for (unsigned i = 0; i < CORR_TCP_STALL_COUNT; i++) {
        struct corr_row *sub;

        if (way->limited_ns[i] == 0)
            continue;
        sub = corr_cell_add_row(row, C_WAY_WAITS, wait_columns);
        corr_cell_set_text(sub, C_WAIT_CAUSE, corr_tcp_stall_word(i));
        corr_cell_set_time(sub, C_WAIT_TIME, way->limited_ns[i]);
        corr_cell_set_number(sub, C_WAIT_SHARE, share_of(way, i));
    }
}

static void add_way(const struct corr_tcp *tcp, uint32_t flow, unsigned dir, struct corr_row *row)
{
    static const struct {
        enum corr_tcp_event event;
        unsigned column;
    } counts[] = {
        {CORR_TCP_EVENT_RETRANSMISSION, C_WAY_RETRANS}, {CORR_TCP_EVENT_FAST, C_WAY_FAST},
        {CORR_TCP_EVENT_TIMEOUT, C_WAY_TIMEOUT},        {CORR_TCP_EVENT_PROBE, C_WAY_PROBE},
        {CORR_TCP_EVENT_SPURIOUS, C_WAY_NEEDLESS},      {CORR_TCP_EVENT_OUT_OF_ORDER, C_WAY_ORDER},
        {CORR_TCP_EVENT_DUPLICATE_ACK, C_WAY_DUPACK},   {CORR_TCP_EVENT_ZERO_WINDOW, C_WAY_ZERO},
    };
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, flow, dir);
    const struct corr_tcp_side *side = corr_tcp_side_at(tcp, way->sender, dir);
    uint32_t point = corr_result_conv(tcp->result, way->sender)->point;
    struct corr_tcp_room room = corr_tcp_room(tcp, flow, dir, INT64_MIN, INT64_MAX);
    struct corr_row *sub = corr_cell_add_row(row, C_WAYS, way_columns);
    unsigned limit = limit_of(way);

    corr_cell_set_text(sub, C_WAY_FROM, sender_word(dir));
    corr_cell_set_text(sub, C_WAY_POINT, corr_store_point(tcp->result->store, point)->name);
    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++)
        corr_cell_set_count(sub, counts[i].column, way->counts[counts[i].event]);
    if (room.known) {
        corr_cell_set_time(sub, C_WAY_ZERO_TIME, room.zero_ns);
        corr_cell_set_count(sub, C_WAY_WIN_MIN, room.min_bytes);
        corr_cell_set_count(sub, C_WAY_WIN_MAX, room.max_bytes);
    }
    if (side->flight_max > 0)
        corr_cell_set_count(sub, C_WAY_FLIGHT, side->flight_max);
    add_rtt(sub, C_WAY_RTT, &side->data_rtt);
    add_rtt(sub, C_WAY_TS_RTT, &side->ts_rtt);
    if (limit != CORR_TCP_STALL_COUNT)
        corr_cell_set_text(sub, C_WAY_LIMIT, corr_tcp_stall_word(limit));
    add_waits(way, sub);
}

static void add_round_trips(const struct corr_tcp *tcp, uint32_t flow, struct corr_row *row)
{
    const struct corr_result *r = tcp->result;
    const GArray *convs = corr_result_flow(r, flow)->convs;

    for (unsigned i = 0; i < convs->len; i++) {
        uint32_t conv = g_array_index(convs, struct corr_member, i).conv;
        const struct corr_tcp_conv *c = corr_tcp_conv_of(tcp, conv);
        struct corr_row *sub;

        if (!c->has_rtt_server && !c->has_rtt_client)
            continue;
        sub = corr_cell_add_row(row, C_ROUNDS, round_columns);
        corr_cell_set_text(sub, C_ROUND_POINT,
                           corr_store_point(r->store, corr_result_conv(r, conv)->point)->name);
        if (c->has_rtt_server)
            corr_cell_set_time(sub, C_ROUND_SERVER, c->rtt_server_ns);
        if (c->has_rtt_client)
            corr_cell_set_time(sub, C_ROUND_CLIENT, c->rtt_client_ns);
    }
}

static void join(GString *out)
{
    if (out->len > 0)
        g_string_append(out, "; ");
}

/* "3 retransmissions from the responder (2 fast, 1 by timeout)" */
static void append_repeats(const struct corr_tcp_way *way, unsigned dir, GString *out)
{
    static const struct {
        enum corr_tcp_event event;
        const char *word;
    } kinds[] = {{CORR_TCP_EVENT_FAST, "fast"},
                 {CORR_TCP_EVENT_TIMEOUT, "by timeout"},
                 {CORR_TCP_EVENT_PROBE, "as probe"},
                 {CORR_TCP_EVENT_SPURIOUS, "needless"}};
    uint32_t n = way->counts[CORR_TCP_EVENT_RETRANSMISSION];
    const char *before = " (";

    if (n == 0)
        return;
    join(out);
    g_string_append_printf(out, "%u retransmission%s from the %s", n, n == 1 ? "" : "s",
                           sender_word(dir));
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (way->counts[kinds[i].event] > 0) {
            g_string_append_printf(out, "%s%u %s", before, way->counts[kinds[i].event],
                                   kinds[i].word);
            before = ", ";
        }
    if (*before == ',')
        g_string_append_c(out, ')');
}

static void append_limit(const struct corr_tcp *tcp, uint32_t flow, unsigned dir, GString *out)
{
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, flow, dir);
    struct corr_tcp_room room = corr_tcp_room(tcp, flow, dir, INT64_MIN, INT64_MAX);
    unsigned limit = limit_of(way);

    if (room.known && room.zero_ns > 0) {
        join(out);
        g_string_append_printf(out, "the %s had no room for ", sender_word(!dir));
        corr_text_time(room.zero_ns, out);
    }
    if (limit == CORR_TCP_STALL_COUNT)
        return;
    join(out);
    g_string_append_printf(out, "the %s waited, mostly for: %s (%.0f %% of the time)",
                           sender_word(dir), corr_tcp_stall_word(limit),
                           100 * share_of(way, limit));
}

static void append_summary(const struct corr_tcp *tcp, uint32_t flow, GString *out)
{
    const struct corr_tcp_flow *f = corr_tcp_flow_of(tcp, flow);
    uint32_t nearest = corr_tcp_way_of(tcp, flow, 0)->sender;

    if (nearest != CORR_NONE && corr_tcp_conv_of(tcp, nearest)->has_rtt_server) {
        g_string_append(out, "handshake ");
        corr_text_time(corr_tcp_conv_of(tcp, nearest)->rtt_server_ns, out);
    } else if (f->handshake == CORR_TCP_HANDSHAKE_REFUSED ||
               f->handshake == CORR_TCP_HANDSHAKE_UNANSWERED) {
        g_string_append_printf(out, "handshake %s", corr_tcp_handshake_word(f->handshake));
    }
    for (unsigned dir = 0; dir < 2; dir++) {
        append_repeats(corr_tcp_way_of(tcp, flow, dir), dir, out);
        if (corr_tcp_way_of(tcp, flow, dir)->bytes > 0)
            append_limit(tcp, flow, dir, out);
    }
}

static void add_reset(const struct corr_result *r, const struct corr_tcp_reset *reset,
                      struct corr_row *row)
{
    g_autofree char *between = NULL;

    if (!reset->seen)
        return;
    corr_cell_set_count(row, C_RESET, reset->frame);
    corr_cell_set_text(row, C_RESET_FROM, sender_word(reset->dir));
    if (reset->after == CORR_NONE)
        return;
    between = g_strdup_printf("%s > %s", corr_store_point(r->store, reset->after)->name,
                              corr_store_point(r->store, reset->before)->name);
    corr_cell_set_text(row, C_RESET_BORN, between);
}

void corr_flow_tcp_fill(const struct corr_result *r, uint32_t flow, struct corr_row *row,
                        unsigned object, unsigned sentence)
{
    const struct corr_tcp *tcp = corr_layers_tcp(r);
    const struct corr_tcp_flow *f = corr_tcp_flow_of(tcp, flow);
    struct corr_row *sub = corr_cell_add_row(row, object, corr_flow_tcp_columns);
    g_autoptr(GString) text = g_string_new(NULL);

    corr_cell_set_text(sub, C_HANDSHAKE, corr_tcp_handshake_word(f->handshake));
    corr_cell_set_count(sub, C_SYN_AGAIN, f->syn_retransmissions);
    add_reset(r, &f->reset, sub);
    add_round_trips(tcp, flow, sub);
    for (unsigned dir = 0; dir < 2; dir++)
        if (corr_tcp_way_of(tcp, flow, dir)->bytes > 0)
            add_way(tcp, flow, dir, sub);
    append_summary(tcp, flow, text);
    if (text->len > 0)
        corr_cell_set_text(row, sentence, text->str);
}

bool corr_flow_tcp_is_repeated(const struct corr_result *r, uint32_t packet)
{
    return corr_result_packet(r, packet)->kind == CORR_KIND_TCP &&
           corr_layers_tcp(r)->packets[packet] & CORR_TCP_PACKET_REPEATED;
}
