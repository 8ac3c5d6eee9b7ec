#include "ccodecs.h"

#include <zlib.h>

// gzip's CRC-32. Carry-less multiplication folds 64 bytes at a time (Gopal and others, "Fast CRC Computation for
// Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, whose constants these are); zlib does the rest.

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("pclmul,sse4.1"))) static __m128i folded(__m128i value, __m128i by, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(value, by, 0x00), high = _mm_clmulepi64_si128(value, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/// Of `count` bytes, a multiple of 16 and at least 64. `crc` and the result are inverted.
__attribute__((target("pclmul,sse4.1"))) static uint32_t by_folding(uint32_t crc, const uint8_t *p, size_t count) {
    const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i by_8 = _mm_set_epi64x(0, 0x163cd6124), barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    const __m128i word = _mm_setr_epi32(-1, 0, -1, 0);
#define AT(n) _mm_loadu_si128((const __m128i *)(p + 16 * (n)))
    __m128i a = _mm_xor_si128(AT(0), _mm_cvtsi32_si128((int)crc)), b = AT(1), c = AT(2), d = AT(3);
    for (p += 64, count -= 64; count >= 64; p += 64, count -= 64)
        a = folded(a, by_64, AT(0)), b = folded(b, by_64, AT(1)), c = folded(c, by_64, AT(2)),
        d = folded(d, by_64, AT(3));
    a = folded(a, by_16, b), a = folded(a, by_16, c), a = folded(a, by_16, d);
    for (; count >= 16; p += 16, count -= 16) a = folded(a, by_16, AT(0));
#undef AT
    // 128 bits to 96, to 64, to 32.
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by_16, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, word), by_8, 0x00));
    __m128i t = _mm_clmulepi64_si128(_mm_and_si128(a, word), barrett, 0x10);
    t = _mm_clmulepi64_si128(_mm_and_si128(t, word), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, t), 1);
}
#endif

uint32_t ccodecs_crc32(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
#if defined(__x86_64__)
    if (count >= 64 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
        size_t whole = count & ~(size_t)15;
        crc = ~by_folding(~crc, p, whole);
        p += whole, count -= whole;
    }
#endif
    return (uint32_t)crc32_z(crc, p, count);
}
