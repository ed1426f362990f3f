/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quality_upper.c - figures of TCP and of transactions, for the grades of L4 and L7. */
#include "layers/layers.h"
#include "layers/phase_time.h"
#include "layers/quality.h"
#include "layers/segment.h"
#include "layers/tcp.h"

#define PAGE_BYTES 1000000 /* how long a longer response takes depends on its size */

/* What is collected for one row: the whole capture, or a pair. */
struct upper {
    uint64_t bytes, repeated, segments;
    int64_t closed_ns, total_ns, waited_ns;
    uint32_t closed_flows, transactions;
    GArray *times[CORR_METRIC_COUNT]; /* int64_t; NULL: none */
};

static void sample(struct upper *upper, enum corr_metric metric, int64_t ns)
{
    if (!upper->times[metric])
        upper->times[metric] = g_array_new(FALSE, FALSE, sizeof(int64_t));
    g_array_append_val(upper->times[metric], ns);
}

static void add_tcp(const struct corr_result *r, uint32_t flow, struct upper *upper)
{
    const struct corr_tcp *tcp = corr_layers_tcp(r);

    for (unsigned dir = 0; dir < 2; dir++) {
        const struct corr_tcp_way *way = corr_tcp_way_of(tcp, flow, dir);
        if (way->sender == CORR_NONE)
            continue;
        const struct corr_tcp_side *side = corr_tcp_side_at(tcp, way->sender, dir);
        const struct corr_tcp_conv *conv = corr_tcp_conv_of(tcp, way->sender);
        upper->bytes += side->bytes;
        upper->repeated += side->repeated_bytes;
        upper->segments += side->data_frames;
        if (dir == 0 && conv->has_rtt_server)
            sample(upper, CORR_METRIC_handshake, conv->rtt_server_ns);
        if (way->counts[CORR_TCP_EVENT_ZERO_WINDOW]) {
            upper->closed_ns += way->limited_ns[CORR_TCP_STALL_RECEIVER];
            upper->closed_flows++;
        }
    }
}

/* A handshake is one round trip. */
static void add_connect(const struct corr_result *r, const GPtrArray *paths,
                        const struct corr_phase *phase, struct upper *upper)
{
    struct corr_round_trip trip = corr_phase_round_trip(r, paths, phase);
    const struct corr_tcp_conv *conv = corr_tcp_conv_of(corr_layers_tcp(r), phase->conv);

    if (!trip.known && conv->has_rtt_server) /* a SYN that was sent again: the last one counts */
        trip = (struct corr_round_trip){true, false, conv->rtt_server_ns};
    if (trip.known)
        sample(upper, CORR_METRIC_connect, MAX(phase->duration_ns - trip.ns, 0));
}

/* Round trips that a TLS handshake needs: RFC 5246, section 7.3; RFC 8446, section 2. */
static unsigned tls_turns(const struct corr_transaction *t)
{
    unsigned turns = t->tls >= 0x0304 || t->tls_resumed ? 1 : 2;

    return turns + t->tls_retry;
}

static bool is_web(const struct corr_transaction *t)
{
    return t->kind == CORR_TRANSACTION_HTTP || t->kind == CORR_TRANSACTION_HTTPS ||
           t->kind == CORR_TRANSACTION_H2 || t->kind == CORR_TRANSACTION_QUIC;
}

