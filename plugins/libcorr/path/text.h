/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - words and figures as people read them, the same in every table and view. */
#ifndef CORR_TEXT_H
#define CORR_TEXT_H

#include "path/result.h"

/* Three digits and the unit that fits: "204 µs", "1.20 ms", "-3.00 s", "0 s". */
void corr_text_time(int64_t ns, GString *text);

/* "1.20 ms ± 20.0 µs" */
void corr_text_latency(struct corr_latency latency, GString *text);

/* Three digits: "100 %", "99.2 %", "0.0120 %"; a share near 1 is never rounded up to it. */
void corr_text_ratio(double ratio, GString *text);

/* "tcp", "icmpv6", "ip-proto-89"; "level-2" for 0. */
void corr_text_proto(uint8_t proto, GString *text);

/* "Ethernet", "Linux cooked v2" ..., "link type 220". */
void corr_text_link(uint32_t link, GString *text);

/* Points in hop order, "client > lan > {wan, dmz}".  The packet is ordered. */
void corr_text_path(const struct corr_result *r, const struct corr_packet *p, GString *text);

/* "192.168.1.10:54321 > 198.51.100.5:80" as the frame shows it; nothing without addresses. */
void corr_text_ends(const struct corr_result *r, const struct corr_obs *obs, GString *text);

/* An endpoint (level-2 flows: a MAC address).  Echo: the side without identifier has no port. */
void corr_text_endpoint(const struct corr_endpoint *end, bool has_ports, uint8_t proto,
                        GString *text);

/* "retransmitted in frame 9", "frame 9 asks again": how a loss is proved.  There is evidence. */
void corr_text_evidence(const struct corr_result *r, uint32_t packet, GString *text);

/* Why the packet's fate is unknown: "tail", "not covered at server". */
void corr_text_reason(const struct corr_result *r, const struct corr_packet *p, GString *text);

#endif /* CORR_TEXT_H */
