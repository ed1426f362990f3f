/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk_tls.c - TLS handshakes, from their records alone: RFC 8446, section 2;
 * RFC 5246, section 7.3.  What follows in ciphered records is taken by turns,
 * without those that are no message: session tickets, frames that only keep
 * HTTP/2 going.
 */
#include "layers/talk.h"

#define TLS13 0x0304
#define UNKNOWN INT64_MIN
#define FIN_SHA256 53u /* record of a TLS 1.3 Finished: 4 + 32 bytes, the type, and a tag of 16 */
#define FIN_SHA384 69u /* likewise with a hash of 48 bytes */
#define ALERT13 19u    /* level, description, type, tag (RFC 8446, 5.2 and 6) */
#define TICKET_MIN 150u
#define TICKET_MAX 1500u
#define TICKETS_MAX 8u

enum { CERTIFICATE = 11, SERVER_DONE = 14 };

struct shake {
    struct corr_talk *talk;
    const struct corr_said *client, *server; /* the hellos that count */
    int64_t begin;                           /* first byte of the first ClientHello */
    int64_t hello_to;                        /* end of the last one */
    int64_t first_to;             /* end of the first one; UNKNOWN unless there was a retry */
    int64_t retry_from, retry_to; /* HelloRetryRequest */
    int64_t flight_to;            /* end of the server's flight */
    int64_t client_to;            /* end of the client's Finished */
    int64_t server_to;            /* TLS 1.2: end of the server's Finished */
    int64_t early_from, early_to; /* 0-RTT data; UNKNOWN */
    uint32_t version;
    bool resumed;
};

#define EACH_SAID(talk, side, said)                                                                \
    for (const struct corr_said *said = (talk)->said[side],                                        \
                                *end_ = (talk)->said[side] + (talk)->n_said[side];                 \
         said < end_; said++)

static bool is_handshake(const struct corr_said *said)
{
    return said->kind == CORR_MARK_TLS_HANDSHAKE || said->kind == CORR_MARK_TLS_CLIENT ||
           said->kind == CORR_MARK_TLS_SERVER;
}

/* A hello of several records ends with the last of those that only continue it. */
static int64_t hello_end(const struct corr_talk *talk, unsigned side, const struct corr_said *hello)
{
    int64_t end = hello->end;

    EACH_SAID(talk, side, said)
    if (said->begin == end && said->kind == CORR_MARK_TLS_HANDSHAKE && said->mark->value == 0 &&
        !(said->flags & CORR_MARK_CIPHERED))
        end = said->end;
    return end;
}

/*
 * TLS 1.3 says its version in an extension.  Where the capture has cut that off,
 * the server's first ciphered record tells: before, its Finished was a
 * handshake record.
 */
static uint32_t version_of(const struct shake *s)
{
    uint32_t value = s->server->mark->value;

    if (s->server->flags & CORR_MARK_WHOLE)
        return value;
    EACH_SAID(s->talk, 1, said)
    {
        if (said->begin < s->server->begin)
            continue;
        if (said->kind == CORR_MARK_TLS_DATA)
            return TLS13;
        if (said->flags & CORR_MARK_CIPHERED || said->mark->value & 1u << SERVER_DONE)
            break;
    }
    return value;
}

