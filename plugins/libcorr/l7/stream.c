/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.c - the bytes of a local flow in the order of their sequence numbers,
 * handed to the reader of its protocol.
 *
 * Most bytes lie in bodies and records whose length is known, and are skipped:
 * there a gap does no harm and nothing is kept.  Only where a header is wanted
 * and its bytes are missing do later bytes wait for them, up to a bound.
 */
#include <string.h>

#include "l7/l7-int.h"

#define LATE_STREAM_MAX (256u << 10) /* bytes that one stream, */
#define LATE_TOTAL_MAX (64u << 20)   /* and all streams may keep waiting */
#define TEXT_TOTAL_MAX (256u << 20)
#define TAKEN_BACK_MAX 64u
#define DETECT_MAX 32u /* bytes after which a protocol is known or unknown */

struct corr_l7 {
    GPtrArray *pairs; /* struct corr_l7_pair *, by local flow; NULL where nothing was read */
    GArray *marks, *answers;
    GByteArray *texts; /* strings, each with its 0; offset 0 is "none" */
    uint64_t late_bytes;
    uint32_t n_pairs;
};

const char *corr_mark_word(enum corr_mark_kind kind)
{
    static const char *const words[] = {
#define CORR_ROW(id, word) [CORR_MARK_##id] = word,
        CORR_MARKS(CORR_ROW)
#undef CORR_ROW
    };

    return words[kind];
}

static void late_free(void *data)
{
    g_free(((struct corr_l7_late *)data)->data);
}

static void stream_clear(struct corr_l7 *l7, struct corr_l7_stream *s)
{
    l7->late_bytes -= s->late_bytes;
    if (s->late != NULL)
        g_array_unref(s->late);
    if (s->buf != NULL)
        g_byte_array_unref(s->buf);
    if (s->http.text != NULL)
        g_string_free(s->http.text, TRUE);
    memset(s, 0, sizeof *s);
}

static void pair_free(struct corr_l7 *l7, struct corr_l7_pair *pair)
{
    if (pair == NULL)
        return;
    stream_clear(l7, &pair->stream[0]);
    stream_clear(l7, &pair->stream[1]);
    g_free(pair);
}

struct corr_l7 *corr_l7_new(void)
{
    struct corr_l7 *l7 = g_new0(struct corr_l7, 1);

    l7->pairs = g_ptr_array_new();
    l7->marks = g_array_new(FALSE, FALSE, sizeof(struct corr_mark));
    l7->answers = g_array_new(FALSE, FALSE, sizeof(struct corr_l7_answer));
    l7->texts = g_byte_array_new();
    g_byte_array_append(l7->texts, (const uint8_t *)"", 1);
    return l7;
}

void corr_l7_free(struct corr_l7 *l7)
{
    if (l7 == NULL)
        return;
    for (unsigned i = 0; i < l7->pairs->len; i++)
        pair_free(l7, g_ptr_array_index(l7->pairs, i));
    g_ptr_array_unref(l7->pairs);
    g_array_unref(l7->marks);
    g_array_unref(l7->answers);
    g_byte_array_unref(l7->texts);
    g_free(l7);
}

uint64_t corr_l7_bytes(const struct corr_l7 *l7)
{
    return (uint64_t)l7->pairs->len * sizeof(void *) +
           (uint64_t)l7->n_pairs * sizeof(struct corr_l7_pair) +
           (uint64_t)l7->marks->len * sizeof(struct corr_mark) +
           (uint64_t)l7->answers->len * sizeof(struct corr_l7_answer) + l7->texts->len +
           l7->late_bytes;
}

const GArray *corr_l7_marks(const struct corr_l7 *l7)
{
    return l7->marks;
}

const GArray *corr_l7_answers(const struct corr_l7 *l7)
{
    return l7->answers;
}

char *corr_l7_text(const struct corr_l7 *l7, const struct corr_mark *mark, unsigned line)
{
    const char *text = (const char *)l7->texts->data + mark->text, *end;

    for (; line > 0; line--) {
        text = strchr(text, '\n');
        if (text == NULL)
            return NULL;
        text++;
    }
    end = strchr(text, '\n');
    if (*text == '\0' || end == text)
        return NULL;
    return end != NULL ? g_strndup(text, (size_t)(end - text)) : g_strdup(text);
}

