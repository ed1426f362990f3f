/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http.c - HTTP/1: start lines, the fields that frame a message, and its end
 * (RFC 9112, section 6).  A mark is made when the head is complete, and once
 * more when the body is.
 */
#include <stdlib.h>
#include <string.h>

#include "l7/l7-int.h"

#define LINE_MAX_BYTES 2048u /* of a longer line, the rest does not matter */
#define TEXT_MAX 400u        /* of a method and target, or a host */

enum state {
    START,      /* start line */
    FIELDS,     /* header fields */
    BODY,       /* `skip` bytes of it are left */
    CHUNK_SIZE, /* chunked: the line with a size */
    CHUNK_DATA, /* `skip` bytes are left, CRLF included */
    TRAILER,    /* chunked: fields behind the last chunk */
};

static void head_clear(struct corr_l7_stream *s)
{
    if (s->http.text != NULL)
        g_string_free(s->http.text, TRUE);
    memset(&s->http, 0, sizeof s->http);
}

static void asked_push(struct corr_l7_pair *pair, enum corr_l7_asked what)
{
    if (pair->asked_n == CORR_L7_ASKED) {
        pair->asked_first++;
        pair->asked_n--;
    }
    pair->asked[(pair->asked_first + pair->asked_n++) % CORR_L7_ASKED] = (uint8_t)what;
}

static enum corr_l7_asked asked_pop(struct corr_l7_pair *pair)
{
    if (pair->asked_n == 0)
        return CORR_L7_ASKED_BODY;
    pair->asked_n--;
    return (enum corr_l7_asked)pair->asked[pair->asked_first++ % CORR_L7_ASKED];
}

/* The message ends at the stream's position `end`; another one may follow. */
static void message_done(struct corr_l7_reader *r, int64_t end)
{
    struct corr_l7_stream *s = r->s;

    if (s->mark != 0)
        corr_l7_mark_again(r, s->mark, end);
    corr_l7_switch(s, CORR_L7_DETECT);
}

static void mark_head(struct corr_l7_reader *r, int64_t end, uint16_t flags)
{
    struct corr_l7_stream *s = r->s;
    struct corr_mark *mark = corr_l7_mark(
        r, s->http.status != 0 ? CORR_MARK_HTTP_RESPONSE : CORR_MARK_HTTP_REQUEST, s->begin, end);

    mark->flags = s->http.flags | flags;
    mark->value = s->http.status != 0 ? s->http.status : s->http.head;
    if (s->http.text != NULL)
        corr_l7_mark_text(r, mark, s->http.text->str, s->http.text->len);
    s->mark = corr_l7_mark_last(r);
}

/* Both directions carry something else from now on. */
static void become_tunnel(struct corr_l7_reader *r, enum corr_l7_protocol protocol)
{
    struct corr_l7_stream *other = &r->pair->stream[!r->dir];

    corr_l7_switch(r->s, protocol);
    if (other->protocol == CORR_L7_HTTP || other->protocol == CORR_L7_OTHER)
        corr_l7_switch(other, CORR_L7_DETECT);
}

static void body_begins(struct corr_l7_reader *r, int64_t end)
{
    struct corr_l7_stream *s = r->s;

    if (s->http.chunked) {
        s->state = CHUNK_SIZE;
    } else if (s->http.has_length && s->http.length > 0) {
        s->state = BODY;
        s->skip = s->http.length;
    } else {
        message_done(r, end);
    }
    head_clear(s);
}

static void request_head_done(struct corr_l7_reader *r, int64_t end)
{
    struct corr_l7_stream *s = r->s;
    const char *text = s->http.text->str;

    mark_head(r, end, CORR_MARK_OPEN);
    asked_push(r->pair, g_str_has_prefix(text, "HEAD\n")      ? CORR_L7_ASKED_HEAD
                        : g_str_has_prefix(text, "CONNECT\n") ? CORR_L7_ASKED_CONNECT
                                                              : CORR_L7_ASKED_BODY);
    body_begins(r, end);
}

