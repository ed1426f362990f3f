/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings-int.h - what the rules work with. */
#ifndef CORR_FINDINGS_INT_H
#define CORR_FINDINGS_INT_H

#include "layers/findings.h"
#include "layers/segment.h"

#define CORR_EVIDENCE_MAX 16 /* frames named in one finding */

/* Packets lost between two points for one reason. */
struct corr_loss {
    uint32_t after, before; /* points; before is CORR_NONE behind the last one */
    uint8_t cause;          /* enum corr_cause */
    uint32_t n, confirmed;  /* packets; of them proven by a frame */
    uint32_t unnamed;       /* lost members of groups of equal packets, not in `packets` */
    GArray *packets;        /* uint32_t, in the order of capture */
};

/* A flow of which nothing passes a place. */
struct corr_blocked {
    uint32_t flow, after, before;
    uint8_t cause;
    uint32_t n;
    GArray *packets; /* uint32_t */
};

/* A flow that had passed a place, was silent, and passes no more: its state was forgotten there. */
struct corr_expired {
    uint32_t flow, after, before;
    uint32_t last;   /* packet that passed last */
    int64_t idle_ns; /* from that one on, at `after` */
    GArray *packets; /* uint32_t: lost since */
};

/* A lost packet that has a name, by flow. */
struct corr_flow_loss {
    uint32_t flow, packet, loss; /* the last: index in losses */
};

struct corr_inquiry {
    const struct corr_result *r;
    const struct corr_frame_set *frames;
    const uint8_t *mask;                 /* of packets; NULL: all */
    const uint8_t *flow_counts;          /* by flow: 1 if a packet of it counts */
    const struct corr_capture *captures; /* by point: of all frames */
    enum corr_trust *trust;              /* by point */
    struct corr_segments *segments;
    GPtrArray *losses;   /* struct corr_loss *, without blocked flows and expired ones */
    GPtrArray *expired;  /* struct corr_expired * */
    uint8_t *is_expired; /* by packet: one of theirs */
    GArray *flow_losses; /* struct corr_flow_loss, by flow */
    GPtrArray *blocked;  /* struct corr_blocked *, by flow's first loss */
    GPtrArray *paths;    /* struct corr_rtt_path *: what was pinged or traced */
    GHashTable *index;   /* of out->list: by rule and place, by rule and `who` */
    struct corr_findings *out;
};

/* rules_state.c: fills `expired` and `is_expired`; before losses are collected. */
void corr_expired_collect(struct corr_inquiry *q);

