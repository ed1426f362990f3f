/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * phases.h - transactions: a request, its response, and what it had to wait for.
 *
 * A transaction is a row of phases in time: the DNS query, the TCP handshake,
 * the TLS handshake, the request, the server's work, the download.  A phase is
 * a chain of moments at which certain bytes or packets pass; each moment has a
 * time at every station that saw it, by that station's own clock.
 *
 * The split of a phase needs no clock but each point's own (algorithms: 5.6).
 * From a moment of the client to one of the server, what point i measures and
 * point i + 1 does not is the segment between them; what the last point
 * measures is the server, and all behind that point.  From a moment of the
 * server to one of the client, what the first point measures is the client.
 * While data is sent, the time in which its receiver's window was closed is the
 * receiver's, as the point nearest to it shows.  Their sum is the duration.  A
 * point that did not see one of the two moments is left out of that turn: the
 * segments on both sides of it are then one.
 *
 * Phases are made from a settled result when somebody asks for them.
 */
#ifndef CORR_PHASES_H
#define CORR_PHASES_H

#include "layers/passing.h"
#include "layers/tcp.h"
#include "path/result.h"

/* Columns: id, word in corr.phase, what it is.  In the order in which they come. */
/* clang-format off */
#define CORR_PHASES(X)                                                                             \
    X(DNS,      "dns",      "Name lookup: first query to the answer that was waited for")          \
    X(CONNECT,  "connect",  "TCP handshake: first SYN to the client's ACK")                        \
    X(PROXY,    "proxy",    "CONNECT, to the proxy's consent")                                     \
    X(STARTTLS, "starttls", "What was said in clear before TLS began")                             \
    X(TLS,      "tls",      "TLS (QUIC: also transport) handshake: ClientHello to last Finished")  \
    X(REQUEST,  "request",  "First to last byte of the request")                                   \
    X(SERVER,   "server",   "Last byte of the request to first byte of the response")              \
    X(DOWNLOAD, "download", "First to last byte of the response")
/* clang-format on */
enum corr_phase_name {
#define CORR_ROW(id, word, about) CORR_PHASE_##id,
    CORR_PHASES(CORR_ROW)
#undef CORR_ROW
        CORR_PHASE_COUNT
};
const char *corr_phase_word(enum corr_phase_name name);

/* Kinds of transactions; the words are those of the table. */
/* clang-format off */
#define CORR_TRANSACTIONS(X)                                                                       \
    X(HTTP,      "http")      /* HTTP/1 */                                                         \
    X(HTTPS,     "https")     /* encrypted; HTTP by its ALPN or its port */                        \
    X(H2,        "h2")        /* HTTP/2 in clear: a stream */                                      \
    X(WEBSOCKET, "websocket") /* the request that became one */                                    \
    X(ENCRYPTED, "encrypted") /* some other protocol in TLS */                                     \
    X(TCP,       "tcp")       /* any other request and response, by turns */                       \
    X(QUIC,      "quic")                                                                           \
    X(DNS,       "dns")       /* no request followed: the lookup ... */                            \
    X(CONNECT,   "connect")   /* ... the TCP handshake ... */                                      \
    X(TLS,       "tls")       /* ... or the TLS handshake stands alone */
/* clang-format on */
enum corr_transaction_kind {
#define CORR_ROW(id, word) CORR_TRANSACTION_##id,
    CORR_TRANSACTIONS(CORR_ROW)
#undef CORR_ROW
        CORR_TRANSACTION_COUNT
};
const char *corr_transaction_word(enum corr_transaction_kind kind);

/*
 * Why the sender of a phase's data waited; the words are those of the table.
 * Both kinds of recovery are "loss": how it was noticed is the TCP tables' matter.
 */
/* clang-format off */
#define CORR_PHASE_STALLS(X)                                                                       \
    X(APPLICATION, "application")                                                                  \
    X(RECEIVER,    "receiver")                                                                     \
    X(FAST,        "loss")                                                                         \
    X(TIMEOUT,     "loss")                                                                         \
    X(CONGESTION,  "congestion")                                                                   \
    X(DELAYED_ACK, "delayed-ack")                                                                  \
    X(HOST,        "host")
/* clang-format on */
const char *corr_phase_stall_word(enum corr_tcp_stall_cause cause);

/* All waiting of one cause, and if that was a loss, between the same points. */
struct corr_phase_stall {
    uint8_t cause; /* enum corr_tcp_stall_cause */
    uint32_t n;
    int64_t time_ns;
    uint32_t frame;                   /* that ended the first of them */
    uint32_t lost_after, lost_before; /* points; CORR_NONE */
};

/* A share of a phase's time. */
struct corr_phase_share {
    uint32_t from, to; /* points */
    int64_t time_ns;
};

/* Begin and end of a phase at one station; frames are 0 where unknown. */
struct corr_phase_span {
    uint32_t conv; /* the station */
    struct corr_moment begin, end;
};

/* Bytes [from, to) of a stream; from == to: none. */
struct corr_phase_bytes {
    int64_t from, to;
};

struct corr_phase {
    uint32_t transaction; /* index */
    uint32_t flow;        /* where it took place */
    uint8_t name;         /* enum corr_phase_name */
    uint8_t data_dir;     /* flow direction in which the data runs that the phase waits for */
    bool merged;          /* a point did not see all: segments around it were taken as one */
    uint32_t point;       /* where it was measured: the one nearest the client that saw it all */
    uint32_t conv;        /* its station */
    uint32_t frame;       /* that begins it there */
    int64_t begin_ns, duration_ns;
    int64_t server_ns, client_ns;
    uint32_t far; /* station by which server_ns was measured; CORR_NONE: none, or several */
    uint32_t first_share, n_shares;        /* of shares */
    uint32_t first_span, n_spans;          /* of spans */
    struct corr_phase_bytes bytes[2];      /* that it is made of, by flow direction */
    uint32_t retransmissions;              /* sent in it */
    uint32_t events[CORR_TCP_EVENT_COUNT]; /* of its connection, while it lasted */
    bool shared;                           /* other transactions were under way at such a moment */
    uint32_t first_stall, n_stalls;        /* of stalls */
    struct corr_tcp_room room;             /* that the receiver of its data gave while it lasted */
};

