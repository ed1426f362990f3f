/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - packets, points with wrong clocks, and questions to the engine. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "frames.h"
#include "store/store.h"

uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t random_below(struct random *r, uint32_t n)
{
    return (uint32_t)(random_next(r) % n);
}

struct shape udp(uint32_t src, uint16_t src_port, uint32_t dst, uint16_t dst_port, uint64_t content)
{
    return (struct shape){.src = ip(src),
                          .dst = ip(dst),
                          .src_port = src_port,
                          .dst_port = dst_port,
                          .proto = UDP,
                          .content = content,
                          .len = 100};
}

struct shape tcp(uint32_t src, uint16_t src_port, uint32_t dst, uint16_t dst_port, uint8_t flags,
                 uint32_t seq, uint32_t ack)
{
    return (struct shape){.src = ip(src),
                          .dst = ip(dst),
                          .src_port = src_port,
                          .dst_port = dst_port,
                          .proto = TCP,
                          .tcp_flags = flags,
                          .seq = seq,
                          .ack = ack,
                          .window = 500};
}

struct shape echo(uint32_t src, uint32_t dst, bool reply, uint16_t id, uint16_t seq)
{
    return (struct shape){.src = ip(src),
                          .dst = ip(dst),
                          .src_port = id,
                          .proto = ICMP,
                          .icmp_type = reply ? 0 : 8,
                          .seq = seq,
                          .content = 77,
                          .len = 56};
}

struct shape turned(const struct shape *shape)
{
    struct shape back = *shape;

    back.src = shape->dst;
    back.dst = shape->src;
    back.src_port = shape->dst_port;
    back.dst_port = shape->src_port;
    return back;
}

static uint8_t content_byte(uint64_t content, uint32_t at)
{
    struct random r = {content * UINT64_C(0xff51afd7ed558ccd) + (at >> 3)};

    return (uint8_t)(random_next(&r) >> (at & 7) * 8);
}

static void put(uint8_t *p, unsigned n, uint64_t value)
{
    while (n-- > 0) {
        p[n] = (uint8_t)value;
        value >>= 8;
    }
}

static unsigned l4_header(const struct shape *s, uint8_t *l4)
{
    if (s->proto == UDP) {
        put(l4, 2, s->src_port);
        put(l4 + 2, 2, s->dst_port);
        put(l4 + 4, 2, s->len + 8);
        return 8;
    }
    if (s->proto == ICMP) {
        l4[0] = s->icmp_type;
        l4[1] = s->icmp_code;
        if (s->quote != NULL)
            return 8;
        put(l4 + 4, 2, s->src_port);
        put(l4 + 6, 2, s->seq);
        return 8;
    }
    put(l4, 2, s->src_port);
    put(l4 + 2, 2, s->dst_port);
    put(l4 + 4, 4, s->seq);
    put(l4 + 8, 4, s->ack);
    l4[12] = s->ts ? 0x80 : 0x50;
    l4[13] = s->tcp_flags;
    put(l4 + 14, 2, s->window);
    if (s->ts) {
        put(l4 + 20, 4, 0x0101080a);
        put(l4 + 24, 4, s->tsval);
        put(l4 + 28, 4, s->tsecr);
        return 32;
    }
    return 20;
}

