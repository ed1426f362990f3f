/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phase_time.c - what the time of a phase was spent on. */
#include "layers/phase_time.h"

#include "layers/layers.h"

bool corr_phase_span_at(const struct corr_phases *phases, const struct corr_phase *phase,
                        uint32_t conv, int64_t *from_ns, int64_t *to_ns)
{
    for (uint32_t i = phase->first_span; i < phase->first_span + phase->n_spans; i++) {
        const struct corr_phase_span *span =
            &g_array_index(phases->spans, struct corr_phase_span, i);
        if (span->conv != conv || !span->begin.frame || !span->end.frame)
            continue;
        *from_ns = span->begin.time_ns;
        *to_ns = span->end.time_ns;
        return true;
    }
    return false;
}

/* For data in one direction. */
static int64_t waited_one_way(const struct corr_result *r, const struct corr_phase *phase,
                              unsigned data_dir, bool reader)
{
    const struct corr_tcp *tcp = corr_layers_tcp(r);
    const struct corr_tcp_way *way = corr_tcp_way_of(tcp, phase->flow, data_dir);
    int64_t from_ns, to_ns, sum = 0;
    uint32_t n;

    if (way->sender == CORR_NONE ||
        !corr_phase_span_at(corr_layers_phases(r), phase, way->sender, &from_ns, &to_ns))
        return 0;
    /* The repair of a phase's last segment ends behind what the sender takes for its end. */
    to_ns = MAX(to_ns, from_ns + phase->duration_ns);
    const struct corr_tcp_stall *stall =
        corr_tcp_stalls(tcp, phase->flow, data_dir, from_ns, to_ns, &n);
    for (uint32_t i = 0; i < n; i++, stall++) {
        bool repair = stall->cause == CORR_TCP_STALL_FAST || stall->cause == CORR_TCP_STALL_TIMEOUT;
        if (reader ? stall->cause == CORR_TCP_STALL_RECEIVER : repair)
            sum += MIN(stall->to_ns, to_ns) - MAX(stall->from_ns, from_ns);
    }
    return sum;
}

int64_t corr_phase_waited(const struct corr_result *r, const struct corr_phase *phase, bool reader)
{
    int64_t sum = 0;

    if (corr_result_flow(r, phase->flow)->proto != 6)
        return 0;
    /* A SYN that is sent again has no data that TCP could count. */
    if (phase->name == CORR_PHASE_CONNECT && !reader && phase->retransmissions) {
        const struct corr_tcp_conv *conv = corr_tcp_conv_of(corr_layers_tcp(r), phase->conv);
        return MAX(phase->duration_ns - (conv->has_rtt_server ? conv->rtt_server_ns : 0), 0);
    }
    /* Both senders may wait at once, for one and the same repair. */
    for (unsigned dir = 0; dir < 2; dir++)
        sum += waited_one_way(r, phase, dir, reader);
    return MIN(sum, phase->duration_ns);
}

int64_t corr_phase_server_own(const struct corr_result *r, const struct corr_phase *phase)
{
    const struct corr_phases *phases = corr_layers_phases(r);
    uint32_t last = phase->point;

    if (corr_result_flow(r, phase->flow)->proto != 6)
        return phase->server_ns;
    if (phase->n_shares)
        last = g_array_index(phases->shares, struct corr_phase_share,
                             phase->first_share + phase->n_shares - 1)
                   .to;
    for (uint32_t i = phase->first_span; i < phase->first_span + phase->n_spans; i++) {
        uint32_t conv = g_array_index(phases->spans, struct corr_phase_span, i).conv;
        const struct corr_tcp_conv *tcp = corr_tcp_conv_of(corr_layers_tcp(r), conv);
        if (corr_result_conv(r, conv)->point != last || !tcp->has_rtt_server)
            continue;
        const struct corr_rtt_stat *data =
            &corr_tcp_side_at(corr_layers_tcp(r), conv, !phase->data_dir)->data_rtt;
        int64_t least = data->n ? MIN(data->min_ns, tcp->rtt_server_ns) : tcp->rtt_server_ns;
        return MAX(phase->server_ns - least, 0);
    }
    return phase->server_ns;
}

struct corr_round_trip corr_phase_round_trip(const struct corr_result *r, const GPtrArray *paths,
                                             const struct corr_phase *phase)
{
    const struct corr_conv *local = corr_result_conv(r, phase->conv);
    unsigned flip = r->conv_flip[phase->conv] & 1;
    const struct corr_rtt_path *path =
        corr_rtt_path_find(paths, &local->end[flip].addr, &local->end[!flip].addr);

    if (path && path->end.n)
        return (struct corr_round_trip){true, true, path->end.min_ns};
    if (corr_result_flow(r, phase->flow)->proto != 6)
        return (struct corr_round_trip){.known = false};
    const struct corr_tcp *tcp = corr_layers_tcp(r);
    const struct corr_tcp_conv *conv = corr_tcp_conv_of(tcp, phase->conv);
    bool known =
        conv->has_rtt_server && corr_tcp_flow_of(tcp, phase->flow)->syn_retransmissions == 0;
    return (struct corr_round_trip){known, false, conv->rtt_server_ns};
}
