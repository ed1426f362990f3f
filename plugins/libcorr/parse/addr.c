/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr.c - addresses as text, their order and their scopes.
 */
#include "parse/parse.h"

#include <string.h>

static char *put_decimal(char *text, unsigned value)
{
    if (value >= 100)
        *text++ = (char)('0' + value / 100);
    if (value >= 10)
        *text++ = (char)('0' + value / 10 % 10);
    *text++ = (char)('0' + value % 10);
    return text;
}

static char *put_hex(char *text, unsigned value)
{
    static const char digits[] = "0123456789abcdef";
    int shift = 12;

    while (shift > 0 && (value >> shift) == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *text++ = digits[value >> shift & 15];
    return text;
}

static char *put_ip4(char *text, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *text++ = '.';
        text = put_decimal(text, bytes[i]);
    }
    return text;
}

/* RFC 5952, section 4: the longest run of two or more zero groups, the first of equals, is "::". */
static char *put_ip6(char *text, const uint8_t *bytes)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned group[8];
    int best = -1, best_len = 1;

    if (memcmp(bytes, mapped, sizeof mapped) == 0) { /* section 5 */
        memcpy(text, "::ffff:", 7);
        return put_ip4(text + 7, bytes + 12);
    }
    for (int i = 0; i < 8; i++)
        group[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    for (int i = 0; i < 8; i++) {
        int run = 0;

        while (i + run < 8 && group[i + run] == 0)
            run++;
        if (run > best_len) {
            best = i;
            best_len = run;
        }
        i += run;
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            *text++ = ':';
            *text++ = ':';
            i += best_len - 1;
            continue;
        }
        if (i > 0 && (best < 0 || i != best + best_len))
            *text++ = ':';
        text = put_hex(text, group[i]);
    }
    return text;
}

const char *corr_addr_text(const struct corr_addr *addr, char *text)
{
    char *end = text;

    if (addr->len == 4)
        end = put_ip4(text, addr->bytes);
    else if (addr->len == 16)
        end = put_ip6(text, addr->bytes);
    else
        *end++ = '-';
    *end = '\0';
    return text;
}

bool corr_addr_equal(const struct corr_addr *a, const struct corr_addr *b)
{
    return corr_addr_compare(a, b) == 0;
}

int corr_addr_compare(const struct corr_addr *a, const struct corr_addr *b)
{
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return memcmp(a->bytes, b->bytes, a->len);
}

bool corr_addr_is_multicast(const struct corr_addr *addr)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};

    if (addr->len == 4)
        return addr->bytes[0] >> 4 == 14 || memcmp(addr->bytes, broadcast, 4) == 0;
    return addr->len == 16 && addr->bytes[0] == 0xff;
}

bool corr_addr_is_link_local(const struct corr_addr *addr)
{
    static const uint8_t unspecified[16];

    if (addr->len != 0 && memcmp(addr->bytes, unspecified, addr->len) == 0)
        return true;
    if (addr->len == 4)
        return addr->bytes[0] == 169 && addr->bytes[1] == 254;
    return addr->len == 16 && addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}
