/* hash.h - SHA-256, HMAC, MD5 (of which S3 makes ETags) and random bytes; hash.c alone
 * includes libcrypto. */
#ifndef STARPIPE_HASH_H
#define STARPIPE_HASH_H

#include "str.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 64, MD5_BYTES = 16, MD5_HEX = 32 };

void to_hex(const unsigned char *bytes, size_t count, char *hex); /* adds a NUL */
void sha256_hex(struct str data, char hex[SHA256_HEX + 1]);
void md5_hex(struct str data, char hex[MD5_HEX + 1]); /* all 0 where a policy forbids MD5 */
void hmac_sha256(struct str key, struct str text, unsigned char out[SHA256_BYTES]);
void random_bytes(unsigned char *bytes, size_t count);

/* A hash over pieces. NULL is no hash: it can be freed. */
struct hash;
struct hash *hash_new(void);
void hash_add(struct hash *h, struct str piece);
void hash_hex(struct hash *h, char hex[SHA256_HEX + 1]); /* once, at the end */
void hash_free(struct hash *h);

#endif
