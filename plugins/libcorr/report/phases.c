/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phases.c - a row per transaction: its phases, and where the time of each went. */
#include "layers/layers.h"
#include "layers/phases.h"

#include "path/text.h"
#include "report/phases_columns.h"

static const struct corr_column corr_share_columns[] = {CORR_SHARE_COLUMNS(CORR_COLUMN_INIT)
                                                            CORR_COLUMN_END};
static const struct corr_column corr_split_columns[] = {CORR_SPLIT_COLUMNS(CORR_COLUMN_INIT)
                                                            CORR_COLUMN_END};
static const struct corr_column corr_event_columns[] = {CORR_TCP_EVENTS(CORR_EVENT_COLUMN)
                                                            CORR_COLUMN_END};
static const struct corr_column corr_stall_columns[] = {CORR_STALL_COLUMNS(CORR_COLUMN_INIT)
                                                            CORR_COLUMN_END};
static const struct corr_column corr_room_columns[] = {CORR_ROOM_COLUMNS(CORR_COLUMN_INIT)
                                                           CORR_COLUMN_END};
static const struct corr_column corr_phase_columns[] = {CORR_PHASE_COLUMNS(CORR_COLUMN_INIT)
                                                            CORR_COLUMN_END};
static const struct corr_column columns[] = {CORR_PHASES_TABLE_COLUMNS(CORR_COLUMN_INIT)
                                                 CORR_COLUMN_END};

static const char *point_name(const struct corr_result *r, uint32_t point)
{
    return corr_store_point(r->store, point)->name;
}

static const char *tls_word(uint16_t version)
{
    static const char *const words[] = {"SSL 3.0", "1.0", "1.1", "1.2", "1.3"};

    return words[version - 0x0300];
}

static void add_split(const struct corr_phases *phases, const struct corr_phase *phase,
                      struct corr_row *row)
{
    const struct corr_result *r = phases->result;
    const struct corr_proxied *proxied =
        &corr_phases_transaction(phases, phase->transaction)->proxied;
    struct corr_row *split = corr_cell_add_row(row, C_PHASE_SPLIT, corr_split_columns);

    for (uint32_t i = 0; i < phase->n_shares; i++) {
        const struct corr_phase_share *share =
            &g_array_index(phases->shares, struct corr_phase_share, phase->first_share + i);
        struct corr_row *sub = corr_cell_add_row(split, C_SPLIT_SEGMENTS, corr_share_columns);

        corr_cell_set_text(sub, C_SHARE_FROM, point_name(r, share->from));
        corr_cell_set_text(sub, C_SHARE_TO, point_name(r, share->to));
        corr_cell_set_time(sub, C_SHARE_TIME, share->time_ns);
    }
    corr_cell_set_time(split, C_SPLIT_SERVER, phase->server_ns);
    if (phase->name == CORR_PHASE_SERVER && proxied->has_total) {
        corr_cell_set_time(split, C_SPLIT_PROXY, proxied->total_ns);
        corr_cell_set_time(split, C_SPLIT_UPSTREAM, proxied->upstream_ns);
    }
    corr_cell_set_time(split, C_SPLIT_CLIENT, phase->client_ns);
    if (phase->merged)
        corr_cell_set_true(split, C_SPLIT_MERGED);
}

static void add_events(const struct corr_phases *phases, const struct corr_phase *phase,
                       struct corr_row *row)
{
    struct corr_row *events = corr_cell_add_row(row, C_PHASE_EVENTS, corr_event_columns);

