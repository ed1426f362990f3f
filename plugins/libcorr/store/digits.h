/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * digits.h - numbers into texts, without printf.
 *
 * Times, addresses and ports make most of what a frame's details say; a format is
 * read, checked and copied anew each time, which takes longer than all the rest.
 */
#ifndef CORR_DIGITS_H
#define CORR_DIGITS_H

#include <glib.h>
#include <stdint.h>

/* Appends at least `least` digits (at most 20), with leading zeros. */
static inline void corr_text_digits(GString *text, uint64_t value, unsigned least)
{
    char digits[20];
    unsigned n = 0;

    do {
        digits[sizeof digits - ++n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || n < least);
    g_string_append_len(text, &digits[sizeof digits - n], n);
}

#endif /* CORR_DIGITS_H */