/* rules_*.c: what the rows of CORR_RULES call. */
void corr_rule_alone(struct corr_inquiry *q);
void corr_rule_capture_loss(struct corr_inquiry *q);
void corr_rule_pause(struct corr_inquiry *q);
void corr_rule_merged(struct corr_inquiry *q);
void corr_rule_cut(struct corr_inquiry *q);
void corr_rule_copies(struct corr_inquiry *q);
void corr_rule_unreadable(struct corr_inquiry *q);
void corr_rule_window(struct corr_inquiry *q);
void corr_rule_one_way(struct corr_inquiry *q);
void corr_rule_ambiguous(struct corr_inquiry *q);
void corr_rule_clock_offset(struct corr_inquiry *q);
void corr_rule_clock_step(struct corr_inquiry *q);
void corr_rule_blocked(struct corr_inquiry *q);
void corr_rule_expired(struct corr_inquiry *q);
void corr_rule_exhausted(struct corr_inquiry *q);
void corr_rule_first_packet(struct corr_inquiry *q);
void corr_rule_route(struct corr_inquiry *q);
void corr_rule_storm(struct corr_inquiry *q);
void corr_rule_reuse(struct corr_inquiry *q);
void corr_rule_mtu(struct corr_inquiry *q);
void corr_rule_queue(struct corr_inquiry *q);
void corr_rule_policer(struct corr_inquiry *q);
void corr_rule_corruption(struct corr_inquiry *q);
void corr_rule_rejected(struct corr_inquiry *q);
void corr_rule_loss(struct corr_inquiry *q);
void corr_rule_thinned(struct corr_inquiry *q);
void corr_rule_ttl(struct corr_inquiry *q);
void corr_rule_loop(struct corr_inquiry *q);
void corr_rule_delay(struct corr_inquiry *q);
void corr_rule_reordering(struct corr_inquiry *q);
void corr_rule_asymmetric(struct corr_inquiry *q);
void corr_rule_rewrites(struct corr_inquiry *q);
void corr_rule_nat(struct corr_inquiry *q);
void corr_rule_upstream(struct corr_inquiry *q);
void corr_rule_repair(struct corr_inquiry *q);
void corr_rule_spurious(struct corr_inquiry *q);
void corr_rule_reset(struct corr_inquiry *q);
void corr_rule_refused(struct corr_inquiry *q);
void corr_rule_syn_again(struct corr_inquiry *q);
void corr_rule_middlebox(struct corr_inquiry *q);
void corr_rule_receiver(struct corr_inquiry *q);
void corr_rule_small_window(struct corr_inquiry *q);
void corr_rule_delayed_ack(struct corr_inquiry *q);
void corr_rule_server(struct corr_inquiry *q);
void corr_rule_resolver(struct corr_inquiry *q);
void corr_rule_lookup_again(struct corr_inquiry *q);
void corr_rule_tls_turns(struct corr_inquiry *q);
void corr_rule_pipelined(struct corr_inquiry *q);
void corr_rule_slow_by_loss(struct corr_inquiry *q);
void corr_rule_slow_reader(struct corr_inquiry *q);
void corr_rule_time(struct corr_inquiry *q);
void corr_rule_nothing(struct corr_inquiry *q);

/* The `who` of many connections, and what each adds; in the order in which they come. */
struct corr_tally {
    char *who;
    GArray *flows; /* uint32_t */
    uint32_t n;    /* things counted */
    int64_t sum_ns, worst_ns;
    uint32_t worst;   /* the flow of the worst */
    GArray *evidence; /* uint32_t: frames, the first ones */
};
/* Of struct corr_tally *; free with g_ptr_array_unref(). */
GPtrArray *corr_tallies_new(void);
/* Adds a flow's part to its `who`, which it takes. */
struct corr_tally *corr_tally_add(GPtrArray *tallies, GHashTable *by_who, char *who, uint32_t flow,
                                  uint32_t n, int64_t ns);
void corr_tally_prove(struct corr_tally *tally, uint32_t frame);
/* A finding about it: who, evidence, and as filter its flows, behind `more`. */
struct corr_insight *corr_insight_add_tally(struct corr_inquiry *q, enum corr_rule rule,
                                            enum corr_weight weight,
                                            enum corr_confidence confidence,
                                            const struct corr_tally *tally, const char *more);

/* A new finding about what lies between two points, or at one (CORR_NONE: none); sets `where`. */
struct corr_insight *corr_insight_add(struct corr_inquiry *q, enum corr_rule rule,
                                      enum corr_weight weight, enum corr_confidence confidence,
                                      uint32_t from, uint32_t to);
void corr_insight_free(void *insight);
void corr_insight_say(struct corr_insight *insight, const char *format, ...) G_GNUC_PRINTF(2, 3);
void corr_insight_filter(struct corr_insight *insight, const char *format, ...) G_GNUC_PRINTF(2, 3);
void corr_insight_because(struct corr_insight *insight, const char *format, ...)
    G_GNUC_PRINTF(2, 3);
void corr_insight_prove(struct corr_insight *insight, uint32_t frame); /* 0 and repeats: ignored */

/* `effect` follows from `cause`; repeats: ignored.  Rules see to it that there are no circles. */
void corr_insight_follows(struct corr_insight *effect, struct corr_insight *cause);
/* ... from the finding about the loss of a packet, whatever its cause. */
void corr_insight_follows_loss(const struct corr_inquiry *q, struct corr_insight *effect,
                               uint32_t packet);