    for (unsigned i = 0; i < CORR_TCP_EVENT_COUNT; i++)
        if (phase->events[i] > 0)
            corr_cell_set_count(events, i, phase->events[i]);
    if (phase->shared)
        corr_cell_set_true(row, C_PHASE_SHARED);
    for (uint32_t i = phase->first_stall; i < phase->first_stall + phase->n_stalls; i++) {
        const struct corr_phase_stall *stall =
            &g_array_index(phases->stalls, struct corr_phase_stall, i);
        struct corr_row *sub = corr_cell_add_row(row, C_PHASE_STALLS, corr_stall_columns);

        corr_cell_set_text(sub, C_STALL_CAUSE, corr_phase_stall_word(stall->cause));
        corr_cell_set_time(sub, C_STALL_TIME, stall->time_ns);
        corr_cell_set_count(sub, C_STALL_N, stall->n);
        corr_cell_set_count(sub, C_STALL_FRAME, stall->frame);
        if (stall->lost_after != CORR_NONE)
            corr_cell_set_text(sub, C_STALL_AFTER, point_name(phases->result, stall->lost_after));
        if (stall->lost_before != CORR_NONE)
            corr_cell_set_text(sub, C_STALL_BEFORE, point_name(phases->result, stall->lost_before));
    }
}

static void add_room(const struct corr_tcp_room *room, struct corr_row *row)
{
    struct corr_row *sub;

    if (!room->known)
        return;
    sub = corr_cell_add_row(row, C_PHASE_ROOM, corr_room_columns);
    corr_cell_set_count(sub, C_ROOM_MIN, room->min_bytes);
    corr_cell_set_count(sub, C_ROOM_MAX, room->max_bytes);
    corr_cell_set_time(sub, C_ROOM_ZERO, room->zero_ns);
    corr_cell_set_time(sub, C_ROOM_LIMITED, room->limited_ns);
}

static void add_phases(const struct corr_phases *phases, const struct corr_transaction *t,
                       struct corr_row *row)
{
    const struct corr_phase *first = corr_phases_phase(phases, t->first_phase);

    for (uint32_t i = t->first_phase; i < t->first_phase + t->n_phases; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        struct corr_row *sub = corr_cell_add_row(row, C_PHASES, corr_phase_columns);

        corr_cell_set_text(sub, C_PHASE_NAME, corr_phase_word(phase->name));
        corr_cell_set_count(sub, C_PHASE_FRAME, phase->frame);
        corr_cell_set_text(sub, C_PHASE_POINT, point_name(phases->result, phase->point));
        if (phase->point == first->point)
            corr_cell_set_time(sub, C_PHASE_START, phase->begin_ns - first->begin_ns);
        corr_cell_set_time(sub, C_PHASE_DURATION, phase->duration_ns);
        if (t->has_total && t->total_ns > 0)
            corr_cell_set_number(sub, C_PHASE_SHARE,
                                 (double)phase->duration_ns / (double)t->total_ns);
        corr_cell_set_count(sub, C_PHASE_RETRANS, phase->retransmissions);
        add_events(phases, phase, sub);
        add_room(&phase->room, sub);
        add_split(phases, phase, sub);
    }
}

static void set_optional(struct corr_row *row, unsigned column, const char *text)
{
    if (text != NULL)
        corr_cell_set_text(row, column, text);
}

static void set_if(struct corr_row *row, unsigned column, bool is)
{
    if (is)
        corr_cell_set_true(row, column);
}

static void add_ends(const struct corr_result *r, const struct corr_transaction *t,
                     struct corr_row *row)
{
    const struct corr_conv *conv = corr_result_conv(r, t->conv);
    unsigned client = t->client ^ r->conv_flip[t->conv];
    g_autoptr(GString) text = g_string_new(NULL);

    corr_text_endpoint(&conv->end[client & 1], conv->has_ports, conv->proto, text);
    corr_cell_set_text(row, C_CLIENT, text->str);
    g_string_truncate(text, 0);
    corr_text_endpoint(&conv->end[!client], conv->has_ports, conv->proto, text);
    corr_cell_set_text(row, C_SERVER, text->str);
}

static void add_proxied(const struct corr_proxied *proxied, struct corr_row *row)
{
    if (proxied->downstream != CORR_NONE)
        corr_cell_set_count(row, C_DOWNSTREAM, proxied->downstream + 1);
    if (proxied->upstream == CORR_NONE)
        return;
    corr_cell_set_count(row, C_UPSTREAM, proxied->upstream + 1);
    corr_cell_set_text(row, C_PROXY_HOW, corr_link_word(proxied->how));
    corr_cell_set_text(row, C_PROXY_SURE, proxied->sure ? "confirmed" : "possible");
    if (proxied->has_request) {
        corr_cell_set_time(row, C_PROXY_TIME, proxied->request_ns);
        corr_cell_set_time(row, C_PROXY_ERROR, proxied->error_ns);
    }
}

