/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_open.c - handshake, window scale, windows and time stamps of a local flow. */
#include "layers/tcp_step.h"

/* TSval seen first to TSecr seen first: RFC 7323, section 4.1. */
void corr_tcp_take_stamps(struct corr_tcp_step *s)
{
    struct corr_tcp_end *fwd = s->fwd, *rev = s->rev;
    const struct corr_obs *obs = s->obs;

    if (!(obs->have & CORR_HAVE_TS))
        return;
    if (s->ack && !s->syn) {
        while (rev->ts_oldest < rev->stamps->len) {
            const struct corr_tcp_stamp *stamp =
                &g_array_index(rev->stamps, struct corr_tcp_stamp, rev->ts_oldest);
            if ((int32_t)(obs->tsecr - stamp->tsval) < 0)
                break;
            struct corr_rtt_sample sample = {s->time_ns, s->time_ns - stamp->time_ns};

            if (obs->tsecr == stamp->tsval && sample.rtt_ns >= 0)
                g_array_append_val(rev->ts_rtts, sample);
            rev->ts_oldest++;
        }
    }
    if (s->len > 0) {
        guint n = fwd->stamps->len;
        struct corr_tcp_stamp stamp = {obs->tsval, s->time_ns};

        if (n == 0 || (int32_t)(obs->tsval -
                                g_array_index(fwd->stamps, struct corr_tcp_stamp, n - 1).tsval) > 0)
            g_array_append_val(fwd->stamps, stamp);
    }
}

/* Scaling is used if both SYNs offer it: RFC 7323, section 2.2. */
void corr_tcp_take_syn(struct corr_tcp_work *work, struct corr_tcp_step *s)
{
    const struct corr_options *options = corr_store_options(work->r->store, s->i);
    struct corr_tcp_end *fwd = s->fwd, *rev = s->rev;
    bool offers = (s->obs->opt_kinds & CORR_OPT_WSCALE) != 0;

    if (!(s->obs->have & CORR_HAVE_OPTIONS))
        return;
    fwd->syn_seen = true;
    if (s->obs->have & CORR_HAVE_MSS)
        fwd->mss = s->obs->mss;
    fwd->scale = offers && options != NULL ? options->wscale : 0;
    if (!offers) {
        fwd->scale = rev->scale = 0;
        fwd->scale_known = rev->scale_known = true;
    } else if (s->ack) {
        if (rev->syn_seen && rev->scale_known)
            fwd->scale = 0; /* offered, but not asked for: not used */
        fwd->scale_known = true;
        rev->scale_known = rev->syn_seen;
    }
}

void corr_tcp_take_handshake(struct corr_tcp_work *work, struct corr_tcp_step *s, uint32_t conv)
{
    struct corr_tcp_conv *c = &g_array_index(work->tcp->convs, struct corr_tcp_conv, conv);
    struct corr_tcp_shake *shake = &work->shake;
    const struct corr_obs *obs = s->obs;

    if (s->syn && !s->ack) {
        shake->n_syn++;
        shake->client = obs->dir;
        shake->syn_ns = s->time_ns;
        shake->syn_has_ts = (obs->have & CORR_HAVE_TS) != 0;
        shake->syn_tsval = obs->tsval;
        if (!c->has_syn)
            c->syn_frame = obs->frame;
        c->has_syn = true;
    } else if (s->syn) {
        bool answers_last = shake->n_syn == 1 || (shake->syn_has_ts && obs->have & CORR_HAVE_TS &&
                                                  obs->tsecr == shake->syn_tsval);

        if (shake->n_syn_ack++ == 0 && c->has_syn && answers_last && obs->dir != shake->client) {
            c->has_rtt_server = s->time_ns >= shake->syn_ns;
            c->rtt_server_ns = s->time_ns - shake->syn_ns;
        }
        if (!c->has_syn)
            shake->client = !obs->dir;
        shake->syn_ack_ns = s->time_ns;
        shake->syn_ack_seq = obs->seq;
        if (!c->has_syn_ack)
            c->syn_ack_frame = obs->frame;
        c->has_syn_ack = true;
    } else if (c->has_syn_ack && !c->has_ack && s->ack && !s->rst && obs->dir == shake->client &&
               obs->ack == shake->syn_ack_seq + 1) {
        c->has_ack = true;
        c->ack_frame = obs->frame;
        c->has_rtt_client = shake->n_syn_ack == 1 && s->time_ns >= shake->syn_ack_ns;
        c->rtt_client_ns = s->time_ns - shake->syn_ack_ns;
    }
}

void corr_tcp_take_window(struct corr_tcp_step *s)
{
    struct corr_tcp_end *fwd = s->fwd;
    uint16_t window = s->obs->window;
    bool known = s->syn || fwd->scale_known || window == 0;
    uint32_t room = s->syn ? window : (uint32_t)window << fwd->scale;
    struct corr_tcp_window now = {s->time_ns, known ? room : 0, known};
    guint n = fwd->windows->len;

    if (s->rst)
        return;
    fwd->has_window = true;
    fwd->window = window;
    fwd->window_known = known;
    fwd->room = room;
    if (n > 0) {
        const struct corr_tcp_window *last =
            &g_array_index(fwd->windows, struct corr_tcp_window, n - 1);
        if (last->known == now.known && last->bytes == now.bytes)
            return;
    }
    g_array_append_val(fwd->windows, now);
}