struct corr_mark *corr_l7_mark(struct corr_l7_reader *r, enum corr_mark_kind kind, int64_t begin,
                               int64_t end)
{
    struct corr_mark mark = {.kind = (uint8_t)kind,
                             .dir = r->dir,
                             .obs = r->obs,
                             .begin = begin - r->obs_at,
                             .end = end - r->obs_at};

    g_array_append_val(r->l7->marks, mark);
    return &g_array_index(r->l7->marks, struct corr_mark, r->l7->marks->len - 1);
}

struct corr_mark *corr_l7_mark_get(const struct corr_l7_reader *r, uint32_t mark_plus_1)
{
    return mark_plus_1 == 0 || mark_plus_1 > r->l7->marks->len
               ? NULL
               : &g_array_index(r->l7->marks, struct corr_mark, mark_plus_1 - 1);
}

uint32_t corr_l7_mark_last(const struct corr_l7_reader *r)
{
    return r->l7->marks->len;
}

void corr_l7_mark_again(struct corr_l7_reader *r, uint32_t mark_plus_1, int64_t end)
{
    const struct corr_mark *first = corr_l7_mark_get(r, mark_plus_1);
    struct corr_mark mark;

    if (first == NULL) /* its frame was taken back */
        return;
    mark = *first;
    mark.begin = r->s->begin - r->obs_at;
    mark.end = end - r->obs_at;
    mark.obs = r->obs;
    mark.flags &= (uint16_t)~CORR_MARK_OPEN;
    g_array_append_val(r->l7->marks, mark);
}

void corr_l7_mark_text(struct corr_l7_reader *r, struct corr_mark *mark, const char *text,
                       size_t len)
{
    GByteArray *texts = r->l7->texts;

    if (len == 0 || texts->len + len + 1 > TEXT_TOTAL_MAX)
        return;
    mark->text = texts->len;
    g_byte_array_append(texts, (const uint8_t *)text, (unsigned)len);
    g_byte_array_append(texts, (const uint8_t *)"", 1);
}

void corr_l7_answer(struct corr_l7_reader *r, const struct corr_addr *addr)
{
    struct corr_l7_answer answer = {.obs = r->obs, .addr = *addr};

    g_array_append_val(r->l7->answers, answer);
}

uint32_t corr_l7_gather(struct corr_l7_stream *s, const uint8_t *d, uint32_t n, uint32_t want)
{
    uint32_t have = s->buf != NULL ? s->buf->len : 0, take;

    if (have >= want)
        return 0;
    take = MIN(n, want - have);
    if (s->buf == NULL)
        s->buf = g_byte_array_sized_new(want);
    g_byte_array_append(s->buf, d, take);
    return take;
}

void corr_l7_forget(struct corr_l7_stream *s)
{
    if (s->buf != NULL)
        g_byte_array_unref(s->buf);
    s->buf = NULL;
}

void corr_l7_switch(struct corr_l7_stream *s, enum corr_l7_protocol protocol)
{
    s->protocol = (uint8_t)protocol;
    s->state = 0;
    s->mark = 0;
    s->known |= protocol > CORR_L7_OTHER;
    corr_l7_forget(s);
}

static void feed(struct corr_l7_reader *r, const uint8_t *d, uint32_t n);

/* The bytes that begin a message are kept until they tell whose they are; then they are read. */
static uint32_t detect_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    uint32_t taken = corr_l7_gather(s, d, n, DETECT_MAX);
    bool more = false;
    enum corr_l7_protocol protocol = corr_l7_detect(r, s->buf->data, s->buf->len, &more);
    GByteArray *first;

    if (more && s->buf->len < DETECT_MAX)
        return taken;
    if (protocol == CORR_L7_OTHER || more) {
        corr_l7_switch(s, CORR_L7_OTHER);
        return taken;
    }
    first = s->buf;
    s->buf = NULL;
    corr_l7_switch(s, protocol);
    /* The position stands behind what was gathered before and at what is at hand. */
    s->at -= first->len - taken;
    s->seq -= first->len - taken;
    feed(r, first->data, first->len);
    s->at -= taken; /* the caller counts them */
    s->seq -= taken;
    g_byte_array_unref(first);
    return taken;
}

