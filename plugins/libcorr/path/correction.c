/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which offsets latencies are corrected by: the packets', or the user's. */
#include <string.h>

#include "path/clock.h"

static bool is_one_host(const struct corr_store *store, uint32_t p, uint32_t q)
{
    const char *a = corr_store_point(store, p)->settings.host;
    const char *b = corr_store_point(store, q)->settings.host;

    return a != NULL && b != NULL && *a != '\0' && strcmp(a, b) == 0;
}

/* What the user set, or what goes without saying; UNKNOWN: neither. */
static struct corr_clock_answer by_assumption(const struct corr_result *r, uint32_t p, uint32_t q)
{
    enum corr_correction how = r->store->config.correction;
    struct corr_clock_answer answer = {CORR_CLOCK_UNKNOWN, 0, 0};

    if (how == CORR_CORRECTION_AUTO) {
        if (!is_one_host(r->store, p, q) &&
            (r->clock == NULL || !corr_clock_is_shared(r->clock, p, q)))
            return answer;
        answer.status = CORR_CLOCK_SAME;
    } else {
        answer.status = how == CORR_CORRECTION_OFF ? CORR_CLOCK_UNCORRECTED : CORR_CLOCK_MANUAL;
    }
    if (how == CORR_CORRECTION_MANUAL)
        answer.offset_ns = corr_store_point(r->store, q)->settings.offset_ns -
                           corr_store_point(r->store, p)->settings.offset_ns;
    if (r->clock != NULL)
        answer.error_ns = corr_clock_resolution(r->clock, p) + corr_clock_resolution(r->clock, q);
    return answer;
}

struct corr_clock_answer corr_result_correction(const struct corr_result *r, uint32_t from,
                                                uint32_t to)
{
    uint32_t p = corr_store_obs(r->store, from)->point, q = corr_store_obs(r->store, to)->point;
    struct corr_clock_answer answer = {CORR_CLOCK_REFERENCE, 0, 0};

    if (p == q)
        return answer;
    answer = by_assumption(r, p, q);
    return answer.status != CORR_CLOCK_UNKNOWN ? answer : corr_result_clock_between(r, from, to);
}

bool corr_correction_pieces(const struct corr_result *r, uint32_t p, uint32_t q,
                            enum corr_clock_status *status, GArray *pieces)
{
    struct corr_clock_answer answer = by_assumption(r, p, q);
    struct corr_clock_piece piece = {0, 0, answer.offset_ns, answer.error_ns, 0, true};

    if (answer.status == CORR_CLOCK_UNKNOWN)
        return false;
    *status = answer.status;
    if (r->clock != NULL && corr_clock_times(r->clock, q, &piece.from_ns, &piece.to_ns)) {
        piece.from_ns -= piece.offset_ns;
        piece.to_ns -= piece.offset_ns;
        g_array_append_val(pieces, piece);
    }
    return true;
}