static void packet_bytes(const struct shape *s, GByteArray *out)
{
    uint8_t header[20] = {0x45}, l4[64] = {0};
    guint start = out->len;
    unsigned n;

    n = l4_header(s, l4);
    put(header + 4, 2, s->ip_id);
    header[1] = s->tos;
    header[6] = s->df ? 0x40 : 0;
    header[8] = s->ttl != 0 ? s->ttl : 64;
    header[9] = s->proto;
    put(header + 12, 4, s->src);
    put(header + 16, 4, s->dst);
    g_byte_array_append(out, header, 20);
    g_byte_array_append(out, l4, n);
    if (s->quote != NULL) {
        GByteArray *inner = g_byte_array_new();

        packet_bytes(s->quote, inner);
        g_byte_array_append(out, inner->data, MIN(inner->len, 28));
        g_byte_array_unref(inner);
    } else {
        for (uint32_t i = 0; i < s->len; i++) {
            uint8_t byte = s->bytes != NULL ? ((const uint8_t *)s->bytes)[i]
                                            : content_byte(s->content, s->content_at + i);

            g_byte_array_append(out, &byte, 1);
        }
    }
    put(out->data + start + 2, 2, out->len - start);
    fix_ip4(out->data + start);
    if (s->damage > 0)
        out->data[start + 20 + n + s->damage - 1] ^= 0x14;
    if (s->frag_len > 0) {
        g_byte_array_set_size(out, start + 20 + s->frag_at + s->frag_len);
        if (s->frag_at > 0)
            g_byte_array_remove_range(out, start + 20, s->frag_at);
        put(out->data + start + 2, 2, 20 + s->frag_len);
        put(out->data + start + 6, 2, s->frag_at / 8 | (s->frag_more ? 0x2000 : 0));
        put(out->data + start + 10, 2, 0);
        put(out->data + start + 10, 2, 0xffffu - sum_of(out->data + start, 20, 0));
    }
}

void shape_bytes(const struct shape *s, GByteArray *out)
{
    uint8_t mac[12] = {2, 0, 0, 0, s->mac, 0xb, 2, 0, 0, 0, s->mac, 0xa};
    uint8_t tag[4] = {0x81, 0}, type[2] = {8, 0};

    g_byte_array_append(out, mac, 12);
    if (s->vlan != 0) {
        put(tag + 2, 2, s->vlan);
        g_byte_array_append(out, tag, 4);
    }
    g_byte_array_append(out, type, 2);
    packet_bytes(s, out);
}

struct world *world_new(void)
{
    return world_new_with(NULL);
}

struct world *world_new_with(const struct corr_config *config)
{
    struct world *w = g_new0(struct world, 1);

    w->engine = corr_engine_new(config);
    w->seen = g_array_new(FALSE, TRUE, sizeof(struct world_frame));
    w->bytes = g_byte_array_new();
    w->view = corr_view_new();
    return w;
}

void world_free(struct world *w)
{
    corr_view_free(w->view);
    corr_engine_free(w->engine);
    g_array_unref(w->seen);
    g_byte_array_unref(w->bytes);
    g_free(w);
}

uint32_t world_point(struct world *w, const char *name)
{
    g_assert_cmpuint(w->n_points, <, WORLD_POINTS);
    return corr_engine_add_point(w->engine, 0, w->n_points++, name);
}

int64_t world_clock_at(const struct world_clock *clock, int64_t at_ns)
{
    int64_t off = clock->offset_ns + (int64_t)(clock->drift_ppm * 1e-6 * (double)at_ns);

    if (clock->step_ns != 0 && at_ns >= clock->step_at_ns)
        off += clock->step_ns;
    if (at_ns > clock->slew_from_ns)
        off += (int64_t)(clock->slew_ppm * 1e-6 *
                         (double)(MIN(at_ns, clock->slew_to_ns) - clock->slew_from_ns));
    return off;
}

uint32_t world_see_bytes(struct world *w, uint32_t point, int64_t at_ns, uint32_t link,
                         const uint8_t *bytes, uint32_t len)
{
    struct world_frame frame = {.point = point,
                                .link = link,
                                .wire_len = len,
                                .cap_len = len,
                                .at = w->bytes->len,
                                .truth = w->truth,
                                .true_ns = at_ns};

    frame.time_ns = WORLD_BASE_NS + at_ns + world_clock_at(&w->clocks[point], at_ns);
    g_byte_array_append(w->bytes, bytes, len);
    g_array_append_val(w->seen, frame);
    return w->seen->len - 1;
}