static void add_transaction(const struct corr_result *r, const GPtrArray *paths,
                            const struct corr_transaction *t, struct upper *upper)
{
    const struct corr_phases *phases = corr_layers_phases(r);
    int64_t before_ns = 0; /* up to the first byte of the response */
    int64_t response = 0;
    bool answered = false;

    upper->transactions++;
    for (uint32_t i = t->first_phase; i < t->first_phase + t->n_phases; i++) {
        const struct corr_phase *phase = corr_phases_phase(phases, i);
        struct corr_round_trip trip;
        upper->total_ns += phase->duration_ns;
        upper->waited_ns +=
            MIN(corr_phase_waited(r, phase, false) + corr_phase_waited(r, phase, true),
                phase->duration_ns);
        switch (phase->name) {
        case CORR_PHASE_DNS:
            sample(upper, CORR_METRIC_dns, phase->duration_ns);
            break;
        case CORR_PHASE_CONNECT:
            add_connect(r, paths, phase, upper);
            break;
        case CORR_PHASE_TLS:
            trip = corr_phase_round_trip(r, paths, phase);
            if (trip.known && t->tls && corr_result_flow(r, phase->flow)->proto == 6)
                sample(upper, CORR_METRIC_tls, MAX(phase->duration_ns - tls_turns(t) * trip.ns, 0));
            break;
        case CORR_PHASE_SERVER:
            sample(upper, CORR_METRIC_server, corr_phase_server_own(r, phase));
            answered = true;
            break;
        case CORR_PHASE_DOWNLOAD:
            response =
                phase->bytes[phase->data_dir & 1].to - phase->bytes[phase->data_dir & 1].from;
            break;
        default:
            break;
        }
        before_ns += phase->name == CORR_PHASE_DOWNLOAD ? 0 : phase->duration_ns;
    }
    if (answered && is_web(t))
        sample(upper, CORR_METRIC_first_byte, before_ns);
    if (t->has_total && is_web(t) && response <= PAGE_BYTES)
        sample(upper, CORR_METRIC_transaction, t->total_ns);
}

/* Of times the 95th percentile counts: what one in twenty has to bear. */
static void grade(struct upper *upper, struct corr_quality *quality)
{
    struct corr_figure figure = {.from = CORR_NONE, .to = CORR_NONE};

    if (upper->bytes) {
        figure.metric = CORR_METRIC_efficiency;
        figure.value = (double)upper->repeated / (double)upper->bytes;
        figure.n = upper->segments;
        corr_quality_add(quality, CORR_QUALITY_L4, figure);
    }
    if (upper->closed_flows) {
        figure.metric = CORR_METRIC_zero_window;
        figure.value = (double)upper->closed_ns;
        figure.n = upper->closed_flows;
        corr_quality_add(quality, CORR_QUALITY_L4, figure);
    }
    if (upper->total_ns) {
        figure.metric = CORR_METRIC_waiting;
        figure.value = (double)upper->waited_ns / (double)upper->total_ns;
        figure.n = upper->transactions;
        corr_quality_add(quality, CORR_QUALITY_L7, figure);
    }
    for (unsigned m = 0; m < CORR_METRIC_COUNT; m++) {
        struct corr_percentiles l;
        if (!upper->times[m])
            continue;
        if (corr_percentiles(upper->times[m], &l)) {
            figure.metric = m;
            figure.value = (double)l.p95;
            figure.n = upper->times[m]->len;
            corr_quality_add(quality,
                             m == CORR_METRIC_handshake || m == CORR_METRIC_connect
                                 ? CORR_QUALITY_L4
                                 : CORR_QUALITY_L7,
                             figure);
        }
        g_array_unref(upper->times[m]);
    }
}

void corr_quality_upper(const struct corr_result *r, const uint8_t *flow_counts,
                        const uint32_t *pair_of, const GPtrArray *paths,
                        struct corr_quality *const *pairs, unsigned n)
{
    const struct corr_phases *phases = corr_layers_phases(r);
    g_autofree struct upper *uppers = g_new0(struct upper, n + 1); /* the last: the whole */

    for (uint32_t f = 0; f < r->flows->len; f++) {
        if (!flow_counts[f] || corr_result_flow(r, f)->proto != 6)
            continue;
        add_tcp(r, f, &uppers[n]);
        if (pair_of[f] != CORR_NONE)
            add_tcp(r, f, &uppers[pair_of[f]]);
    }
    for (uint32_t i = 0; i < phases->transactions->len; i++) {
        const struct corr_transaction *t = corr_phases_transaction(phases, i);
        if (t->flow >= r->flows->len || !flow_counts[t->flow])
            continue;
        add_transaction(r, paths, t, &uppers[n]);
        if (pair_of[t->flow] != CORR_NONE)
            add_transaction(r, paths, t, &uppers[pair_of[t->flow]]);
    }
    for (unsigned i = 0; i <= n; i++)
        grade(&uppers[i], pairs[i]);
}