static bool hellos_find(struct shake *s)
{
    struct corr_talk *talk = s->talk;
    const struct corr_said *first = NULL, *retry = NULL;

    EACH_SAID(talk, 0, said)
    if (said->kind == CORR_MARK_TLS_CLIENT && said->begin >= talk->base[0]) {
        if (first == NULL)
            first = said;
        s->client = said;
        if (said != first)
            break;
    }
    EACH_SAID(talk, 1, said)
    if (said->kind == CORR_MARK_TLS_SERVER && said->begin >= talk->base[1]) {
        if (said->flags & CORR_MARK_RETRY) {
            retry = said;
        } else {
            s->server = said;
            break;
        }
    }
    if (first == NULL)
        return false;
    if (retry == NULL)
        s->client = first;
    s->begin = first->begin;
    s->hello_to = hello_end(talk, 0, s->client);
    s->first_to = s->retry_from = s->retry_to = UNKNOWN;
    if (retry != NULL && s->client != first) {
        s->first_to = hello_end(talk, 0, first);
        s->retry_from = retry->begin;
        s->retry_to = retry->end;
        /* Change cipher spec for middleboxes belongs to it. */
        EACH_SAID(talk, 1, said)
        if (said->kind == CORR_MARK_TLS_CCS && said->begin == s->retry_to)
            s->retry_to = said->end;
    }
    if (s->server != NULL)
        s->version = version_of(s);
    return true;
}

/* Position of the server up to which the segment with this byte of the client acknowledges. */
static int64_t client_had(const struct shake *s, int64_t at)
{
    int64_t had;

    return corr_talk_acknowledged(s->talk, CORR_CLIENT, at, s->server->begin, &had) ? had : UNKNOWN;
}

/* TLS 1.3: the record with the client's Finished, the first that it sends knowing the hello. */
static const struct corr_said *finished13(const struct shake *s)
{
    const struct corr_said *first = NULL;
    unsigned n = 0;

    EACH_SAID(s->talk, 0, said)
    {
        if (said->kind != CORR_MARK_TLS_DATA || said->begin < s->hello_to ||
            client_had(s, said->begin) <= s->server->begin)
            continue;
        if (first == NULL)
            first = said;
        /* EndOfEarlyData or a certificate may come before it. */
        if (said->mark->id == FIN_SHA256 || said->mark->id == FIN_SHA384)
            return said;
        if (++n == 4)
            break;
    }
    return first;
}

static bool flights_find13(struct shake *s)
{
    const struct corr_said *finished = finished13(s);
    int64_t had;

    if (finished == NULL)
        return false;
    had = client_had(s, finished->begin);
    s->flight_to = UNKNOWN;
    EACH_SAID(s->talk, 1, said)
    if (said->begin >= s->server->begin && said->end <= had && said->kind != CORR_MARK_TLS_ALERT)
        s->flight_to = MAX(s->flight_to, said->end);
    s->client_to = finished->end;
    s->resumed = s->server->flags & CORR_MARK_PSK;
    return s->flight_to != UNKNOWN;
}

/* TLS 1.2 and older: the end of a side's ciphered Finished behind its change cipher spec. */
static int64_t finished12(const struct shake *s, unsigned side, int64_t from)
{
    EACH_SAID(s->talk, side, said)
    if (said->begin >= from && said->flags & CORR_MARK_CIPHERED &&
        said->kind == CORR_MARK_TLS_HANDSHAKE)
        return said->end;
    return UNKNOWN;
}

static bool flights_find12(struct shake *s)
{
    bool done = false;

    s->client_to = finished12(s, 0, s->hello_to);
    s->server_to = finished12(s, 1, s->server->begin);
    if (s->client_to == UNKNOWN || s->server_to == UNKNOWN)
        return false;
    s->flight_to = UNKNOWN;
    EACH_SAID(s->talk, 1, said)
    if (said->begin >= s->server->begin && is_handshake(said) &&
        !(said->flags & CORR_MARK_CIPHERED) && said->begin < s->server_to && !done) {
        s->flight_to = said->end;
        done = said->kind == CORR_MARK_TLS_HANDSHAKE && said->mark->value & 1u << SERVER_DONE;
    }
    /* Without a key exchange the server finishes first. */
    s->resumed = !done;
    if (s->resumed)
        s->flight_to = s->server_to;
    return s->flight_to != UNKNOWN;
}

