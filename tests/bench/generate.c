/* SPDX-License-Identifier: GPL-2.0-or-later */
/* generate - writes a capture of one path, seen at several points, as pcapng. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traffic.h"

static const char usage_text[] =
    "usage: generate [OPTION...] FILE\n"
    "\n"
    "Writes a pcapng file of frames at several capture points on one path, with source NAT\n"
    "between points 2 and 3.  The same options make the same bytes.  FILE \"-\" is the standard\n"
    "output.\n"
    "\n"
    "  --frames N    how many frames; default 1000000\n"
    "  --points K    how many capture points; default 3\n"
    "  --size BYTES  largest frame; default 1514, about 1 kB on average\n"
    "  --snaplen N   bytes kept of a frame; default all\n"
    "  --shape WORD  what is sent; default mixed\n";

#define TRAFFIC_ROW(id, word, meaning) {word, meaning},
static const char *const shape_help[][2] = {TRAFFIC_SHAPES(TRAFFIC_ROW)};
#undef TRAFFIC_ROW

static void usage(FILE *out)
{
    fputs(usage_text, out);
    for (unsigned i = 0; i < TRAFFIC_SHAPE_COUNT; i++)
        fprintf(out, "                  %-7s %s\n", shape_help[i][0], shape_help[i][1]);
    fputs("\nExample:\n  generate --frames 10000 --points 4 --snaplen 128 four.pcapng\n", out);
}

static void put(FILE *out, const void *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, out) != len) {
        perror("generate");
        exit(1);
    }
}

static void put32(FILE *out, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                              (uint8_t)(value >> 24)};

    put(out, bytes, 4);
}

/* Draft-ietf-opsawg-pcapng, sections 4.1 and 4.2; nanoseconds (if_tsresol 9). */
static void headers_write(FILE *out, unsigned points, unsigned snaplen)
{
    static const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX, 28};

    for (unsigned i = 0; i < sizeof section / sizeof *section; i++)
        put32(out, section[i]);
    for (unsigned p = 1; p <= points; p++) {
        char name[8] = "";

        snprintf(name, sizeof name, "p%u", p);
        put32(out, 1);
        put32(out, 16 + 4 + 8 + 8 + 4 + 4 - 4);
        put32(out, 1); /* Ethernet */
        put32(out, snaplen);
        put32(out, 2 | (uint32_t)strlen(name) << 16);
        put(out, name, 4);
        put32(out, 9 | 1 << 16);
        put32(out, 9);
        put32(out, 0);
        put32(out, 16 + 4 + 8 + 8 + 4 + 4 - 4);
    }
}

static void frame_put(FILE *out, const struct traffic_frame *frame, const uint8_t *bytes)
{
    static const uint8_t none[4];
    uint32_t pad = -frame->cap_len & 3, len = 32 + frame->cap_len + pad;

    put32(out, 6);
    put32(out, len);
    put32(out, frame->point);
    put32(out, (uint32_t)((uint64_t)frame->time_ns >> 32));
    put32(out, (uint32_t)frame->time_ns);
    put32(out, frame->cap_len);
    put32(out, frame->wire_len);
    put(out, bytes, frame->cap_len);
    put(out, none, pad);
    put32(out, len);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"frames", required_argument, NULL, 'f'},  {"points", required_argument, NULL, 'p'},
        {"size", required_argument, NULL, 's'},    {"snaplen", required_argument, NULL, 'n'},
        {"shape", required_argument, NULL, 'a'},   {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct traffic_options options = {TRAFFIC_MIXED, 3, 1514, 0};
    uint64_t frames = 1000000;
    static uint8_t bytes[TRAFFIC_FRAME_MAX];
    struct traffic *traffic;
    FILE *out = stdout;
    int option;

    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
        switch (option) {
        case 'f':
            frames = traffic_number("--frames", optarg, UINT32_MAX);
            break;
        case 'p':
            options.points = (unsigned)traffic_number("--points", optarg, 999);
            break;
        case 's':
            options.size = (unsigned)traffic_number("--size", optarg, TRAFFIC_FRAME_MAX);
            break;
        case 'n':
            options.snaplen = (unsigned)traffic_number("--snaplen", optarg, TRAFFIC_FRAME_MAX);
            break;
        case 'a':
            options.shape = traffic_shape_find(optarg);
            if (options.shape != TRAFFIC_SHAPE_COUNT)
                break;
            fprintf(stderr, "generate: no shape \"%s\"\n", optarg);
            return 2;
        case 'h':
            usage(stdout);
            return 0;
        default:
            return 2;
        }
    if (optind + 1 != argc || options.size < TRAFFIC_FRAME_MIN) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[optind], "-") != 0 && (out = fopen(argv[optind], "wb")) == NULL) {
        perror(argv[optind]);
        return 1;
    }
    setvbuf(out, NULL, _IOFBF, 1 << 20);
    headers_write(out, options.points, options.snaplen);
    traffic = traffic_new(&options);
    for (uint64_t i = 0; i < frames; i++) {
        struct traffic_frame frame;

        traffic_next(traffic, &frame, bytes);
        frame_put(out, &frame, bytes);
    }
    traffic_free(traffic);
    if (fclose(out) != 0) {
        perror("generate");
        return 1;
    }
    return 0;
}