static uint32_t other_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    bool more = false;

    if (s->at == r->start && corr_l7_detect(r, d, n, &more) != CORR_L7_OTHER && !more) {
        corr_l7_switch(s, CORR_L7_DETECT);
        return detect_step(r, d, n);
    }
    return n;
}

static uint32_t step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    switch ((enum corr_l7_protocol)r->s->protocol) {
    case CORR_L7_DETECT:
        return detect_step(r, d, n);
    case CORR_L7_HTTP:
        return corr_l7_http_step(r, d, n);
    case CORR_L7_HTTP2:
        return corr_l7_http2_step(r, d, n);
    case CORR_L7_TLS:
        return corr_l7_tls_step(r, d, n);
    case CORR_L7_DNS:
        return corr_l7_dns_step(r, d, n);
    case CORR_L7_PROXY:
        return corr_l7_proxy_step(r, d, n);
    case CORR_L7_OTHER:
        break;
    }
    return other_step(r, d, n);
}

static void skip(struct corr_l7_reader *r, uint32_t n)
{
    struct corr_l7_stream *s = r->s;

    s->skip -= n;
    s->at += n;
    s->seq += n;
    if (s->skip == 0 && s->protocol == CORR_L7_HTTP)
        corr_l7_http_skipped(r);
}

static void feed(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;

    while (n > 0) {
        uint32_t taken = (uint32_t)MIN(s->skip, n);

        if (taken > 0) {
            skip(r, taken);
        } else {
            taken = step(r, d, n);
            s->at += taken;
            s->seq += taken;
        }
        d += taken;
        n -= taken;
    }
}

/* `n` bytes are missing. */
static void miss(struct corr_l7_reader *r, uint32_t n)
{
    struct corr_l7_stream *s = r->s;

    while (n > 0 && s->skip > 0) {
        uint32_t unseen = (uint32_t)MIN(s->skip, n);

        skip(r, unseen);
        n -= unseen;
    }
    if (n == 0)
        return;
    switch ((enum corr_l7_protocol)s->protocol) {
    case CORR_L7_HTTP:
        corr_l7_http_lost(r);
        break;
    case CORR_L7_HTTP2:
        corr_l7_http2_lost(r);
        break;
    case CORR_L7_TLS:
        corr_l7_tls_lost(r, n);
        break;
    case CORR_L7_DETECT:
    case CORR_L7_DNS:
    case CORR_L7_PROXY:
        corr_l7_switch(s, CORR_L7_OTHER);
        break;
    case CORR_L7_OTHER:
        break;
    }
    s->at += n;
    s->seq += n;
}

/* Bytes at the stream's position: `cap` of `len` are there. */
static void feed_cut(struct corr_l7_reader *r, const uint8_t *d, uint32_t cap, uint32_t len)
{
    feed(r, d, cap);
    miss(r, len - cap);
}

/* Reads what has waited and now fits; `force`: also over a gap. */
static void drain(struct corr_l7_reader *r, bool force)
{
    struct corr_l7_stream *s = r->s;

    while (s->late != NULL && s->late->len > 0) {
        struct corr_l7_late *late = &g_array_index(s->late, struct corr_l7_late, 0);
        int64_t gap = late->at - s->at;

        if (gap > 0 && (uint64_t)gap > s->skip && !force)
            return;
        force = false;
        r->start = late->start;
        if (r->obs == CORR_L7_NO_OBS) {
            r->obs = late->obs;
            r->obs_at = late->start;
        }
        if (gap > 0) {
            miss(r, (uint32_t)gap);
            gap = 0;
        }
        if (-gap < late->len) {
            uint32_t old = (uint32_t)-gap, cap = late->cap > old ? late->cap - old : 0;

            feed_cut(r, cap > 0 ? late->data + old : (const uint8_t *)"", cap, late->len - old);
        }
        s->late_bytes -= late->cap;
        r->l7->late_bytes -= late->cap;
        g_array_remove_index(s->late, 0);
    }
}

