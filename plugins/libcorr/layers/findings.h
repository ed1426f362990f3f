/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * findings.h - what is wrong, where, and how sure that is: sentences with evidence.
 *
 * Each rule looks at what the stages before have found and speaks, or is silent.
 * The captures are judged first: no conclusion is surer than the captures that
 * it rests on.  A chain from one layer to the next is told only as far as each
 * link is proven: an effect names the findings that it follows from, and stands
 * above them.
 *
 * To add a rule: a row in CORR_RULES, a function corr_rule_<name>(), and in
 * tests/sim/findings.py a scenario where it must speak, and one where it must not.
 */
#ifndef CORR_FINDINGS_H
#define CORR_FINDINGS_H

#include "layers/capture.h"

/* Where a finding stands in the tree.  Columns: id, word. */
/* clang-format off */
#define CORR_BRANCHES(X)        \
    X(CAPTURE, "capture")       \
    X(L3,      "L3")            \
    X(L4,      "L4")            \
    X(L7,      "L7")            \
    X(L3_L4,   "L3->L4")        \
    X(L4_L7,   "L4->L7")        \
    X(END,     "end to end")

/*
 * Rules, in the order in which they are asked.  Columns: name, branch, function (NULL: the
 * function of a row above tells it, too), what it looks for.
 */
#define CORR_RULES(X)                                                                              \
    X(alone,        CAPTURE, corr_rule_alone,                                                      \
      "A capture that has nothing in common with the others")                                      \
    X(capture_loss, CAPTURE, corr_rule_capture_loss,                                               \
      "Packets that a point did not record although they passed it")                               \
    X(pause,        CAPTURE, corr_rule_pause,                                                      \
      "A capture that recorded nothing while packets should have passed")                          \
    X(merged,       CAPTURE, corr_rule_merged,                                                     \
      "Several captures in one interface")                                                         \
    X(cut,          CAPTURE, corr_rule_cut,                                                        \
      "Frames cut short by the snapshot length")                                                   \
    X(copies,       CAPTURE, corr_rule_copies,                                                     \
      "Packets recorded more than once by a mirror port")                                          \
    X(unreadable,   CAPTURE, corr_rule_unreadable,                                                 \
      "Frames that could not be read")                                                             \
    X(window,       CAPTURE, corr_rule_window,                                                     \
      "Packets outside of the time, or the filter, of a capture")                                  \
    X(one_way,      CAPTURE, corr_rule_one_way,                                                    \
      "A point that saw one direction only")                                                       \
    X(ambiguous,    CAPTURE, corr_rule_ambiguous,                                                  \
      "Equal packets that nobody can tell apart")                                                  \
    X(clock_offset, CAPTURE, corr_rule_clock_offset,                                               \
      "Clocks so far apart that the file's order is impossible")                                   \
    X(clock_step,   CAPTURE, corr_rule_clock_step,                                                 \
      "A clock that was set during the capture")                                                   \
    X(expired,      L3,      corr_rule_expired,                                                    \
      "Connections that a translator or firewall forgot while they were silent")                   \
    X(exhausted,    L3,      corr_rule_exhausted,                                                  \
      "A translator or firewall without room for new connections")                                 \
    X(storm,        L3,      corr_rule_storm,                                                      \
      "Equal frames without end: a switching loop")                                                \
    X(blocked,      L3,      corr_rule_blocked,                                                    \
      "A flow of which nothing passes")                                                            \
    X(mtu,          L3,      corr_rule_mtu,                                                        \
      "Packets lost because they were too long: an MTU black hole")                                \
    X(queue,        L3,      corr_rule_queue,                                                      \
      "Packets lost in a queue that had filled up")                                                \
    X(policer,      L3,      corr_rule_policer,                                                    \
      "Packets lost to a rate limit")                                                              \
    X(corruption,   L3,      corr_rule_corruption,                                                 \
      "Packets damaged on the way")                                                                \
    X(rejected,     L3,      corr_rule_rejected,                                                   \
      "Packets refused by policy while others of their flow pass")                                 \
    X(loss,         L3,      corr_rule_loss,                                                       \
      "Packets lost between two points, of unknown cause")                                         \
    X(thinned,      L3,      corr_rule_thinned,                                                    \
      "Acknowledgements that are taken out on the way, as later ones replace them")                \
    X(ttl,          L3,      corr_rule_ttl,                                                        \
      "Packets whose time to live ran out")                                                        \
    X(loop,         L3,      corr_rule_loop,                                                       \
      "Packets that pass a point again and again")                                                 \
    X(delay,        L3,      corr_rule_delay,                                                      \
      "A segment whose delay grows: a queue")                                                      \
    X(reordering,   L3,      corr_rule_reordering,                                                 \
      "Packets overtaken by later ones")                                                           \
    X(first_packet, L3,      corr_rule_first_packet,                                               \
      "First packets of flows that wait longer than the rest")                                     \
    X(route,        L3,      corr_rule_route,                                                      \
      "Packets that take another way from a moment on")                                            \
    X(asymmetric,   L3,      corr_rule_asymmetric,                                                 \
      "Flows that go one way and return another")                                                  \
    X(dscp,         L3,      corr_rule_rewrites,                                                   \
      "A segment that changes the priority of packets")                                            \
    X(congestion,   L3,      NULL,                                                                 \
      "A segment that marks packets: congestion experienced")                                      \
    X(sack,         L3,      NULL,                                                                 \
      "A segment that rewrites sequence numbers, but not those in SACK blocks")                    \
    X(options,      L3,      NULL,                                                                 \
      "A segment that takes TCP options away")                                                     \
    X(mss,          L3,      NULL,                                                                 \
      "A segment that lowers the maximum segment size")                                            \
    X(nat,          L3,      corr_rule_nat,                                                        \
      "A segment that translates addresses or ports")                                              \
    X(upstream, L3, corr_rule_upstream,                                                            \
      "Packets lost before the first point")                                                       \
    X(repair, L3_L4, corr_rule_repair,                                                             \
      "TCP segments sent again because they were lost at a place")                                 \
    X(spurious, L3_L4, corr_rule_spurious,                                                         \
      "TCP segments sent again although they had arrived")                                         \
    X(reset, L4, corr_rule_reset,                                                                  \
      "Connections that something in between resets")                                              \
    X(refused, L4, corr_rule_refused,                                                              \
      "Connections that the server refuses")                                                       \
    X(syn_again, L4, corr_rule_syn_again,                                                          \
      "Connections whose SYN had to be sent again")                                                \
    X(middlebox, L4, corr_rule_middlebox,                                                          \
      "Handshakes that something in between answers")                                              \
    X(slow_accept, L4, NULL,                                                                       \
      "Servers that answer handshakes slower than pings")                                          \
    X(receiver, L4, corr_rule_receiver,                                                            \
      "Receivers that close their window")                                                         \
    X(small_window, L4, corr_rule_small_window,                                                    \
      "Receivers whose window is too small for the path")                                          \
    X(delayed_ack, L4, corr_rule_delayed_ack,                                                      \
      "Small writes that wait for delayed acknowledgements")                                       \
    X(server, L7, corr_rule_server,                                                                \
      "Servers that answer slowly")                                                                \
    X(resolver, L7, corr_rule_resolver,                                                            \
      "Resolvers that answer slowly")                                                              \
    X(lookup_again, L7, corr_rule_lookup_again,                                                    \
      "Name lookups that had to be repeated")                                                      \
    X(tls_turns, L7, corr_rule_tls_turns,                                                          \
      "TLS handshakes that needed one more turn")                                                  \
    X(pipelined, L7, corr_rule_pipelined,                                                          \
      "Responses that waited for others before them")                                              \
    X(reuse, L7, corr_rule_reuse,                                                                  \
      "Requests that open a connection each, one after the other")                                 \
    X(slow_by_loss, L4_L7, corr_rule_slow_by_loss,                                                 \
      "Phases that waited for lost segments to be sent again")                                     \
    X(slow_reader, L4_L7, corr_rule_slow_reader,                                                   \
      "Phases that waited for a receiver to read")                                                 \
    X(time, END, corr_rule_time,                                                                   \
      "Where the time of all transactions went")                                                   \
    X(nothing,      END,     corr_rule_nothing,                                                    \
      "Nothing is wrong, as far as the captures can tell")
