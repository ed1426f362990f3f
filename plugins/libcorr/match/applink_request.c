/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One hello, or one request id, in several flows: which request did a proxy hand
 * on as which?  A client may use an id twice, a proxy may try several servers, and
 * one proxy may stand behind another.
 *
 *     Whose side?    The flow that ends at the host where the other one begins was
 *                    first.  Where the proxy has two addresses, and only two hosts
 *                    send the id, clocks tell; where they do not, the longer wait
 *                    for an answer: the client waits for the proxy and for all that
 *                    the proxy waits for.
 *     Which one?     What left before it came in is something else.  If more than
 *                    one remains, requests must have come in and left in turn.
 *                    Else nobody knows, and nothing is said.
 */
#include "match/applink.h"

/* Requests with one id; more of them name nothing. */
#define ITEMS_MAX 64u
/* Observations in which an answer is looked for. */
#define ANSWER_WITHIN 100000u

struct item {
    uint32_t flow, obs;
    int64_t at; /* its first byte in the stream */
};

struct run {
    struct corr_applinks *links;
    struct item items[ITEMS_MAX];
    unsigned n, n_hosts;            /* n_hosts: that send the id */
    bool may[ITEMS_MAX][ITEMS_MAX]; /* [back][front] */
};

/* Where the observation's payload begins in its stream; false: it is not known which packet. */
static bool place_of(const struct corr_result *r, uint32_t obs, int64_t *at)
{
    const struct corr_packet *packet;

    if (r->obs_first[obs] == r->obs_first[obs + 1])
        return false;
    packet =
        corr_result_packet(r, corr_result_sighting(r, r->obs_sightings[r->obs_first[obs]])->packet);
    *at = packet->from;
    return !packet->ambiguous;
}

/* Who began the flow, as its first member shows it. */
static const struct corr_addr *host_of(const struct corr_result *r, uint32_t flow)
{
    const struct corr_member *member =
        &g_array_index(corr_result_flow(r, flow)->convs, struct corr_member, 0);

    return &corr_result_conv(r, member->conv)->end[member->flip].addr;
}

/* Each request once, by its first frame; false: there are too many. */
static bool items_collect(struct run *run, const struct corr_app_said *said, size_t n)
{
    const struct corr_result *r = run->links->result;

    for (size_t i = 0; i < n; i++) {
        struct item item = {.flow = said[i].flow, .obs = said[i].obs};
        bool known = false, host_known = false;

        if (item.flow == CORR_NONE || !place_of(r, item.obs, &item.at))
            continue;
        for (unsigned k = 0; k < run->n; k++) {
            host_known |= corr_addr_equal(host_of(r, run->items[k].flow), host_of(r, item.flow));
            known |= run->items[k].flow == item.flow && run->items[k].at == item.at;
        }
        if (known)
            continue;
        if (run->n == ITEMS_MAX)
            return false;
        run->items[run->n++] = item;
        run->n_hosts += !host_known;
    }
    return run->n > 1;
}

/* Time from a request to the first data of the other side, at the point of its observation. */
static bool wait_for_answer(const struct corr_result *r, uint32_t obs, int64_t *wait_ns)
{
    const struct corr_obs *asked = corr_store_obs(r->store, obs);
    uint32_t end = MIN(r->store->obs->len, obs + ANSWER_WITHIN);

    for (uint32_t i = obs + 1; i < end; i++) {
        const struct corr_obs *o = corr_store_obs(r->store, i);

        if (r->obs_conv[i] != r->obs_conv[obs] || o->dir == asked->dir || o->len == 0)
            continue;
        *wait_ns = o->time_ns - asked->time_ns;
        return *wait_ns >= 0;
    }
    return false;
}

/* Of two flows that no address tells apart: was `a` there before `b`? */
static bool is_before(const struct corr_result *r, uint32_t a, uint32_t b)
{
    int64_t time_ns, error_ns, wait_a, wait_b;

    if (corr_app_residence(r, a, b, &time_ns, &error_ns))
        return time_ns > error_ns;
    return wait_for_answer(r, a, &wait_a) && wait_for_answer(r, b, &wait_b) && wait_a > wait_b;
}

static bool may_be_front(const struct run *run, const struct item *front, const struct item *back)
{
    const struct corr_result *r = run->links->result;
    int64_t time_ns, error_ns;

    if (front->flow == back->flow)
        return false;
    if (!corr_app_front(r, front->flow, back->flow))
        return run->n_hosts == 2 &&
               !corr_addr_equal(host_of(r, front->flow), host_of(r, back->flow)) &&
               !corr_app_front(r, back->flow, front->flow) && is_before(r, front->obs, back->obs);
    return !corr_app_residence(r, front->obs, back->obs, &time_ns, &error_ns) ||
           time_ns + error_ns >= 0;
}

static unsigned fronts_of(const struct run *run, unsigned back)
{
    unsigned n = 0;

    for (unsigned i = 0; i < run->n; i++)
        n += run->may[back][i];
    return n;
}

/*
 * If as many left as came in, each that came in left before the next one did: what
 * only one can have brought leaves the others one choice less.
 */
static void take_turns(struct run *run)
{
    unsigned n_fronts = 0, n_backs = 0;
    bool again = true;

    for (unsigned i = 0; i < run->n; i++) {
        bool front = false;

        for (unsigned k = 0; k < run->n; k++)
            front |= run->may[k][i];
        n_fronts += front;
        n_backs += fronts_of(run, i) > 0;
    }
    while (again && n_fronts == n_backs) {
        again = false;
        for (unsigned back = 0; back < run->n; back++)
            for (unsigned i = 0; i < run->n && fronts_of(run, back) == 1; i++)
                for (unsigned other = 0; run->may[back][i] && other < run->n; other++)
                    if (other != back && run->may[other][i] && fronts_of(run, other) > 1) {
                        run->may[other][i] = false;
                        again = true;
                    }
    }
}

void corr_app_run_link(struct corr_applinks *links, const struct corr_app_said *said, size_t n)
{
    struct run run = {.links = links};
    uint8_t how = said->kind == CORR_TOKEN_HELLO ? CORR_LINK_HELLO : CORR_LINK_REQUEST;

    if (n < 2 || !items_collect(&run, said, n))
        return;
    for (unsigned back = 0; back < run.n; back++)
        for (unsigned front = 0; front < run.n; front++)
            run.may[back][front] = may_be_front(&run, &run.items[front], &run.items[back]);
    take_turns(&run);
    for (unsigned back = 0; back < run.n; back++)
        for (unsigned i = 0; i < run.n && fronts_of(&run, back) == 1; i++)
            if (run.may[back][i])
                corr_app_hand(links, (struct corr_handed){run.items[i].flow, run.items[back].flow,
                                                          run.items[i].obs, run.items[back].obs,
                                                          how, true});
}
