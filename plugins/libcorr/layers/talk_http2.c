/* SPDX-License-Identifier: GPL-2.0-or-later */
/* talk_http2.c - HTTP/2 streams in clear: HEADERS to HEADERS to END_STREAM (RFC 9113, 8.1). */
#include "layers/talk.h"

#include <stdlib.h>

#define UNKNOWN INT64_MIN

struct stream {
    uint32_t id, status;
    int64_t from[2], to[2]; /* of request and response; UNKNOWN */
    GArray *frames;         /* struct corr_phase_bytes: of the response */
    const struct corr_mark *request;
    bool has_data; /* of the response */
    bool reset;
};

static void stream_free(void *data)
{
    g_array_unref(((struct stream *)data)->frames);
    g_free(data);
}

static struct stream *stream_get(GHashTable *index, GPtrArray *streams, uint32_t id)
{
    struct stream *s = g_hash_table_lookup(index, GUINT_TO_POINTER(id));

    if (s == NULL) {
        s = g_new(struct stream, 1);
        *s = (struct stream){.id = id, .from = {UNKNOWN, UNKNOWN}, .to = {UNKNOWN, UNKNOWN}};
        s->frames = g_array_new(FALSE, FALSE, sizeof(struct corr_phase_bytes));
        g_hash_table_insert(index, GUINT_TO_POINTER(id), s);
        g_ptr_array_add(streams, s);
    }
    return s;
}

static void side_read(const struct corr_talk *talk, unsigned side, GHashTable *index,
                      GPtrArray *streams)
{
    for (unsigned i = 0; i < talk->n_said[side]; i++) {
        const struct corr_said *said = &talk->said[side][i];
        bool headers = said->kind == CORR_MARK_H2_HEADERS;
        struct stream *s;

        if ((!headers && said->kind != CORR_MARK_H2_DATA && said->kind != CORR_MARK_H2_RESET) ||
            said->mark->id == 0)
            continue;
        s = stream_get(index, streams, said->mark->id);
        if (said->kind == CORR_MARK_H2_RESET) {
            s->reset = true;
            continue;
        }
        /*
         * An interim response (100, 103) is no answer yet.  Where the status cannot be read
         * it shows by the headers that follow: those of trailers end the stream.
         */
        if (headers && side == 1 && said->mark->value >= 100 && said->mark->value < 200)
            continue;
        if (headers && side == 1 && !s->has_data && !(said->flags & CORR_MARK_END)) {
            s->from[1] = UNKNOWN;
            g_array_set_size(s->frames, 0);
        }
        s->has_data |= side == 1 && !headers;
        if (headers && s->from[side] == UNKNOWN) {
            s->from[side] = said->begin;
            if (side == 0)
                s->request = said->mark;
            else
                s->status = said->mark->value;
        }
        if (side == 1) {
            struct corr_phase_bytes frame = {said->begin, said->end};

            g_array_append_val(s->frames, frame);
        }
        if (said->flags & CORR_MARK_END)
            s->to[side] = said->end;
    }
}

static int stream_compare(const void *x, const void *y)
{
    const struct stream *a = *(struct stream *const *)x, *b = *(struct stream *const *)y;

    if (a->from[0] != b->from[0])
        return a->from[0] < b->from[0] ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

bool corr_talk_http2(struct corr_talk *talk)
{
    g_autoptr(GHashTable) index = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) streams = g_ptr_array_new_with_free_func(stream_free);

    side_read(talk, 0, index, streams);
    side_read(talk, 1, index, streams);
    g_ptr_array_sort(streams, stream_compare);
    for (unsigned i = 0; i < streams->len; i++) {
        const struct stream *s = g_ptr_array_index(streams, i);
        struct corr_exchange e = {.request_from = s->from[0],
                                  .request_to = s->to[0],
                                  .response_from = s->from[1],
                                  .response_to = s->to[1],
                                  .has_response = s->from[1] != UNKNOWN,
                                  .response = (const struct corr_phase_bytes *)s->frames->data,
                                  .n_response = s->frames->len,
                                  .response_after = INT64_MIN};
        struct corr_transaction *t;
        uint32_t transaction;

        if (s->from[0] == UNKNOWN)
            continue; /* begun before the capture, pushed, or the answer to an upgrade */
        transaction = corr_talk_begin(talk, CORR_TRANSACTION_H2);
        t = corr_build_transaction(talk->b, transaction);
        t->stream = s->id;
        t->status = s->status;
        t->method = corr_l7_text(talk->b->r->store->l7, s->request, 0);
        if (!e.has_response)
            t->note = s->reset ? "the stream was reset" : "no response was seen";
        corr_talk_exchange(talk, transaction, &e);
    }
    return streams->len > 0;
}