static void keep(struct corr_l7_reader *r, int64_t at, const uint8_t *d, uint32_t cap, uint32_t len)
{
    struct corr_l7_stream *s = r->s;
    struct corr_l7_late late = {.at = at, .obs = r->obs, .start = r->start, .len = len, .cap = cap};
    unsigned i;

    if (s->late == NULL) {
        s->late = g_array_new(FALSE, FALSE, sizeof(struct corr_l7_late));
        g_array_set_clear_func(s->late, late_free);
    }
    for (i = s->late->len; i > 0; i--) {
        const struct corr_l7_late *before = &g_array_index(s->late, struct corr_l7_late, i - 1);

        if (before->at < at)
            break;
        if (before->at == at && before->len >= len)
            return; /* sent again */
    }
    late.data = g_memdup2(d, cap);
    g_array_insert_val(s->late, i, late);
    s->late_bytes += cap;
    r->l7->late_bytes += cap;
    while (s->late->len > 0 &&
           (s->late_bytes > LATE_STREAM_MAX || s->late->len > LATE_STREAM_MAX / 512 ||
            r->l7->late_bytes > LATE_TOTAL_MAX))
        drain(r, true);
}

static struct corr_l7_pair *pair_at(struct corr_l7 *l7, uint32_t conv)
{
    return conv < l7->pairs->len ? g_ptr_array_index(l7->pairs, conv) : NULL;
}

static struct corr_l7_pair *pair_get(struct corr_l7 *l7, uint32_t conv)
{
    struct corr_l7_pair *pair = pair_at(l7, conv);

    if (pair != NULL)
        return pair;
    if (conv >= l7->pairs->len)
        g_ptr_array_set_size(l7->pairs, (int)conv + 1);
    l7->n_pairs++;
    return l7->pairs->pdata[conv] = g_new0(struct corr_l7_pair, 1);
}

static void stream_begin(struct corr_l7_stream *s, uint32_t seq, bool from_start)
{
    if (s->begun)
        return;
    s->begun = true;
    s->from_start = from_start;
    s->seq = seq;
}

static void read_tcp(struct corr_l7 *l7, uint32_t conv, uint8_t dir, uint32_t obs,
                     const struct corr_parsed *packet)
{
    struct corr_l7_pair *pair = pair_at(l7, conv);
    struct corr_l7_reader r = {.l7 = l7, .dir = dir, .obs = obs};
    uint32_t seq = packet->seq, cap = packet->payload_cap, len = packet->payload_len, old;
    const uint8_t *d = packet->payload;
    int32_t ahead;

    if (packet->tcp_flags & CORR_TCP_SYN) {
        seq++;
        /* A new initial sequence number: the ports are used again (RFC 9293, section 3.6.1). */
        if (pair != NULL && pair->stream[dir].begun &&
            seq != pair->stream[dir].seq - (uint32_t)pair->stream[dir].at) {
            pair_free(l7, pair);
            l7->pairs->pdata[conv] = NULL;
            pair = NULL;
        }
        if (len == 0 && !(packet->tcp_flags & CORR_TCP_ACK))
            return; /* most that scan a network never get further */
    } else if (len == 0) {
        return;
    }
    pair = pair_get(l7, conv);
    pair->dns = packet->src_port == 53 || packet->dst_port == 53;
    stream_begin(&pair->stream[dir], seq, (packet->tcp_flags & CORR_TCP_SYN) != 0);
    if (packet->tcp_flags & CORR_TCP_SYN && packet->tcp_flags & CORR_TCP_ACK)
        stream_begin(&pair->stream[!dir], packet->ack, true);
    r.pair = pair;
    r.s = &pair->stream[dir];
    if (len == 0)
        return;
    if (pair->last_dir != dir) {
        pair->last_dir = dir;
        pair->turn++;
    }
    cap = MIN(cap, len);
    if (d == NULL)
        d = (const uint8_t *)"";
    ahead = (int32_t)(seq - r.s->seq);
    r.obs_at = r.start = r.s->at + ahead;
    if (ahead > 0 && (uint32_t)ahead > r.s->skip && r.s->protocol != CORR_L7_OTHER) {
        keep(&r, r.obs_at, d, cap, len);
        return;
    }
    if (ahead > 0) {
        miss(&r, (uint32_t)ahead);
        ahead = 0;
    }
    old = 0u - (uint32_t)ahead;
    if (old >= len)
        return;
    feed_cut(&r, d + MIN(old, cap), cap - MIN(old, cap), len - old);
    drain(&r, false);
}

