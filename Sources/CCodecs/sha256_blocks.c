#define OPENSSL_SUPPRESS_DEPRECATED
#include "ccodecs.h"

#include <openssl/sha.h>
#include <string.h>

// SHA-256 (FIPS 180-4) of many blocks of one size. Within one message each step waits for the one before; between
// messages nothing does, so a vector register takes one word of each of 8 or 16 messages.

enum { block_size = CCODECS_BLOCK_SIZE, piece_size = 64 };

static void one_by_one(const uint8_t *blocks, size_t count, uint8_t *digests) {
    for (; count; count--, blocks += block_size, digests += SHA256_DIGEST_LENGTH)
        SHA256(blocks, block_size, digests);
}

#if defined(__x86_64__)
#include <cpuid.h>

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t start[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

// What follows the bytes of every block: a one, zeros, and the number of bits.
static const uint8_t padding[piece_size] = {[0] = 0x80, [62] = block_size * 8 >> 8};

#define ROTATED(x, n) ((x) >> (n) | (x) << (32 - (n)))

/// Defines `name`, which hashes `lanes` blocks at once.
#define DEFINE_LANES(name, lanes, instructions)                                                              \
    typedef uint32_t name##_words __attribute__((vector_size(4 * lanes)));                                   \
    __attribute__((target(instructions))) static void name##_piece(                                          \
        name##_words *hash, const uint8_t *bytes, size_t stride) {                                           \
        name##_words w[16];                                                                                  \
        for (int t = 0; t < 16; t++)                                                                         \
            for (int lane = 0; lane < lanes; lane++) {                                                       \
                uint32_t word;                                                                               \
                memcpy(&word, bytes + (size_t)lane * stride + 4 * t, 4);                                     \
                w[t][lane] = __builtin_bswap32(word);                                                        \
            }                                                                                                \
        name##_words a = hash[0], b = hash[1], c = hash[2], d = hash[3];                                     \
        name##_words e = hash[4], f = hash[5], g = hash[6], h = hash[7];                                     \
        _Pragma("clang loop unroll(full)") for (int t = 0; t < 64; t++) {                                    \
            if (t >= 16) {                                                                                   \
                name##_words x = w[(t - 15) & 15], y = w[(t - 2) & 15];                                      \
                w[t & 15] += (ROTATED(x, 7) ^ ROTATED(x, 18) ^ x >> 3) + w[(t - 7) & 15] +                   \
                             (ROTATED(y, 17) ^ ROTATED(y, 19) ^ y >> 10);                                    \
            }                                                                                                \
            name##_words one = h + (ROTATED(e, 6) ^ ROTATED(e, 11) ^ ROTATED(e, 25)) + (g ^ (e & (f ^ g))) + \
                               round_constants[t] + w[t & 15];                                               \
            name##_words two =                                                                               \
                (ROTATED(a, 2) ^ ROTATED(a, 13) ^ ROTATED(a, 22)) + ((a & b) | (c & (a | b)));               \
            h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;                            \
        }                                                                                                    \
        hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d;                                              \
        hash[4] += e, hash[5] += f, hash[6] += g, hash[7] += h;                                              \
    }                                                                                                        \
    __attribute__((target(instructions))) static void name(const uint8_t *blocks, uint8_t *digests) {        \
        name##_words hash[8];                                                                                \
        for (int i = 0; i < 8; i++) hash[i] = (name##_words){} + start[i];                                   \
        for (size_t at = 0; at < block_size; at += piece_size) name##_piece(hash, blocks + at, block_size);  \
        name##_piece(hash, padding, 0);                                                                      \
        for (int lane = 0; lane < lanes; lane++)                                                             \
            for (int i = 0; i < 8; i++) {                                                                    \
                uint32_t word = __builtin_bswap32(hash[i][lane]);                                            \
                memcpy(digests + (size_t)(8 * lane + i) * 4, &word, 4);                                      \
            }                                                                                                \
    }

DEFINE_LANES(eight, 8, "avx2")
DEFINE_LANES(sixteen, 16, "avx512f,avx512bw,avx512vl")

static int has_sha_instructions(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA;
}

void ccodecs_sha256_blocks(const uint8_t *blocks, size_t count, uint8_t *digests) {
    // With instructions for it, one message at a time is as fast.
    size_t lanes = 0;
    if (!has_sha_instructions()) {
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) lanes = 16;
        else if (__builtin_cpu_supports("avx2")) lanes = 8;
    }
    for (; lanes && count >= lanes;
         count -= lanes, blocks += lanes * block_size, digests += lanes * SHA256_DIGEST_LENGTH) {
        if (lanes == 16) sixteen(blocks, digests);
        else eight(blocks, digests);
    }
    if (lanes && count > lanes / 4) {
        // Half empty still pays.
        uint8_t rest[16 * block_size], hashed[16 * SHA256_DIGEST_LENGTH];
        memcpy(rest, blocks, count * block_size);
        memset(rest + count * block_size, 0, (lanes - count) * block_size);
        if (lanes == 16) sixteen(rest, hashed);
        else eight(rest, hashed);
        memcpy(digests, hashed, count * SHA256_DIGEST_LENGTH);
    } else {
        one_by_one(blocks, count, digests);
    }
}

#else

void ccodecs_sha256_blocks(const uint8_t *blocks, size_t count, uint8_t *digests) {
    one_by_one(blocks, count, digests);
}

#endif