uint32_t world_see(struct world *w, uint32_t point, int64_t at_ns, const struct shape *shape)
{
    GByteArray *bytes = g_byte_array_new();
    struct world_frame *frame;
    uint32_t seen;

    shape_bytes(shape, bytes);
    seen = world_see_bytes(w, point, at_ns, 1, bytes->data, bytes->len);
    frame = &g_array_index(w->seen, struct world_frame, seen);
    if (shape->snap != 0)
        frame->cap_len = MIN(frame->cap_len, shape->snap);
    g_byte_array_unref(bytes);
    return seen;
}

struct way way_of(const uint32_t *points, unsigned n, int64_t delay_ns)
{
    struct way way = {.n = n, .routed = true};

    for (unsigned i = 0; i < n; i++) {
        way.points[i] = points[i];
        way.delay_ns[i] = i > 0 ? delay_ns : 0;
    }
    return way;
}

static uint32_t walk_any(struct world *w, const struct way *way, int64_t at_ns, struct shape shape,
                         unsigned until, bool back)
{
    uint32_t first = w->seen->len;
    unsigned i = back ? way->n - 1 : 0;

    if (shape.ttl == 0)
        shape.ttl = 64;
    for (unsigned k = 0; k < MIN(until, way->n); k++) {
        shape.mac = (uint8_t)(way->points[i] + 1);
        if (!back && way->rewrite != NULL)
            way->rewrite(&shape, i, false);
        world_see(w, way->points[i], at_ns, &shape);
        if (back && way->rewrite != NULL)
            way->rewrite(&shape, i, true);
        if (way->routed)
            shape.ttl--;
        if (back && i == 0)
            break;
        at_ns += way->delay_ns[back ? i : MIN(i + 1, way->n - 1)];
        i = back ? i - 1 : i + 1;
    }
    return first;
}

uint32_t walk(struct world *w, const struct way *way, int64_t at_ns, struct shape shape,
              unsigned until)
{
    return walk_any(w, way, at_ns, shape, until, false);
}

uint32_t walk_back(struct world *w, const struct way *way, int64_t at_ns, struct shape shape,
                   unsigned until)
{
    return walk_any(w, way, at_ns, shape, until, true);
}

static int time_compare(const void *x, const void *y, void *user)
{
    const struct world *w = user;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    const struct world_frame *s = &g_array_index(w->seen, struct world_frame, a);
    const struct world_frame *t = &g_array_index(w->seen, struct world_frame, b);

    if (s->merged_ns != t->merged_ns)
        return s->merged_ns < t->merged_ns ? -1 : 1;
    if (s->true_ns != t->true_ns && s->point == t->point)
        return s->true_ns < t->true_ns ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int true_compare(const void *x, const void *y, void *user)
{
    const struct world *w = user;
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    int64_t s = g_array_index(w->seen, struct world_frame, a).true_ns;
    int64_t t = g_array_index(w->seen, struct world_frame, b).true_ns;

    return s != t ? (s < t ? -1 : 1) : a < b ? -1 : a > b;
}

/* Each file keeps its own order, whatever its clock does; of all files the earliest head is next.
 */
static void merge(struct world *w, uint32_t *order, uint32_t n)
{
    int64_t latest[WORLD_POINTS];

    for (uint32_t i = 0; i < WORLD_POINTS; i++)
        latest[i] = INT64_MIN;
    g_qsort_with_data(order, (gint)n, sizeof *order, true_compare, w);
    if (w->is_live)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct world_frame *frame = &g_array_index(w->seen, struct world_frame, order[i]);

        latest[frame->point] = MAX(latest[frame->point], frame->time_ns);
        frame->merged_ns = latest[frame->point];
    }
    g_qsort_with_data(order, (gint)n, sizeof *order, time_compare, w);
}

