/* sigv4_test - AWS's published vectors, and what stands around signing */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "awsconf.h"
#include "hash.h"
#include "retry.h"
#include "sigv4.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PAIR(n, v) { { n, sizeof(n) - 1 }, { v, sizeof(v) - 1 } }

static void expect_signature(const struct sigv4 *s, const char *signature)
{
	struct buf b = { 0 };

	sigv4_authorization(s, &b);
	assert_non_null(strstr(b.data, "Signature="));
	assert_string_equal(strstr(b.data, "Signature=") + 10, signature);
	buf_release(&b);
}

/* The examples of S3's manual, "Authenticating Requests: Using the Authorization Header". */
static struct sigv4 s3_example(const char *method, const char *path, const struct sigv4_pair *h,
			       size_t n)
{
	return (struct sigv4){ .method = method,
			       .path = str_of(path),
			       .headers = h,
			       .header_count = n,
			       .payload = STR(EMPTY),
			       .region = "us-east-1",
			       .service = "s3",
			       .access_key = "AKIAIOSFODNN7EXAMPLE",
			       .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			       .time = "20130524T000000Z" };
}

#define S3_HEADERS \
	PAIR("host", "examplebucket.s3.amazonaws.com"), PAIR("x-amz-date", "20130524T000000Z")

static void get_object_with_a_range(void **state)
{
	const struct sigv4_pair h[] = { S3_HEADERS, PAIR("range", "bytes=0-9"),
					PAIR("x-amz-content-sha256", EMPTY) };
	struct sigv4 s = s3_example("GET", "/test.txt", h, 4);

	(void)state;
	expect_signature(&s, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void put_object_with_a_dollar_sign(void **state)
{
	char hash[SHA256_HEX + 1];
	struct sigv4_pair h[] = { S3_HEADERS, PAIR("date", "Fri, 24 May 2013 00:00:00 GMT"),
				  PAIR("x-amz-storage-class", "REDUCED_REDUNDANCY"),
				  PAIR("x-amz-content-sha256", "") };
	struct sigv4 s = s3_example("PUT", "/test$file.text", h, 5);

	(void)state;
	sha256_hex(STR("Welcome to Amazon S3."), hash);
	h[4].value = s.payload = str_of(hash);
	expect_signature(&s, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void query_without_a_value(void **state)
{
	const struct sigv4_pair h[] = { S3_HEADERS, PAIR("x-amz-content-sha256", EMPTY) };
	const struct sigv4_pair q[] = { PAIR("lifecycle", "") };
	struct sigv4 s = s3_example("GET", "/", h, 3);

	(void)state;
	s.query = q;
	s.query_count = 1;
	expect_signature(&s, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void list_objects(void **state)
{
	const struct sigv4_pair h[] = { S3_HEADERS, PAIR("x-amz-content-sha256", EMPTY) };
	const struct sigv4_pair q[] = { PAIR("prefix", "J"), PAIR("max-keys", "2") };
	struct sigv4 s = s3_example("GET", "/", h, 3);

	(void)state;
	s.query = q;
	s.query_count = 2;
	expect_signature(&s, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* aws-sig-v4-test-suite */
static struct sigv4 suite(const char *method, const char *path, const struct sigv4_pair *q,
			  size_t n)
{
	static const struct sigv4_pair h[] = { PAIR("host", "example.amazonaws.com"),
					       PAIR("x-amz-date", "20150830T123600Z") };

	return (struct sigv4){ .method = method,
			       .path = str_of(path),
			       .query = q,
			       .query_count = n,
			       .headers = h,
			       .header_count = 2,
			       .payload = STR(EMPTY),
			       .region = "us-east-1",
			       .service = "service",
			       .access_key = "AKIDEXAMPLE",
			       .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
			       .time = "20150830T123600Z" };
}

static void get_vanilla(void **state)
{
	struct sigv4 s = suite("GET", "/", NULL, 0);

	(void)state;
	expect_signature(&s, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void post_vanilla(void **state)
{
	struct sigv4 s = suite("POST", "/", NULL, 0);

	(void)state;
	expect_signature(&s, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

static void get_utf8(void **state)
{
	struct sigv4 s = suite("GET", "/\xe1\x88\xb4", NULL, 0);

	(void)state;
	expect_signature(&s, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
}

/* get-header-value-trim */
static void values_of_headers_are_trimmed(void **state)
{
	static const struct sigv4_pair h[] = { PAIR("host", "example.amazonaws.com"),
					       PAIR("x-amz-date", "20150830T123600Z"),
					       PAIR("my-header1", " value1"),
					       PAIR("my-header2", " \"a   b   c\"") };
	struct sigv4 s = suite("GET", "/", NULL, 0);

	(void)state;
	s.headers = h;
	s.header_count = 4;
	expect_signature(&s, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static void query_parameters_are_sorted(void **state)
{
	const struct sigv4_pair q[] = { PAIR("Param2", "value2"), PAIR("Param1", "value1") };
	struct sigv4 s = suite("GET", "/", q, 2);

	(void)state;
	expect_signature(&s, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

static void every_byte_of_a_key_is_encoded_once(void **state)
{
	struct buf b = { 0 };

	(void)state;
	sigv4_encode(&b, STR("a b/+=%&~*'()\xc3\xbc"), true);
	assert_string_equal(b.data, "a%20b/%2B%3D%25%26~%2A%27%28%29%C3%BC");
	buf_release(&b);
}

static void waits_grow_and_stay_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		unsigned least = retry_delay_ms(i, 0), most = retry_delay_ms(i, 0.999999);

		assert_true(least >= 50 && least <= most && most <= 10000);
		assert_true(i == 0 || retry_delay_ms(i - 1, 0.5) <= retry_delay_ms(i, 0.5));
	}
}

static void profiles_are_read_by_section_and_key(void **state)
{
	const char *text =
		"# mine\n[default]\naws_access_key_id = A1\n\n[profile x]\nregion=eu-west-1\r\n"
		"s3 =\n  region = nested\n[default2]\naws_access_key_id=A2\n";
	char *v;

	(void)state;
	v = awsconf_value(text, "default", "aws_access_key_id");
	assert_string_equal(v, "A1");
	free(v);
	v = awsconf_value(text, "profile x", "region");
	assert_string_equal(v, "eu-west-1");
	free(v);
	assert_null(awsconf_value(text, "default", "region"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_object_with_a_range),
		cmocka_unit_test(put_object_with_a_dollar_sign),
		cmocka_unit_test(query_without_a_value),
		cmocka_unit_test(list_objects),
		cmocka_unit_test(get_vanilla),
		cmocka_unit_test(post_vanilla),
		cmocka_unit_test(get_utf8),
		cmocka_unit_test(values_of_headers_are_trimmed),
		cmocka_unit_test(query_parameters_are_sorted),
		cmocka_unit_test(every_byte_of_a_key_is_encoded_once),
		cmocka_unit_test(waits_grow_and_stay_bounded),
		cmocka_unit_test(profiles_are_read_by_section_and_key),
	};

	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
