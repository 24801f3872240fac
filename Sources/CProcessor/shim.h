// Instructions of the processor that Swift has no name for. Everything is static inline: this module has no
// object file and calls nothing.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// Asks for the cache line that `place` lies in, without waiting for it; any address will do.
static inline void gcs_prefetch(const void *place) { __builtin_prefetch(place); }

/// Goes on with a CRC-32C by the processor's own instruction; only when gcs_has_crc32c() is not 0.
#if defined(__x86_64__)
#define GCS_CRC32C_TARGET __attribute__((target("sse4.2")))
#define GCS_CRC32C_WORD(crc, word) ((uint32_t)__builtin_ia32_crc32di(crc, word))
#define GCS_CRC32C_BYTE(crc, byte) __builtin_ia32_crc32qi(crc, byte)
static inline int gcs_has_crc32c(void) { return __builtin_cpu_supports("sse4.2") != 0; }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#define GCS_CRC32C_TARGET
#define GCS_CRC32C_WORD(crc, word) __builtin_arm_crc32cd(crc, word)
#define GCS_CRC32C_BYTE(crc, byte) __builtin_arm_crc32cb(crc, byte)
static inline int gcs_has_crc32c(void) { return 1; }
#else
#define GCS_CRC32C_TARGET
#define GCS_CRC32C_WORD(crc, word) (crc)
#define GCS_CRC32C_BYTE(crc, byte) (crc)
static inline int gcs_has_crc32c(void) { return 0; }
#endif

static inline uint64_t gcs_load_word(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

GCS_CRC32C_TARGET
static inline uint32_t gcs_crc32c_step(uint32_t crc, const unsigned char *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) crc = GCS_CRC32C_WORD(crc, gcs_load_word(bytes));
    for (; count > 0; bytes++, count--) crc = GCS_CRC32C_BYTE(crc, *bytes);
    return crc;
}

/// The same for three runs of `count` bytes, a multiple of 8, that follow each other: the instruction takes in a word
/// per cycle, and answers after three. Asks for the three that follow: often another processor has written them.
GCS_CRC32C_TARGET
static inline void gcs_crc32c_three(uint32_t crc[3], const unsigned char *bytes, size_t count) {
    uint32_t first = crc[0], second = crc[1], third = crc[2];
    const unsigned char *start = bytes;
    for (const unsigned char *end = bytes + count; bytes < end; bytes += 8) {
        if (((bytes - start) & 63) == 0) {
            __builtin_prefetch(bytes + 3 * count);
            __builtin_prefetch(bytes + 4 * count);
            __builtin_prefetch(bytes + 5 * count);
        }
        first = GCS_CRC32C_WORD(first, gcs_load_word(bytes));
        second = GCS_CRC32C_WORD(second, gcs_load_word(bytes + count));
        third = GCS_CRC32C_WORD(third, gcs_load_word(bytes + 2 * count));
    }
    crc[0] = first, crc[1] = second, crc[2] = third;
}
