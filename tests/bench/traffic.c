/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes packets in the order in which they are sent, and lets each travel from
 * point to point: a heap holds the next sighting of every packet on its way.
 */
#include "traffic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_NS INT64_C(1700000000000000000)
#define SPACING_NS 10000 /* between two packets that are sent */
#define HOP_NS 20000     /* from point to point, at least ... */
#define JITTER_NS 5000   /* ... and at most this much more: never overtaking */
#define FLOWS 200u       /* at a time; round robin, so that an answer follows its question */
#define NOISE (1u << 20) /* bytes that payloads are cut from */
#define REQUEST 58u      /* bytes of a request */

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };
enum { ICMP = 1, TCP = 6, UDP = 17 };

/* One packet on its way. */
struct packet {
    int64_t time_ns;   /* of its next sighting, by the clock there */
    uint64_t number;   /* breaks ties */
    uint32_t flow;     /* number of the conversation */
    uint32_t seq, ack, tsval, tsecr;
    uint32_t payload;  /* where it starts in the noise; even */
    uint16_t len, ip_id;
    uint8_t proto, flags;
    bool back;         /* from server to client */
    uint16_t at, end;  /* points, in the direction of the packet: next one, first that misses it */
};

/* The state of a conversation: who sends what next. */
struct flow {
    uint32_t number;
    unsigned step, steps;
    uint32_t seq[2], ack[2];   /* by sender: next number; what it has received */
    uint32_t lost_seq, lost_payload, lost_since;
    uint16_t lost_len;
    uint8_t proto;
};

struct traffic {
    struct traffic_options options;
    struct packet *heap;
    size_t n, room;
    struct flow flows[FLOWS];
    uint64_t made;     /* packets sent */
    int64_t now_ns;
    uint32_t next_flow;
    uint64_t state;    /* of the random numbers */
    uint16_t ip_id[2];
    uint8_t *noise;
    uint64_t *sums;    /* of the 16-bit words before each word of the noise */
};

const char *const traffic_words[] = {
#define TRAFFIC_ROW(id, word, meaning) word,
    TRAFFIC_SHAPES(TRAFFIC_ROW)
#undef TRAFFIC_ROW
};

enum traffic_shape traffic_shape_find(const char *word)
{
    unsigned shape = 0;

    while (shape < TRAFFIC_SHAPE_COUNT && strcmp(traffic_words[shape], word) != 0)
        shape++;
    return shape;
}

uint64_t traffic_number(const char *option, const char *text, uint64_t most)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number == 0 || number > most) {
        fprintf(stderr, "%s wants a number from 1 to %llu, not \"%s\"\n", option,
                (unsigned long long)most, text);
        exit(2);
    }
    return number;
}