static void response_head_done(struct corr_l7_reader *r, int64_t end)
{
    struct corr_l7_stream *s = r->s;
    uint32_t status = s->http.status;
    enum corr_l7_asked asked = CORR_L7_ASKED_BODY;

    /* An interim response (RFC 9110, section 15.2) is no answer yet, but 101 is the last one. */
    if (status >= 200 || status == 101)
        asked = asked_pop(r->pair);
    if (status == 101 || (asked == CORR_L7_ASKED_CONNECT && status / 100 == 2)) {
        bool h2 = status == 101 && !(s->http.flags & CORR_MARK_WEBSOCKET);

        mark_head(r, end, asked == CORR_L7_ASKED_CONNECT ? CORR_MARK_TUNNEL : CORR_MARK_UPGRADE);
        become_tunnel(r, status == 101 && !h2 ? CORR_L7_OTHER : CORR_L7_DETECT);
        head_clear(s);
        return;
    }
    if (status < 200 || status == 204 || status == 304 || asked == CORR_L7_ASKED_HEAD) {
        mark_head(r, end, CORR_MARK_OPEN);
        message_done(r, end);
        head_clear(s);
        return;
    }
    if (!s->http.chunked && !s->http.has_length) {
        mark_head(r, end, CORR_MARK_OPEN | CORR_MARK_CLOSE);
        head_clear(s);
        s->state = BODY;
        s->skip = UINT64_MAX;
        return;
    }
    mark_head(r, end, CORR_MARK_OPEN);
    body_begins(r, end);
}

static bool start_line(struct corr_l7_reader *r, const char *line)
{
    struct corr_l7_http *http = &r->s->http;
    const char *target, *version;

    head_clear(r->s);
    http->text = g_string_new(NULL);
    if (g_str_has_prefix(line, "HTTP/1.")) {
        if (!g_ascii_isdigit(line[7]) || line[8] != ' ')
            return false;
        http->status = (uint32_t)strtoul(line + 9, NULL, 10);
        return http->status >= 100 && http->status <= 999;
    }
    target = strchr(line, ' ');
    version = strrchr(line, ' ');
    /* A line that was too long to be kept lost its end: it began like a request, that must do. */
    if (target == NULL || (strlen(line) < LINE_MAX_BYTES - 2 &&
                           (version == target || !g_str_has_prefix(version, " HTTP/1."))))
        return false;
    g_string_append_len(http->text, line, target - line);
    g_string_append_c(http->text, '\n');
    target++;
    g_string_append_len(http->text, target,
                        version > target ? MIN(version - target, (ptrdiff_t)TEXT_MAX)
                                         : (ptrdiff_t)MIN(strlen(target), TEXT_MAX));
    return true;
}