static void add_row(const struct corr_phases *phases, uint32_t number,
                    struct corr_report_table *out)
{
    const struct corr_transaction *t = corr_phases_transaction(phases, number);
    struct corr_row *row = corr_report_row(out);

    corr_cell_set_count(row, C_NUMBER, number + 1);
    corr_cell_set_text(row, C_KIND, corr_transaction_word(t->kind));
    corr_cell_set_count(row, C_FLOW, t->flow + 1);
    corr_cell_set_count(row, C_FRAME, t->frame);
    if (t->conv != CORR_NONE)
        add_ends(phases->result, t, row);
    set_optional(row, C_METHOD, t->method);
    set_optional(row, C_HOST, t->host);
    set_optional(row, C_PATH, t->path);
    if (t->status != 0)
        corr_cell_set_count(row, C_STATUS, t->status);
    if (t->kind == CORR_TRANSACTION_H2)
        corr_cell_set_count(row, C_STREAM, t->stream);
    if (t->tls != 0)
        corr_cell_set_text(row, C_TLS, tls_word(t->tls));
    set_if(row, C_RESUMED, t->tls_resumed);
    set_if(row, C_EARLY, t->tls_early_data);
    set_if(row, C_RETRY, t->tls_retry);
    if (t->tls_group != 0)
        corr_cell_set_count(row, C_GROUP, t->tls_group);
    set_if(row, C_FAST_OPEN, t->fast_open);
    set_if(row, C_INTERIM, t->interim);
    if (t->dns_tries != 0)
        corr_cell_set_count(row, C_DNS_TRIES, t->dns_tries);
    set_if(row, C_DNS_TCP, t->dns_tcp);
    if (t->dns_code != 0)
        corr_cell_set_count(row, C_DNS_CODE, t->dns_code);
    if (t->blocked_by != CORR_NONE) {
        corr_cell_set_count(row, C_BLOCKED, t->blocked_by + 1);
        corr_cell_set_time(row, C_BLOCKED_TIME, t->blocked_ns);
    }
    add_proxied(&t->proxied, row);
    if (t->n_phases > 0) {
        if (t->has_total)
            corr_cell_set_time(row, C_TOTAL, t->total_ns);
        add_phases(phases, t, row);
    }
    set_optional(row, C_NOTE, t->note);
}

static void select_phase(const struct corr_phase *phase, void *user)
{
    ((uint8_t *)user)[phase->transaction] = 1;
}

uint8_t *corr_phases_selected(const struct corr_phases *phases, const struct corr_frame_set *frames)
{
    const struct corr_store *store = phases->result->store;
    uint8_t *mask;

    if (frames == NULL)
        return NULL;
    mask = g_malloc0((size_t)phases->transactions->len + 1);
    for (uint32_t i = 0; i < store->obs->len; i++)
        if (corr_frame_set_has(frames, corr_store_obs(store, i)->frame))
            corr_phases_at(phases, i, select_phase, mask);
    for (uint32_t i = 0; i < phases->transactions->len; i++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, i);

        if (t->n_phases == 0 && corr_frame_set_has(frames, t->frame))
            mask[i] = 1;
    }
    return mask;
}

void corr_build_phases(const struct corr_result *r, const struct corr_frame_set *frames,
                       struct corr_report_table *out)
{
    const struct corr_phases *phases = corr_layers_phases(r);
    g_autofree uint8_t *mask = corr_phases_selected(phases, frames);

    for (uint32_t i = 0; i < phases->transactions->len; i++)
        if (mask == NULL || mask[i])
            add_row(phases, i, out);
}

CORR_TABLE_DEFINE_TEXT(
    phases, "Transactions and their phases",
    "transactions: DNS, connect, TLS, request, server, download, and their split", columns,
    corr_phases_text);