static void early_find(struct shake *s)
{
    s->early_from = s->early_to = UNKNOWN;
    if (!(s->client->flags & CORR_MARK_EARLY))
        return;
    EACH_SAID(s->talk, 0, said)
    if (said->kind == CORR_MARK_TLS_DATA && said->begin >= s->hello_to &&
        client_had(s, said->begin) <= s->server->begin) {
        if (s->early_from == UNKNOWN)
            s->early_from = said->begin;
        s->early_to = said->end;
    }
}

static void put_down(struct shake *s, uint32_t transaction)
{
    struct corr_talk *talk = s->talk;
    struct corr_chain chain = {0};

    corr_chain_byte(&chain, talk, CORR_CLIENT, s->begin);
    if (s->first_to != UNKNOWN) {
        corr_chain_range(&chain, talk, CORR_CLIENT, s->begin, s->first_to);
        corr_chain_range(&chain, talk, CORR_SERVER, s->retry_from, s->retry_to);
    }
    corr_chain_range(&chain, talk, CORR_CLIENT, s->client->begin, s->hello_to);
    corr_chain_range(&chain, talk, CORR_SERVER, s->server->begin, s->flight_to);
    corr_chain_range(&chain, talk, CORR_CLIENT, s->hello_to, s->client_to);
    if (s->version < TLS13 && !s->resumed)
        corr_chain_range(&chain, talk, CORR_SERVER, s->flight_to, s->server_to);
    if (!corr_talk_phase(talk, transaction, CORR_PHASE_TLS, &chain)) {
        corr_build_transaction(talk->b, transaction)->note =
            "the TLS handshake was seen in parts only";
        return;
    }
    corr_talk_phase_bytes(talk, CORR_CLIENT, s->begin, s->client_to);
    corr_talk_phase_bytes(talk, CORR_SERVER, s->server->begin, MAX(s->flight_to, s->server_to));
}

/* What both said in clear before TLS began, as with STARTTLS (RFC 3207). */
static void starttls_read(const struct shake *s, uint32_t transaction)
{
    struct corr_talk *talk = s->talk;
    struct corr_moment client, server;
    struct corr_chain chain = {0};
    int64_t answered = s->retry_from != UNKNOWN ? s->retry_from : s->server->begin;
    bool asked = talk->has_base[0] && talk->base[0] < s->begin;

    if (!talk->has_base[1] || talk->base[1] >= answered)
        return;
    /* PROXY and other preambles that nobody answers are none. */
    client = asked ? corr_talk_when(talk, CORR_CLIENT, talk->base[0]) : (struct corr_moment){0, 0};
    server = corr_talk_when(talk, CORR_SERVER, talk->base[1]);
    if (asked && client.frame != 0 && server.frame != 0 && client.time_ns < server.time_ns)
        corr_chain_byte(&chain, talk, CORR_CLIENT, talk->base[0]);
    else
        corr_chain_byte(&chain, talk, CORR_SERVER, talk->base[1]);
    corr_chain_range(&chain, talk, CORR_SERVER, talk->base[1], answered);
    if (!corr_talk_phase(talk, transaction, CORR_PHASE_STARTTLS, &chain))
        return;
    corr_talk_phase_bytes(talk, CORR_CLIENT, talk->base[0], s->begin);
    corr_talk_phase_bytes(talk, CORR_SERVER, talk->base[1], answered);
}

/*
 * Records behind a TLS 1.3 handshake that are session tickets: several of equal
 * length at once; or one, in a segment of its own before the rest of its turn.
 */
