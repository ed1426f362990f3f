/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtt.h - round trips of the path, from probes that were captured, beside those of TCP.
 *
 * Probes are echo requests, and packets of which a time exceeded or port
 * unreachable came back: what ping, traceroute and mtr send.  All times are
 * taken at one point, the one nearest the prober, by its own clock: exact, and
 * without what lies between the prober and that point.
 *
 * Round trips of different names are not compared as if they were one:
 *
 *     end        echo request to reply: the path, and a kernel that answers at once
 *     hop        probe to time exceeded: the path to a router and back, and the time that
 *                the router takes to say so, which is not its time to forward.  It is
 *                an upper bound of the path to there
 *     handshake  SYN to SYN-ACK at the same point: the path, and the server's stack;
 *                less than the path means that something nearer answers
 */
#ifndef CORR_RTT_H
#define CORR_RTT_H

#include "layers/tcp.h"
#include "path/frames.h"

/* One distance from the point, and who answered there. */
struct corr_rtt_hop {
    uint8_t ttl;             /* of the probes as the point saw them */
    bool end;                /* the destination itself answered */
    struct corr_addr by;     /* who answered; len 0: nobody */
    uint32_t sent, answered; /* probes with this TTL; of them, those that `by` answered */
    bool loss_goes_on;       /* probes with a larger TTL are lost, too: loss on the path.  Else a
                                router that does not answer all */
    struct corr_rtt_stat rtt;
    int64_t variation_ns;   /* mean difference of one round trip to the next; 0 with n < 2 */
    bool variation_goes_on; /* all distances beyond vary at least half as much: the path does, and
                               not only this router's answers.  False where nothing is beyond */
};

/* Columns: id, what it says. */
/* clang-format off */
#define CORR_RTT_VERDICTS(X)                                                                      \
    X(UNKNOWN, "there is nothing to compare")                                                     \
    X(AGREE,   "the handshake takes what the path takes")                                         \
    X(NEARER,  "something nearer than the server answers the handshake")                          \
    X(SERVER,  "the server takes its time to answer the handshake")
/* clang-format on */
enum corr_rtt_verdict {
#define CORR_ROW(id, text) CORR_RTT_VERDICT_##id,
    CORR_RTT_VERDICTS(CORR_ROW)
#undef CORR_ROW
};
const char *corr_rtt_verdict_text(enum corr_rtt_verdict verdict);

/* What is known of the path between two addresses, at the point nearest the first. */
struct corr_rtt_path {
    struct corr_addr from, to; /* the prober and its destination, as the point shows them */
    uint32_t point;
    GArray *hops;                   /* struct corr_rtt_hop, by ttl, then by who answered first */
    uint32_t route_changes;         /* times that another router answered at a distance */
    struct corr_rtt_stat end;       /* round trips to the destination */
    struct corr_rtt_stat handshake; /* of TCP between the same addresses, at the same point */
    enum corr_rtt_verdict verdict;
};

/*
 * All probed paths, by their first probe: of probes of which a frame, or their answer's, is in
 * the set; handshakes likewise, by flows.  Linear in packets.  Unref to free.
 */
GPtrArray *corr_rtt_paths_new(const struct corr_result *r, const struct corr_frame_set *frames);

/* The path between two addresses, or NULL. */
const struct corr_rtt_path *corr_rtt_path_find(const GPtrArray *paths, const struct corr_addr *from,
                                               const struct corr_addr *to);

#endif /* CORR_RTT_H */
