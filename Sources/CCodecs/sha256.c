#define OPENSSL_SUPPRESS_DEPRECATED
#include "ccodecs.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(ccodecs_sha256), "SHA256_CTX outgrew its storage");

void ccodecs_sha256_init(ccodecs_sha256 *context) { SHA256_Init((SHA256_CTX *)context); }

void ccodecs_sha256_update(ccodecs_sha256 *context, const void *bytes, size_t count) {
    SHA256_Update((SHA256_CTX *)context, bytes, count);
}

void ccodecs_sha256_final(ccodecs_sha256 *context, uint8_t *digest) {
    SHA256_Final(digest, (SHA256_CTX *)context);
}