static void read_udp(struct corr_l7 *l7, uint32_t conv, uint8_t dir, uint32_t obs,
                     const struct corr_parsed *packet)
{
    struct corr_l7_reader r = {.l7 = l7, .dir = dir, .obs = obs};
    uint32_t len = packet->have & CORR_HAVE_LEN ? packet->payload_len : packet->payload_cap;
    bool dns = packet->src_port == 53 || packet->dst_port == 53;

    (void)conv;
    if (packet->payload_cap < 12 || corr_addr_is_multicast(&packet->dst))
        return;
    if (dns || packet->payload[0] < 0xc0)
        corr_l7_dns_message(&r, packet->payload, packet->payload_cap, len, dns);
    else
        corr_l7_quic_datagram(&r, packet->payload, packet->payload_cap, len);
}

void corr_l7_read(struct corr_l7 *l7, uint32_t conv, uint8_t dir, uint32_t obs,
                  const struct corr_parsed *packet)
{
    if (packet->kind == CORR_KIND_TCP) {
        /* A segment of unknown length, or that is cut before its payload, says nothing. */
        if (packet->have & CORR_HAVE_TCP && packet->have & CORR_HAVE_LEN &&
            packet->have & CORR_HAVE_PORTS)
            read_tcp(l7, conv, dir, obs, packet);
    } else if (packet->kind == CORR_KIND_UDP && packet->payload != NULL &&
               packet->have & CORR_HAVE_PORTS) {
        read_udp(l7, conv, dir, obs, packet);
    }
}

/* Bytes that wait, of observations from `obs` on: what is read of them later would name those. */
static void late_take_back(struct corr_l7 *l7, struct corr_l7_stream *s, uint32_t obs)
{
    for (unsigned i = s->late != NULL ? s->late->len : 0; i-- > 0;) {
        const struct corr_l7_late *late = &g_array_index(s->late, struct corr_l7_late, i);

        if (late->obs < obs)
            continue;
        s->late_bytes -= late->cap;
        l7->late_bytes -= late->cap;
        g_array_remove_index(s->late, i);
    }
}

void corr_l7_take_back(struct corr_l7 *l7, uint32_t obs)
{
    GArray *marks = l7->marks;

    for (unsigned i = 0; i < l7->pairs->len && l7->late_bytes > 0; i++) {
        struct corr_l7_pair *pair = g_ptr_array_index(l7->pairs, i);

        for (unsigned dir = 0; pair != NULL && dir < 2; dir++)
            late_take_back(l7, &pair->stream[dir], obs);
    }

    /* Bytes that had waited may have made marks for earlier observations: among the last few. */
    for (unsigned i = marks->len; i > 0 && marks->len - i < TAKEN_BACK_MAX; i--)
        if (g_array_index(marks, struct corr_mark, i - 1).obs >= obs) {
            g_array_remove_index(marks, i - 1);
            i = marks->len + 1;
        }
    while (l7->answers->len > 0 &&
           g_array_index(l7->answers, struct corr_l7_answer, l7->answers->len - 1).obs >= obs)
        g_array_set_size(l7->answers, l7->answers->len - 1);
}

void corr_l7_finish(struct corr_l7 *l7)
{
    for (unsigned i = 0; i < l7->pairs->len && l7->late_bytes > 0; i++) {
        struct corr_l7_pair *pair = g_ptr_array_index(l7->pairs, i);

        for (uint8_t dir = 0; pair != NULL && dir < 2; dir++) {
            struct corr_l7_stream *s = &pair->stream[dir];

            while (s->late != NULL && s->late->len > 0) {
                struct corr_l7_reader r = {
                    .l7 = l7, .pair = pair, .s = s, .dir = dir, .obs = CORR_L7_NO_OBS};

                drain(&r, true);
            }
        }
    }
}
