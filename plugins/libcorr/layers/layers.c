/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analyses that were asked for, kept with their result. */
#include "layers/layers.h"

#include "layers/coverage.h"
#include "layers/findings.h"
#include "layers/phases.h"
#include "layers/tcp.h"

struct corr_layers {
    struct corr_tcp *tcp;
    struct corr_phases *phases;
    struct corr_capture_verdict *verdicts;
    uint32_t n_verdicts;
    struct corr_capture *captures;
    struct corr_coverage *coverage;
    struct corr_findings *findings;
};

/* What is kept is no part of the answer, so that readers of a result may have it made. */
static struct corr_layers *layers_of(const struct corr_result *r)
{
    struct corr_layers **kept = &((struct corr_result *)r)->layers;

    if (*kept == NULL)
        *kept = g_new0(struct corr_layers, 1);
    return *kept;
}

const struct corr_tcp *corr_layers_tcp(const struct corr_result *r)
{
    struct corr_layers *layers = layers_of(r);

    if (layers->tcp == NULL)
        layers->tcp = corr_tcp_new(r);
    return layers->tcp;
}

const struct corr_phases *corr_layers_phases(const struct corr_result *r)
{
    struct corr_layers *layers = layers_of(r);

    if (layers->phases == NULL)
        layers->phases = corr_phases_new(r);
    return layers->phases;
}

const struct corr_capture_verdict *corr_layers_verdicts(const struct corr_result *r)
{
    struct corr_layers *layers = layers_of(r);

    if (layers->verdicts == NULL) {
        layers->verdicts = corr_capture_verdicts_new(r);
        layers->n_verdicts = r->store->points->len;
    }
    return layers->verdicts;
}

const struct corr_findings *corr_layers_findings(const struct corr_result *r)
{
    struct corr_layers *layers = layers_of(r);

    if (layers->findings == NULL)
        layers->findings = corr_findings_new(r, NULL);
    return layers->findings;
}

bool corr_layers_has_tcp(const struct corr_result *r)
{
    return r->layers != NULL && r->layers->tcp != NULL;
}

bool corr_layers_has_phases(const struct corr_result *r)
{
    return r->layers != NULL && r->layers->phases != NULL;
}

bool corr_layers_has_verdicts(const struct corr_result *r)
{
    return r->layers != NULL && r->layers->verdicts != NULL;
}

bool corr_layers_has_findings(const struct corr_result *r)
{
    return r->layers != NULL && r->layers->findings != NULL;
}

const struct corr_capture *corr_layers_captures(const struct corr_result *r)
{
    struct corr_layers *layers = layers_of(r);

    if (layers->captures == NULL)
        layers->captures = corr_captures_count(r, NULL);
    return layers->captures;
}

const struct corr_coverage *corr_layers_coverage(const struct corr_result *r)
{
    struct corr_layers *layers = layers_of(r);

    if (layers->coverage == NULL)
        layers->coverage = corr_coverage_new(r);
    return layers->coverage;
}

void corr_layers_free(struct corr_layers *layers)
{
    if (layers == NULL)
        return;
    corr_findings_free(layers->findings);
    corr_phases_free(layers->phases);
    corr_tcp_free(layers->tcp);
    corr_capture_verdicts_free(layers->verdicts, layers->n_verdicts);
    g_free(layers->captures);
    corr_coverage_free(layers->coverage);
    g_free(layers);
}