/* The finding of a rule about what lies between two points, or at one; NULL. */
struct corr_insight *corr_inquiry_find(const struct corr_inquiry *q, enum corr_rule rule,
                                       uint32_t from, uint32_t to);
/* The finding of a rule about a host or a service; NULL. */
struct corr_insight *corr_inquiry_find_who(const struct corr_inquiry *q, enum corr_rule rule,
                                           const char *who);
/* Sets `where`, and the points that the finding rests on. */
void corr_insight_place(const struct corr_inquiry *q, struct corr_insight *insight, uint32_t from,
                        uint32_t to);

/* findings_tree.c: sorts the list, the worst first, and puts causes below their effects. */
void corr_findings_order(struct corr_findings *findings);

/* The first frame of a point with one of the CORR_HAVE_ bits (0: any); 0: none. */
uint32_t corr_inquiry_first_frame(const struct corr_inquiry *q, uint32_t point, uint32_t have);
/* The last frame that shows a lost packet, as far as it came. */
uint32_t corr_inquiry_lost_frame(const struct corr_inquiry *q, uint32_t packet);

/* "nic"; and as it stands between quotes in a display filter; g_free(). */
static inline const char *corr_inquiry_point(const struct corr_inquiry *q, uint32_t point)
{
    return corr_store_point(q->r->store, point)->name;
}
char *corr_inquiry_quoted(const struct corr_inquiry *q, uint32_t point);

/* Shorter waits explain nothing that anybody notices. */
#define CORR_CHAIN_NS INT64_C(50000000)

struct corr_transaction; /* layers/phases.h */

/* rules_phases.c, for the rules on chains, too: does the transaction count? */
bool corr_inquiry_counts(const struct corr_inquiry *q, const struct corr_transaction *t);
/* The end that sends direction `dir` of a local flow's flow: "10.0.0.1:5"; g_free(). */
char *corr_inquiry_end(const struct corr_inquiry *q, uint32_t conv, unsigned dir);
/* The same without its port. */
char *corr_inquiry_host(const struct corr_inquiry *q, uint32_t conv, unsigned dir);
/* The local flow of a flow that is nearest its initiator: by its addresses hosts are named. */
uint32_t corr_inquiry_conv(const struct corr_inquiry *q, uint32_t flow);
/* The ends of a flow, as the initiator knows them: "10.0.0.1:5 > 10.0.0.2:80". */
void corr_inquiry_append_ends(const struct corr_inquiry *q, uint32_t flow, GString *text);
/* Appends "transaction 4 (GET /index.html, 10.1.0.10:45000 > 203.0.113.5:80)". */
void corr_inquiry_transaction(const struct corr_inquiry *q, uint32_t number, GString *text);
/* The finding follows from the losses of packets of a flow, wherever they were. */
void corr_insight_follows_flow(const struct corr_inquiry *q, struct corr_insight *insight,
                               uint32_t flow);
/* Losses of packets of a flow that are not blocked: the first one, and how many. */
const struct corr_flow_loss *corr_inquiry_flow_losses(const struct corr_inquiry *q, uint32_t flow,
                                                      unsigned *n);
/* The filter `corr.transaction` for some of them (uint32_t, from 0); `more` follows it. */
void corr_insight_filter_transactions(struct corr_insight *insight, const GArray *transactions,
                                      const char *more);
/* "transactions 3, 5, 9 (+4)" of [from ..) of them. */
void corr_text_transactions(const GArray *transactions, unsigned from, GString *text);

/* "1 packet", "12 packets" */
#define CORR_PLURAL(n) ((n) == 1 ? "" : "s")

/* Appends "12 of 1441 packets (0.833 %)". */
void corr_inquiry_share(GString *text, uint64_t n, uint64_t of, const char *things);

#endif /* CORR_FINDINGS_INT_H */
