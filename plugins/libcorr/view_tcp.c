/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_tcp.c - the fields corr.tcp.* of one frame. */
#include "layers/layers.h"
#include "layers/tcp.h"
#include "view_fill.h"

static const struct {
    enum corr_tcp_event event;
    enum corr_field field;
} EVENTS[] = {
    {CORR_TCP_EVENT_RETRANSMISSION, CORR_FIELD_tcp_retransmission},
    {CORR_TCP_EVENT_FAST, CORR_FIELD_tcp_fast_retransmission},
    {CORR_TCP_EVENT_SPURIOUS, CORR_FIELD_tcp_spurious_retransmission},
    {CORR_TCP_EVENT_OUT_OF_ORDER, CORR_FIELD_tcp_out_of_order},
    {CORR_TCP_EVENT_DUPLICATE_ACK, CORR_FIELD_tcp_duplicate_ack},
    {CORR_TCP_EVENT_ZERO_WINDOW, CORR_FIELD_tcp_zero_window},
    {CORR_TCP_EVENT_WINDOW_FULL, CORR_FIELD_tcp_window_full},
    {CORR_TCP_EVENT_KEEP_ALIVE, CORR_FIELD_tcp_keep_alive},
    {CORR_TCP_EVENT_LOST_SEGMENT, CORR_FIELD_tcp_lost_segment},
    {CORR_TCP_EVENT_ACK_LOST_SEGMENT, CORR_FIELD_tcp_ack_lost_segment},
};

void corr_view_fill_tcp(const struct corr_result *r, uint32_t obs, struct corr_view *view)
{
    const struct corr_tcp_repeat *repeat;
    const struct corr_tcp *tcp;

    if (corr_store_obs(r->store, obs)->kind != CORR_KIND_TCP ||
        !corr_view_wants(view, CORR_WANT_TCP | CORR_WANT_FINDINGS))
        return;
    tcp = corr_layers_tcp(r);
    for (unsigned i = 0; i < G_N_ELEMENTS(EVENTS); i++)
        if (tcp->events[obs] & 1u << EVENTS[i].event)
            corr_view_add_number(view, EVENTS[i].field, 1);
    repeat = corr_tcp_repeat_of(tcp, obs);
    if (repeat == NULL)
        return;
    if (repeat->original_frame != 0)
        corr_view_add_number(view, CORR_FIELD_tcp_original, repeat->original_frame);
    if (repeat->lost_after == CORR_NONE ||
        !corr_view_wants(view, CORR_WANT(tcp_lost_between) | CORR_WANT_FINDINGS))
        return;
    g_string_assign(view->text, corr_store_point(r->store, repeat->lost_after)->name);
    if (repeat->lost_before != CORR_NONE)
        g_string_append_printf(view->text, " > %s",
                               corr_store_point(r->store, repeat->lost_before)->name);
    corr_view_add_text(view, CORR_FIELD_tcp_lost_between, view->text->str);
    g_string_prepend(view->text, "lost between ");
    if (repeat->original_frame != 0)
        g_string_append_printf(view->text, ", first sent in frame %u", repeat->original_frame);
    corr_view_add_finding(view, CORR_FINDING_retransmission, view->text->str);
}
