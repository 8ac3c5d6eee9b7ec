// Codecs of the ecosystem's formats: gzip, zstd, SHA-256.
#pragma once

#include <libdeflate.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

/// SHA-256 by libcrypto's assembly, which picks the CPU's SHA instructions by itself. The low-level
/// functions, because EVP costs an allocation and a fetch per digest, which 48,000 small files feel.
typedef struct {
    uint64_t state[16];  // at least sizeof(SHA256_CTX), checked in sha256.c
} ccodecs_sha256;

void ccodecs_sha256_init(ccodecs_sha256 *_Nonnull context);
void ccodecs_sha256_update(ccodecs_sha256 *_Nonnull context, const void *_Nullable bytes, size_t count);
/// Writes 32 bytes to `digest`.
void ccodecs_sha256_final(ccodecs_sha256 *_Nonnull context, uint8_t *_Nonnull digest);

/// Bytes in a block of `ccodecs_sha256_blocks`.
#define CCODECS_BLOCK_SIZE 4096

/// The SHA-256 of each of `count` blocks that lie back to back: 32 bytes each to `digests`. Many at a time where
/// the CPU has vectors but no instructions for SHA.
void ccodecs_sha256_blocks(const uint8_t *_Nonnull blocks, size_t count, uint8_t *_Nonnull digests);

/// CRC-32C (Castagnoli) of `bytes`, continuing `crc`; 0 to start. With the CPU's instruction where it has it.
uint32_t ccodecs_crc32c(uint32_t crc, const void *_Nullable bytes, size_t count);

/// inflateInit2 and deflateInit2 are macros.
int ccodecs_inflate_init(z_stream *_Nonnull stream, int window_bits);
int ccodecs_deflate_init(z_stream *_Nonnull stream, int level, int window_bits);