static int64_t tickets_end(const struct shake *s)
{
    const struct corr_said *first = NULL, *last = NULL, *next = NULL;
    const struct corr_stretch *a, *b;
    const struct corr_station *station;
    unsigned n = 0;

    EACH_SAID(s->talk, 1, said)
    {
        if (said->kind != CORR_MARK_TLS_DATA || said->begin < s->flight_to)
            continue;
        if (first == NULL)
            first = said;
        if (said->mark->id != first->mark->id || n == TICKETS_MAX ||
            (last != NULL && said->begin != last->end)) {
            next = said;
            break;
        }
        last = said;
        n++;
    }
    if (first == NULL || first->mark->id < TICKET_MIN || first->mark->id > TICKET_MAX)
        return s->flight_to;
    if (n > 1)
        return last->end;
    if (next == NULL || s->talk->ref >= s->talk->p->n || next->begin != first->end)
        return s->flight_to;
    station = &s->talk->p->stations[s->talk->ref];
    a = corr_station_find(station, !s->talk->c, first->end - 1);
    b = corr_station_find(station, !s->talk->c, next->begin);
    return a != NULL && b != NULL && a->obs != b->obs && first->mark->id <= 400 ? first->end
                                                                                : s->flight_to;
}

static void leave_out(GArray *left_out, enum corr_side side, int64_t from, int64_t to)
{
    struct corr_left_out one = {side, from, to};

    g_array_append_val(left_out, one);
}

/*
 * Frames that carry no message: SETTINGS of the server, acknowledged SETTINGS,
 * window updates, pings (RFC 9113, section 6), told by the length of their
 * records; `over` is what ciphering adds.
 */
static bool is_h2_control(const struct corr_said *said, uint32_t over)
{
    uint32_t len = said->mark->id;

    return len == 9 + over || len == 13 + over || len == 17 + over || len == 26 + over;
}

static void h2_control_find(const struct shake *s, int64_t client_from, int64_t server_from,
                            GArray *left_out)
{
    static const uint32_t over12[] = {24, 16};
    bool leading = true;

    for (unsigned side = 0; side < 2; side++)
        EACH_SAID(s->talk, side, said)
        {
            bool control = false;

            if (said->kind != CORR_MARK_TLS_DATA ||
                said->begin < (side == 0 ? client_from : server_from))
                continue;
            if (s->version >= TLS13)
                control = is_h2_control(said, 17);
            else
                control = is_h2_control(said, over12[0]) || is_h2_control(said, over12[1]);
            if (side == 1 && leading && said->mark->id <= 100)
                control = true;
            leading &= side == 0 || control;
            if (control)
                leave_out(left_out, side == 0 ? CORR_CLIENT : CORR_SERVER, said->begin, said->end);
        }
}

static bool by_port(const struct corr_talk *talk)
{
    const struct corr_station *s = talk->p->n > 0 ? &talk->p->stations[0] : NULL;
    const struct corr_conv *conv;
    uint16_t port;

    if (s == NULL)
        return false;
    conv = corr_result_conv(talk->b->r, s->conv);
    /* The endpoint that sends in the direction of the server. */
    port = conv->end[(corr_talk_dir(talk, CORR_SERVER) ^ talk->b->r->conv_flip[s->conv]) & 1].port;
    return port == 443 || port == 8443;
}

/* TLS 1.3 hides that a record is an alert, but not its length: the server's last one. */
static void farewell_leave_out(const struct shake *s, GArray *left_out)
{
    const struct corr_said *last = NULL, *before = NULL;

    EACH_SAID(s->talk, 1, said)
    if (said->kind == CORR_MARK_TLS_DATA && (last == NULL || said->begin >= last->end)) {
        before = last;
        last = said;
    }
    if (before != NULL && last->mark->id == ALERT13 && before->begin >= s->flight_to)
        leave_out(left_out, CORR_SERVER, last->begin, last->end);
}

