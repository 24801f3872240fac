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
__attribute__((target("sse4.2")))
static inline uint32_t gcs_crc32c_step(uint32_t crc, const unsigned char *bytes, size_t count) {
    uint64_t wide = crc;
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; count > 0; bytes++, count--) crc = __builtin_ia32_crc32qi(crc, *bytes);
    return crc;
}
static inline int gcs_has_crc32c(void) { return __builtin_cpu_supports("sse4.2") != 0; }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
static inline uint32_t gcs_crc32c_step(uint32_t crc, const unsigned char *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __builtin_arm_crc32cd(crc, word);
    }
    for (; count > 0; bytes++, count--) crc = __builtin_arm_crc32cb(crc, *bytes);
    return crc;
}
static inline int gcs_has_crc32c(void) { return 1; }
#else
static inline uint32_t gcs_crc32c_step(uint32_t crc, const unsigned char *bytes, size_t count) {
    (void)bytes;
    (void)count;
    return crc;
}
static inline int gcs_has_crc32c(void) { return 0; }
#endif