static void *checked(void *memory)
{
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* SplitMix64: small, and the same everywhere. */
static uint64_t chance(struct traffic *t)
{
    uint64_t z = t->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* --- the way of a packet -------------------------------------------------------------------- */

static bool before(const struct packet *a, const struct packet *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->number < b->number;
}

static void push(struct traffic *t, struct packet packet)
{
    size_t i;

    if (t->n == t->room) {
        t->room = t->room * 2 + 1024;
        t->heap = checked(realloc(t->heap, t->room * sizeof *t->heap));
    }
    for (i = t->n++; i > 0 && before(&packet, &t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = packet;
}

static struct packet pop(struct traffic *t)
{
    struct packet first = t->heap[0], last = t->heap[--t->n];
    size_t i = 0, child;

    for (; (child = 2 * i + 1) < t->n; i = child) {
        if (child + 1 < t->n && before(&t->heap[child + 1], &t->heap[child]))
            child++;
        if (!before(&t->heap[child], &last))
            break;
        t->heap[i] = t->heap[child];
    }
    t->heap[i] = last;
    return first;
}

static unsigned point_of(const struct traffic *t, const struct packet *packet)
{
    return packet->back ? t->options.points - 1 - packet->at : packet->at;
}

/* Clocks that are nearly right. */
static int64_t offset_ns(unsigned point)
{
    return point * 7 % 5 * 1000;
}

/* `lost`: one packet in so many does not reach the last point. */
static bool send_packet(struct traffic *t, struct packet packet, unsigned lost)
{
    packet.number = t->made++;
    packet.at = 0;
    packet.end = (uint16_t)t->options.points;
    if (lost != 0 && t->options.points > 1 && chance(t) % lost == 0)
        packet.end = (uint16_t)(1 + chance(t) % (t->options.points - 1));
    packet.time_ns = t->now_ns + offset_ns(point_of(t, &packet));
    push(t, packet);
    return packet.end < t->options.points;
}

/* --- what is sent --------------------------------------------------------------------------- */

static unsigned largest(const struct traffic *t, uint8_t proto)
{
    return t->options.size - 14 - 20 - (proto == TCP ? 32 : 8);
}

static struct packet packet_new(struct traffic *t, const struct flow *flow, bool back,
                                uint8_t flags, unsigned len)
{
    uint32_t tick = (uint32_t)(t->now_ns / 1000000);
    struct packet packet = {
        .flow = flow->number, .proto = flow->proto, .back = back, .flags = flags,
        .seq = flow->seq[back], .ack = flags & ACK ? flow->ack[back] : 0, .tsval = tick,
        .tsecr = flags & ACK ? tick - 1 : 0, .len = (uint16_t)len, .ip_id = ++t->ip_id[back],
        .payload = (uint32_t)(chance(t) % (NOISE - TRAFFIC_FRAME_MAX)) & ~1u,
    };

    return packet;
}

static void flow_begin(struct traffic *t, struct flow *flow)
{
    *flow = (struct flow){.number = t->next_flow++, .proto = chance(t) % 4 == 0 ? UDP : TCP};
    flow->steps = flow->proto == UDP ? 2 + (unsigned)(chance(t) % 40)
                                     : 10 + (unsigned)(chance(t) % 300);
    flow->seq[0] = (uint32_t)chance(t);
    flow->seq[1] = (uint32_t)chance(t);
}

/* Data from one side of a TCP connection; what is lost is sent again four steps later. */
static void segment_send(struct traffic *t, struct flow *flow, bool back, unsigned len,
                         unsigned lost)
{
    struct packet packet = packet_new(t, flow, back, ACK | PSH, len);

    flow->seq[back] += len;
    if (flow->lost_len != 0) {
        send_packet(t, packet, 0);
    } else if (send_packet(t, packet, lost)) {
        flow->lost_seq = packet.seq;
        flow->lost_payload = packet.payload;
        flow->lost_len = packet.len;
        flow->lost_since = flow->step;
    } else {
        flow->ack[!back] = flow->seq[back];
    }
}

static void segment_repair(struct traffic *t, struct flow *flow, bool back)
{
    struct packet packet = packet_new(t, flow, back, ACK | PSH, flow->lost_len);

    packet.seq = flow->lost_seq;
    packet.payload = flow->lost_payload;
    send_packet(t, packet, 0);
    flow->lost_len = 0;
    flow->ack[!back] = flow->seq[back];
}

static void handshake_send(struct traffic *t, struct flow *flow)
{
    bool back = flow->step == 1;

    if (flow->step < 2) {
        send_packet(t, packet_new(t, flow, back, back ? SYN | ACK : SYN, 0), 0);
        flow->ack[!back] = ++flow->seq[back];
    } else {
        send_packet(t, packet_new(t, flow, false, ACK, 0), 0);
    }
}

/* Handshake, a request, then two segments and an acknowledgement at a time; FIN. */
static void tcp_step(struct traffic *t, struct flow *flow)
{
    if (flow->step < 3)
        handshake_send(t, flow);
    else if (flow->step == 3)
        segment_send(t, flow, false, REQUEST, 0);
    else if (flow->lost_len != 0 && flow->step - flow->lost_since >= 4)
        segment_repair(t, flow, true);
    else if (flow->step + 1 >= flow->steps)
        send_packet(t, packet_new(t, flow, flow->step & 1, ACK | FIN, 0), 0);
    else if (flow->step % 3 == 2)
        send_packet(t, packet_new(t, flow, false, ACK, 0), 0);
    else
        segment_send(t, flow, true, largest(t, TCP), 1000);
}

static void mixed_send(struct traffic *t)
{
    struct flow *flow = &t->flows[t->made % FLOWS];

    if (flow->step == flow->steps)
        flow_begin(t, flow);
    if (flow->proto == TCP)
        tcp_step(t, flow);
    else
        send_packet(t, packet_new(t, flow, flow->step & 1, 0, 160 + flow->step % 2 * 200), 1000);
    flow->step++;
}

static void same_send(struct traffic *t)
{
    struct flow *flow = &t->flows[0];
    struct packet packet;

    flow->proto = UDP;
    packet = packet_new(t, flow, false, 0, 64);
    packet.payload = 0;
    packet.ip_id = 0; /* atomic datagrams need none: RFC 6864, section 4.1 */
    send_packet(t, packet, 100);
}

static void stream_send(struct traffic *t)
{
    struct flow *flow = &t->flows[0];

    flow->proto = TCP;
    flow->steps = UINT32_MAX;
    tcp_step(t, flow);
    flow->step++;
}

static void short_send(struct traffic *t)
{
    struct flow *flow = &t->flows[t->made % FLOWS];

    if (flow->step == flow->steps) {
        flow_begin(t, flow);
        flow->proto = TCP;
        flow->steps = 5;
    }
    if (flow->step < 3)
        handshake_send(t, flow);
    else if (flow->step == 3)
        segment_send(t, flow, false, REQUEST, 0);
    else
        send_packet(t, packet_new(t, flow, true, ACK | RST, 0), 0);
    flow->step++;
}

static void again_send(struct traffic *t)
{
    struct flow *flow = &t->flows[0];
    struct packet packet;

    flow->proto = TCP;
    if (flow->step < 3) {
        handshake_send(t, flow);
    } else {
        packet = packet_new(t, flow, false, ACK | PSH, largest(t, TCP));
        packet.payload = 0;
        send_packet(t, packet, 10);
        t->now_ns += 50000000;
    }
    flow->step++;
}

/* What is quoted is a datagram of the conversation that the error belongs to. */
static void error_send(struct traffic *t)
{
    struct flow flow = {.number = (uint32_t)(t->made % 1000), .proto = ICMP};
    struct packet packet = packet_new(t, &flow, true, 0, 28);

    packet.seq = (uint32_t)(t->made / 1000); /* identification of what is quoted */
    send_packet(t, packet, 0);
}

static void packet_make(struct traffic *t)
{
    static void (*const senders[])(struct traffic *) = {
        mixed_send, same_send, stream_send, short_send, again_send, error_send,
    };

    t->now_ns += SPACING_NS;
    senders[t->options.shape](t);
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value);
}

/* RFC 1071; `sum` begins with what is not in the bytes. */
static uint16_t checksum(uint64_t sum, const uint8_t *p, unsigned len)
{
    for (unsigned i = 0; i + 1 < len; i += 2)
        sum += (uint64_t)p[i] << 8 | p[i + 1];
    if (len & 1)
        sum += (uint64_t)p[len - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static uint64_t payload_sum(const struct traffic *t, const struct packet *packet)
{
    unsigned from = packet->payload / 2, to = from + packet->len / 2;
    uint64_t sum = t->sums[to] - t->sums[from];

    return packet->len & 1 ? sum + ((uint64_t)t->noise[2 * to] << 8) : sum;
}

struct side {
    uint32_t addr;
    uint16_t port;
};

/* Client and server of a conversation as a point sees them. */
static void sides(const struct traffic *t, const struct packet *packet, unsigned point,
                  struct side *client, struct side *server)
{
    uint32_t n = packet->flow;

    *server = (struct side){0xc6336400 + 1 + n % 50, packet->proto == TCP ? 443 : 5004};
    *client = (struct side){0xc0a80000 + 1 + n % 250 + (n / 7000000 << 8),
                            (uint16_t)(32768 + n / 250 % 28000)};
    if (point >= (t->options.points > 2 ? 2u : 1u))
        *client = (struct side){0xcb007100 + 1 + n % 100, (uint16_t)(1024 + n / 100 % 60000)};
}

static void ip_write(uint8_t *ip, unsigned len, uint16_t id, uint8_t ttl, uint8_t proto,
                     uint32_t src, uint32_t dst)
{
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, len);
    put16(ip + 4, id);
    ip[6] = 0x40; /* don't fragment */
    ip[8] = ttl;
    ip[9] = proto;
    put32(ip + 12, src);
    put32(ip + 16, dst);
    put16(ip + 10, checksum(0, ip, 20));
}

static unsigned tcp_write(uint8_t *tcp, const struct packet *packet, uint16_t src, uint16_t dst)
{
    unsigned len = packet->flags & SYN ? 40 : 32;
    uint8_t *option = tcp + 20;

    put16(tcp, src);
    put16(tcp + 2, dst);
    put32(tcp + 4, packet->seq);
    put32(tcp + 8, packet->ack);
    tcp[12] = (uint8_t)(len << 2);
    tcp[13] = packet->flags;
    put16(tcp + 14, 501);
    put32(tcp + 16, 0);
    if (packet->flags & SYN) {
        memcpy(option, "\2\4\5\264\1\3\3\7", 8); /* MSS 1460, window scale 7: RFC 9293, 7323 */
        option += 8;
    }
    memcpy(option, "\1\1\10\12", 4);
    put32(option + 4, packet->tsval);
    put32(option + 8, packet->tsecr);
    return len;
}

static void l4_write(const struct traffic *t, const struct packet *packet, uint8_t *ip,
                     const struct side *from, const struct side *to, unsigned snaplen,
                     struct traffic_frame *frame)
{
    uint8_t *l4 = ip + 20;
    unsigned head = 8, total, kept;
    uint64_t sum;

    if (packet->proto == TCP) {
        head = tcp_write(l4, packet, from->port, to->port);
    } else {
        put16(l4, from->port);
        put16(l4 + 2, to->port);
        put16(l4 + 4, 8u + packet->len);
        put16(l4 + 6, 0);
    }
    total = head + packet->len;
    sum = payload_sum(t, packet) + packet->proto + total;
    sum += (from->addr >> 16) + (from->addr & 0xffff) + (to->addr >> 16) + (to->addr & 0xffff);
    put16(l4 + (packet->proto == TCP ? 16 : 6), checksum(sum, l4, head));
    kept = snaplen < 34 + total ? snaplen : 34 + total;
    if (kept > 34 + head)
        memcpy(l4 + head, t->noise + packet->payload, kept - 34 - head);
    frame->wire_len = 34 + total;
    frame->cap_len = kept;
}

/* Port unreachable (RFC 792): IP header and eight bytes of a datagram of the client's. */
static void error_write(const struct packet *packet, uint8_t *icmp, uint8_t ttl,
                        const struct side *client, const struct side *server)
{
    memset(icmp, 0, 36);
    icmp[0] = icmp[1] = 3;
    ip_write(icmp + 8, 92, (uint16_t)packet->seq, ttl, UDP, client->addr, server->addr);
    put16(icmp + 28, client->port);
    put16(icmp + 30, server->port);
    put16(icmp + 32, 72);
    put16(icmp + 34, packet->flow);
    put16(icmp + 2, checksum(0, icmp, 36));
}

static void frame_write(const struct traffic *t, const struct packet *packet,
                        struct traffic_frame *frame, uint8_t *bytes)
{
    unsigned point = point_of(t, packet), l4;
    unsigned snaplen = t->options.snaplen != 0 ? t->options.snaplen : TRAFFIC_FRAME_MAX;
    uint8_t *ip = bytes + 14, ttl = (uint8_t)(64 - packet->at % 60);
    struct side client, server;
    const struct side *from, *to;

    sides(t, packet, point, &client, &server);
    from = packet->back ? &server : &client;
    to = packet->back ? &client : &server;
    memcpy(bytes, "\2\0\0\0\0\0\2\0\0\0\0\0\10\0", 14); /* locally administered MAC, IPv4 */
    put16(bytes + (packet->back ? 10 : 4), 2 * point + 2);
    put16(bytes + (packet->back ? 4 : 10), 2 * point + 1);
    l4 = packet->proto == ICMP ? 36 : packet->len + (packet->proto == UDP  ? 8u
                                                     : packet->flags & SYN ? 40u
                                                                           : 32u);
    ip_write(ip, 20 + l4, packet->ip_id, ttl, packet->proto, from->addr, to->addr);
    if (packet->proto == ICMP) {
        error_write(packet, ip + 20, ttl, &client, &server);
        frame->wire_len = 34 + l4;
        frame->cap_len = snaplen < frame->wire_len ? snaplen : frame->wire_len;
    } else {
        l4_write(t, packet, ip, from, to, snaplen, frame);
    }
    frame->point = point;
    frame->time_ns = packet->time_ns;
}

/* --- supply --------------------------------------------------------------------------------- */

struct traffic *traffic_new(const struct traffic_options *options)
{
    struct traffic *t = checked(calloc(1, sizeof *t));

    t->options = *options;
    t->now_ns = EPOCH_NS;
    t->noise = checked(malloc(NOISE));
    t->sums = checked(malloc((NOISE / 2 + 1) * sizeof *t->sums));
    for (unsigned i = 0; i < NOISE; i += 8) {
        uint64_t word = chance(t);

        /* Like text: what is no protocol must not look like one. */
        word = (word & UINT64_C(0x3f3f3f3f3f3f3f3f)) | UINT64_C(0x4040404040404040);
        memcpy(t->noise + i, &word, 8);
    }
    t->sums[0] = 0;
    for (unsigned i = 0; i < NOISE / 2; i++)
        t->sums[i + 1] = t->sums[i] + ((uint64_t)t->noise[2 * i] << 8 | t->noise[2 * i + 1]);
    return t;
}

void traffic_free(struct traffic *t)
{
    free(t->heap);
    free(t->noise);
    free(t->sums);
    free(t);
}

void traffic_next(struct traffic *t, struct traffic_frame *frame, uint8_t *bytes)
{
    struct packet packet;

    /* What is sent later is not seen earlier: clocks differ by less than the spacing. */
    while (t->n == 0 || t->heap[0].time_ns >= t->now_ns)
        packet_make(t);
    packet = pop(t);
    frame_write(t, &packet, frame, bytes);
    packet.time_ns -= offset_ns(point_of(t, &packet));
    if (++packet.at < packet.end) {
        packet.time_ns += HOP_NS + (int64_t)(chance(t) % JITTER_NS) +
                          offset_ns(point_of(t, &packet));
        push(t, packet);
    }
}