static void talk_on(struct shake *s, enum corr_transaction_kind kind)
{
    struct corr_talk *talk = s->talk;
    g_autoptr(GArray) left_out = g_array_new(FALSE, FALSE, sizeof(struct corr_left_out));
    bool h2 = s->client != NULL && s->client->flags & CORR_MARK_H2 &&
              (s->version >= TLS13 || (s->server != NULL && s->server->flags & CORR_MARK_H2));
    int64_t server_from = s->flight_to;

    /* Change cipher spec, alerts and handshake records are never a message. */
    for (unsigned side = 0; side < 2; side++)
        EACH_SAID(talk, side, said)
    if (said->kind != CORR_MARK_TLS_DATA)
        leave_out(left_out, side == 0 ? CORR_CLIENT : CORR_SERVER, said->begin, said->end);
    if (s->server != NULL && s->version >= TLS13 && s->client_to != UNKNOWN) {
        /* The handshake's own ciphered records. */
        leave_out(left_out, CORR_SERVER, s->server->begin, s->flight_to);
        leave_out(left_out, CORR_CLIENT, s->early_to != UNKNOWN ? s->early_to : s->hello_to,
                  s->client_to);
        server_from = tickets_end(s);
        leave_out(left_out, CORR_SERVER, s->flight_to, server_from);
        farewell_leave_out(s, left_out);
    }
    if (h2 && s->client_to != UNKNOWN)
        h2_control_find(s, s->client_to, server_from, left_out);
    if (s->client_to != UNKNOWN) {
        talk->base[0] = s->early_from != UNKNOWN ? s->early_from
                        : s->version >= TLS13    ? s->client_to
                                                 : MAX(s->client_to, s->hello_to);
        talk->base[1] = s->version >= TLS13 ? server_from : s->server_to;
    }
    corr_talk_turns_without(talk, kind, (const struct corr_left_out *)left_out->data,
                            left_out->len);
}

static bool any_tls(const struct corr_talk *talk)
{
    for (unsigned side = 0; side < 2; side++)
        EACH_SAID(talk, side, said)
    if ((is_handshake(said) || said->kind == CORR_MARK_TLS_DATA) && said->begin >= talk->base[side])
        return true;
    return false;
}

static void describe(const struct shake *s, struct corr_transaction *t)
{
    if (s->version >= 0x0300 && s->version <= TLS13)
        t->tls = (uint16_t)s->version;
    t->tls_resumed = s->resumed;
    t->tls_early_data = s->early_from != UNKNOWN;
    t->tls_retry = s->first_to != UNKNOWN;
    if (t->host == NULL)
        t->host = corr_l7_text(s->talk->b->r->store->l7, s->client->mark, 0);
}

bool corr_talk_tls(struct corr_talk *talk)
{
    struct shake s = {.talk = talk,
                      .client_to = UNKNOWN,
                      .server_to = UNKNOWN,
                      .flight_to = UNKNOWN,
                      .early_from = UNKNOWN,
                      .early_to = UNKNOWN};
    enum corr_transaction_kind kind;
    bool known = false;
    uint32_t transaction;

    if (!any_tls(talk))
        return false;
    if (!hellos_find(&s)) {
        /* From the middle: what can be told is who speaks when. */
        talk_on(&s, by_port(talk) ? CORR_TRANSACTION_HTTPS : CORR_TRANSACTION_ENCRYPTED);
        return true;
    }
    kind = s.client->flags & (CORR_MARK_H1 | CORR_MARK_H2) || by_port(talk)
               ? CORR_TRANSACTION_HTTPS
               : CORR_TRANSACTION_ENCRYPTED;
    if (s.server != NULL)
        known = s.version >= TLS13 ? flights_find13(&s) : flights_find12(&s);
    transaction = corr_talk_begin(talk, CORR_TRANSACTION_TLS);
    if (known) {
        early_find(&s);
        starttls_read(&s, transaction);
        put_down(&s, transaction);
    } else {
        corr_build_transaction(talk->b, transaction)->note =
            s.server == NULL ? "no answer to the ClientHello was seen"
                             : "the TLS handshake was seen in parts only";
        s.client_to = UNKNOWN;
    }
    describe(&s, corr_build_transaction(talk->b, transaction));
    talk->open = transaction;
    if (known)
        talk_on(&s, kind);
    return true;
}