/* clang-format on */

enum corr_branch {
#define CORR_ROW(id, word) CORR_BRANCH_##id,
    CORR_BRANCHES(CORR_ROW)
#undef CORR_ROW
        CORR_BRANCH_COUNT
};
const char *corr_branch_word(enum corr_branch branch);

enum corr_rule {
#define CORR_ROW(name, branch, ask, about) CORR_RULE_##name,
    CORR_RULES(CORR_ROW)
#undef CORR_ROW
        CORR_RULE_COUNT
};
const char *corr_rule_word(enum corr_rule rule); /* "capture-loss" */
const char *corr_rule_about(enum corr_rule rule);
enum corr_branch corr_rule_branch(enum corr_rule rule);

/* How bad: a fact worth knowing; degrades the service; breaks it. */
enum corr_weight { CORR_WEIGHT_NOTE, CORR_WEIGHT_WARNING, CORR_WEIGHT_ERROR };
const char *corr_weight_word(enum corr_weight weight); /* "note", "warning", "error" */

/* How sure: a frame proves it; all guards hold; it may be. */
enum corr_confidence {
    CORR_CONFIDENCE_POSSIBLE,
    CORR_CONFIDENCE_PROBABLE,
    CORR_CONFIDENCE_CONFIRMED
};
const char *corr_confidence_word(enum corr_confidence confidence);

struct corr_insight {
    enum corr_rule rule;
    enum corr_weight weight;
    enum corr_confidence confidence; /* capped by the captures that it rests on */
    char *what;                      /* a plain sentence or two */
    char *where;        /* "wan > server", "fw"; NULL: everywhere, or nowhere in sight */
    char *who;          /* host or service that it is about; NULL */
    char *filter;       /* display filter that shows it; NULL if there is none */
    GArray *evidence;   /* uint32_t: frames that prove it, the first ones */
    GPtrArray *because; /* char *: what else is proven and explains it */
    GPtrArray *causes;  /* struct corr_insight *: the findings that it follows from */
    uint32_t points[2]; /* that it rests on; CORR_NONE */
    double size;        /* among its like, the larger comes first */
    uint32_t number;    /* position in the list, from 1 */
    uint32_t parent;    /* number of the finding whose cause it is; 0: nobody's */
};

/* The frame that proves a finding best. */
struct corr_finding_frame {
    uint32_t frame, number;
};

struct corr_findings {
    GPtrArray *list;       /* struct corr_insight *: the worst first, each behind what follows from
                              it: a tree in depth-first order */
    GArray *frames;        /* struct corr_finding_frame, by frame: where each is shown */
    enum corr_trust trust; /* in the worst of the captures */
};

/* Asks every rule; only packets that a frame of the set shows count.  Linear in packets. */
struct corr_findings *corr_findings_new(const struct corr_result *r,
                                        const struct corr_frame_set *frames);
void corr_findings_free(struct corr_findings *findings);

/* Those that are shown at a frame, and how many; NULL: none. */
const struct corr_finding_frame *corr_findings_at(const struct corr_findings *findings,
                                                  uint32_t frame, unsigned *n);

#endif /* CORR_FINDINGS_H */