/* Indices of sightings in the order of the file; free it.  Numbers the frames. */
static uint32_t *file_order(struct world *w)
{
    uint32_t n = w->seen->len, *order = g_new(uint32_t, n + 1);

    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    merge(w, order, n);
    for (uint32_t i = 0; i < n; i++)
        g_array_index(w->seen, struct world_frame, order[i]).number = i + 1;
    return order;
}

void world_feed(struct world *w, uint32_t first, uint32_t last)
{
    g_autofree uint32_t *order = file_order(w);

    for (uint32_t i = first - 1; i < MIN(last, w->seen->len); i++) {
        const struct world_frame *seen = &g_array_index(w->seen, struct world_frame, order[i]);
        struct corr_frame frame = {.number = i + 1,
                                   .point = seen->point,
                                   .time_ns = seen->time_ns,
                                   .link = seen->link,
                                   .wire_len = seen->wire_len,
                                   .cap_len = seen->cap_len,
                                   .data = w->bytes->data + seen->at,
                                   .packet_id = seen->packet_id,
                                   .has_packet_id = seen->has_packet_id,
                                   .has_time = !seen->no_time};

        corr_engine_observe(w->engine, &frame);
    }
}

void world_run(struct world *w)
{
    char *broken;

    world_feed(w, 1, UINT32_MAX);
    corr_engine_settle(w->engine);
    broken = corr_engine_check(w->engine);
    g_assert_cmpstr(broken, ==, NULL);
}

uint32_t world_number(const struct world *w, uint32_t seen)
{
    return g_array_index(w->seen, struct world_frame, seen).number;
}

static uint32_t obs_index(const struct world *w, uint32_t seen)
{
    const struct corr_store *store = corr_engine_result(w->engine)->store;
    uint32_t obs = g_array_index(store->frame_obs, uint32_t, world_number(w, seen));

    g_assert_cmpuint(obs, !=, CORR_NONE);
    return obs;
}

const struct corr_obs *world_obs(const struct world *w, uint32_t seen)
{
    return corr_store_obs(corr_engine_result(w->engine)->store, obs_index(w, seen));
}

uint32_t world_packets(const struct world *w, uint32_t seen)
{
    const struct corr_result *r = corr_engine_result(w->engine);
    uint32_t obs = obs_index(w, seen);

    return r->obs_first[obs + 1] - r->obs_first[obs];
}

const struct corr_sighting *world_sighting(const struct world *w, uint32_t seen)
{
    const struct corr_result *r = corr_engine_result(w->engine);

    return corr_result_sighting(r, r->obs_sightings[r->obs_first[obs_index(w, seen)]]);
}

uint32_t world_packet(const struct world *w, uint32_t seen)
{
    return world_sighting(w, seen)->packet;
}

const struct corr_packet *world_packet_of(const struct world *w, uint32_t seen)
{
    return corr_result_packet(corr_engine_result(w->engine), world_packet(w, seen));
}

uint32_t world_flow(const struct world *w, uint32_t seen)
{
    return world_packet_of(w, seen)->flow;
}

char *world_field(struct world *w, uint32_t seen, enum corr_field field)
{
    GString *text = NULL;

    corr_engine_lookup(w->engine, world_number(w, seen), CORR_WANT_ALL, w->view);
    for (unsigned i = 0; i < w->view->values->len; i++) {
        const struct corr_value *v = &g_array_index(w->view->values, struct corr_value, i);

        if (v->field != field)
            continue;
        if (text != NULL)
            g_string_append_c(text, '|');
        else
            text = g_string_new(NULL);
        if (corr_field_infos[field].type == CORR_TYPE_STR)
            g_string_append(text, v->str);
        else if (corr_field_infos[field].type == CORR_TYPE_NS)
            g_string_append_printf(text, "%" G_GINT64_FORMAT, v->ns);
        else
            g_string_append_printf(text, "%u", v->u32);
    }
    return text != NULL ? g_string_free(text, FALSE) : NULL;
}

char *world_dump(const struct corr_engine *engine)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    corr_engine_dump(engine, out);
    fclose(out);
    return text;
}