/* Whether a list of tokens, as in Connection, has this one. */
static bool has_token(const char *list, const char *token)
{
    size_t len = strlen(token);

    while (*list != '\0') {
        list += strspn(list, " \t,");
        if (g_ascii_strncasecmp(list, token, len) == 0 &&
            (list[len] == '\0' || strchr(" \t,;", list[len]) != NULL))
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

static void field_line(struct corr_l7_reader *r, const char *line)
{
    struct corr_l7_http *http = &r->s->http;
    const char *colon = strchr(line, ':'), *value;
    size_t len;

    if (colon == NULL)
        return;
    len = (size_t)(colon - line);
    value = colon + 1 + strspn(colon + 1, " \t");
#define FIELD(name) (len == sizeof name - 1 && g_ascii_strncasecmp(line, name, len) == 0)
    if (FIELD("content-length")) {
        http->length = g_ascii_strtoull(value, NULL, 10);
        http->has_length = g_ascii_isdigit(*value) && http->length < (UINT64_C(1) << 48);
    } else if (FIELD("transfer-encoding")) {
        http->chunked |= has_token(value, "chunked");
    } else if (FIELD("expect")) {
        if (has_token(value, "100-continue"))
            http->flags |= CORR_MARK_EXPECT;
    } else if (FIELD("upgrade")) {
        http->flags |= CORR_MARK_UPGRADE;
        if (has_token(value, "websocket"))
            http->flags |= CORR_MARK_WEBSOCKET;
    } else if (FIELD("host") && http->status == 0) {
        g_string_append_c(http->text, '\n');
        g_string_append_len(http->text, value, (gssize)MIN(strlen(value), TEXT_MAX));
    }
#undef FIELD
}

static void line_done(struct corr_l7_reader *r, char *line, int64_t end)
{
    struct corr_l7_stream *s = r->s;
    char *rest;
    uint64_t size;

    switch ((enum state)s->state) {
    case START:
        if (*line == '\0') /* RFC 9112, section 2.2: an empty line before a request */
            return;
        if (!start_line(r, line)) {
            head_clear(s);
            corr_l7_switch(s, CORR_L7_OTHER);
            return;
        }
        s->http.head = (uint32_t)(end - s->begin);
        s->state = FIELDS;
        return;
    case FIELDS:
        s->http.head = (uint32_t)(end - s->begin);
        if (*line != '\0')
            field_line(r, line);
        else if (s->http.status != 0)
            response_head_done(r, end);
        else
            request_head_done(r, end);
        return;
    case CHUNK_SIZE:
        size = g_ascii_strtoull(line, &rest, 16);
        if (rest == line || size >= UINT64_C(1) << 48) {
            corr_l7_switch(s, CORR_L7_OTHER);
        } else if (size == 0) {
            s->state = TRAILER;
        } else {
            s->state = CHUNK_DATA;
            s->skip = size + 2;
        }
        return;
    case TRAILER:
        if (*line == '\0')
            message_done(r, end);
        return;
    case BODY:
    case CHUNK_DATA:
        return;
    }
}

uint32_t corr_l7_http_step(struct corr_l7_reader *r, const uint8_t *d, uint32_t n)
{
    struct corr_l7_stream *s = r->s;
    const uint8_t *lf = memchr(d, '\n', n);
    uint32_t taken = lf != NULL ? (uint32_t)(lf - d) + 1 : n;

    if (s->state == START && (s->buf == NULL || s->buf->len == 0))
        s->begin = s->at;
    corr_l7_gather(s, d, taken, LINE_MAX_BYTES);
    if (lf != NULL) {
        g_autofree char *line = g_strndup((const char *)s->buf->data, s->buf->len);
        size_t len = strlen(line);

        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        corr_l7_forget(s);
        line_done(r, line, s->at + taken);
    }
    return taken;
}

void corr_l7_http_skipped(struct corr_l7_reader *r)
{
    if (r->s->state == CHUNK_DATA)
        r->s->state = CHUNK_SIZE;
    else
        message_done(r, r->s->at);
}

/* What a head has told so far is marked: where the message ends stays open. */
void corr_l7_http_lost(struct corr_l7_reader *r)
{
    struct corr_l7_stream *s = r->s;

    if (s->state == START && s->buf != NULL && s->buf->len > 0) {
        g_autofree char *line = g_strndup((const char *)s->buf->data, s->buf->len);

        /* A start line that the capture cut: a status is short, a request's version is missing. */
        if (g_str_has_prefix(line, "HTTP/1.") && strlen(line) >= 12 && start_line(r, line))
            s->state = FIELDS;
    }
    if (s->state == FIELDS) {
        if (s->http.status == 0)
            asked_push(r->pair, CORR_L7_ASKED_BODY);
        else if (s->http.status >= 200)
            asked_pop(r->pair);
        mark_head(r, s->at, CORR_MARK_OPEN);
    }
    head_clear(s);
    corr_l7_switch(s, CORR_L7_OTHER);
}