/*
 * A request behind which another one was made: what the point before a proxy
 * calls the server is the proxy, and what the proxy waits for.
 *
 *     total     of the phase `server`, what is not the other request's: from the
 *               request's last byte to the response's first one, without clocks
 *     request   of it, until the other request leaves; by two clocks, so +- error
 *
 * Both end at the nearest points before and behind the proxy.  Where the proxy
 * connects first, the other request begins with that.  Where it sends on what has
 * not come whole, the last bytes count.
 */
struct corr_proxied {
    uint32_t upstream;   /* transaction that a proxy made for this one; CORR_NONE */
    uint32_t downstream; /* transaction for which a proxy made this one; CORR_NONE */
    uint8_t how;         /* enum corr_link_how; of both, as the rest only with `upstream` */
    bool sure;
    bool has_total, has_request;
    int64_t total_ns, upstream_ns; /* they make up the server phase's server_ns */
    int64_t request_ns, error_ns;
};

struct corr_transaction {
    uint32_t flow;  /* of its connection */
    uint8_t client; /* flow direction in which the client sends */
    uint8_t kind;   /* enum corr_transaction_kind */
    uint32_t conv;  /* local flow nearest the client: its endpoints are shown */
    uint32_t frame; /* that begins it */
    uint32_t first_phase, n_phases;
    bool has_total;
    int64_t total_ns;           /* begin of the first phase to end of the last one */
    char *method, *path, *host; /* NULL: unknown */
    uint32_t status;            /* HTTP; 0: unknown */
    uint32_t stream;            /* HTTP/2; valid if kind is H2 */
    uint16_t tls;               /* version, 0x0303 ...; 0: none, or unknown */
    uint16_t tls_group;         /* that a HelloRetryRequest asked for */
    bool tls_resumed, tls_early_data, tls_retry;
    bool interim;        /* the request waited for 100 (Continue) */
    bool fast_open;      /* data in the SYN */
    bool has_address;    /* dns: the connection went to an address of this lookup */
    uint8_t dns_code;    /* dns: code of the answer: RFC 1035, section 4.1.1 */
    uint16_t dns_tries;  /* dns: queries sent again; */
    bool dns_tcp;        /* asked again over TCP */
    uint32_t blocked_by; /* transaction whose response had to go first; CORR_NONE */
    int64_t blocked_ns;  /* how long after its own request that ended */
    struct corr_proxied proxied;
    const char *note; /* what is missing, and why; NULL */
};

/* Intervals with keys, to be found by what they hold. */
struct corr_intervals {
    GArray *list;    /* struct corr_interval, by key and begin */
    uint32_t *start; /* key -> its first one; one more than there are keys */
};

struct corr_interval {
    uint32_t key, phase;
    int64_t begin, end;
    int64_t latest; /* greatest end of this key's up to this one */
};

struct corr_phases {
    const struct corr_result *result;
    GArray *transactions;               /* struct corr_transaction, by their first frame */
    GArray *phases;                     /* struct corr_phase, by transaction */
    GArray *shares;                     /* struct corr_phase_share */
    GArray *spans;                      /* struct corr_phase_span */
    GArray *stalls;                     /* struct corr_phase_stall */
    struct corr_intervals times, bytes; /* of phases: by local flow; by flow * 2 + direction */
};

/* Reads all flows of a settled result.  corr_layers_phases() does it once. */
struct corr_phases *corr_phases_new(const struct corr_result *r);
void corr_phases_free(struct corr_phases *phases);

/* For the maker: indexes the spans. */
void corr_phases_index(struct corr_phases *phases);

static inline const struct corr_transaction *
corr_phases_transaction(const struct corr_phases *phases, uint32_t i)
{
    return &g_array_index(phases->transactions, struct corr_transaction, i);
}

static inline const struct corr_phase *corr_phases_phase(const struct corr_phases *phases,
                                                         uint32_t i)
{
    return &g_array_index(phases->phases, struct corr_phase, i);
}

/*
 * The phases that an observation belongs to: whose bytes it holds; if it holds
 * none of any phase, those that were under way when its point saw it.
 */
typedef void corr_phase_found(const struct corr_phase *phase, void *user);
void corr_phases_at(const struct corr_phases *phases, uint32_t obs, corr_phase_found *found,
                    void *user);
/* Those under way at a time of a station, by transaction. */
void corr_phases_during(const struct corr_phases *phases, uint32_t conv, int64_t time_ns,
                        corr_phase_found *found, void *user);

/* The phase of this name in a transaction, or NULL. */
const struct corr_phase *corr_phases_named(const struct corr_phases *phases,
                                           const struct corr_transaction *transaction,
                                           enum corr_phase_name name);

/* The phase `request` that begins in an observation (the first one), or NULL. */
const struct corr_phase *corr_phases_request_at(const struct corr_phases *phases, uint32_t obs);

/* When it began and ended at one station; false: that is not known. */
bool corr_phases_span(const struct corr_phases *phases, const struct corr_phase *phase,
                      uint32_t conv, struct corr_phase_span *span);

/* For the maker, when all phases stand: phase_events.c, proxied.c. */
void corr_phases_count_events(struct corr_phases *phases);
void corr_phases_join_proxied(struct corr_phases *phases);

#endif /* CORR_PHASES_H */
