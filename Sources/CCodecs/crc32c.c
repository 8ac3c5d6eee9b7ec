#include "ccodecs.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint32_t with_instruction(uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t state = crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        state = _mm_crc32_u64(state, word);
    }
    for (; n; p++, n--) state = _mm_crc32_u8((uint32_t)state, *p);
    return (uint32_t)state;
}
#endif

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n; p++, n--) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return crc;
}

uint32_t ccodecs_crc32c(uint32_t crc, const void *bytes, size_t count) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~with_instruction(~crc, bytes, count);
#endif
    return ~bit_by_bit(~crc, bytes, count);
}
