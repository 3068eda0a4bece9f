/* hash - SHA-256, HMAC and random bytes, by libcrypto */
#include "hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

void to_hex(const unsigned char *bytes, size_t count, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[2 * count] = '\0';
}

void sha256_hex(struct str data, char hex[SHA256_HEX + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	EVP_Digest(data.data, data.len, sum, &len, EVP_sha256(), NULL);
	to_hex(sum, SHA256_BYTES, hex);
}

void md5_hex(struct str data, char hex[MD5_HEX + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE] = { 0 };
	unsigned len = 0;

	EVP_Digest(data.data, data.len, sum, &len, EVP_md5(), NULL);
	to_hex(sum, MD5_BYTES, hex);
}

void hmac_sha256(struct str key, struct str text, unsigned char out[SHA256_BYTES])
{
	unsigned n = SHA256_BYTES;

	HMAC(EVP_sha256(), key.data, (int)key.len, (const unsigned char *)text.data, text.len, out,
	     &n);
}

void random_bytes(unsigned char *bytes, size_t count)
{
	if (RAND_bytes(bytes, (int)count) != 1)
		abort(); /* names that nobody else has are made of them */
}

/* A struct hash is libcrypto's context. */
struct hash *hash_new(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	EVP_DigestInit_ex(c, EVP_sha256(), NULL);
	return (struct hash *)(void *)c;
}

void hash_add(struct hash *h, struct str piece)
{
	EVP_DigestUpdate((EVP_MD_CTX *)(void *)h, piece.data, piece.len);
}

void hash_hex(struct hash *h, char hex[SHA256_HEX + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	EVP_DigestFinal_ex((EVP_MD_CTX *)(void *)h, sum, NULL);
	to_hex(sum, SHA256_BYTES, hex);
}

void hash_free(struct hash *h)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)(void *)h);
}
