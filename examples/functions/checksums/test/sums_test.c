// The logic, compared with the examples of FIPS 180-4 and the form of coreutils.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/sha256.h"
#include "../src/sums.h"

static int wrong;

static void same(const char *what, const char *found, const char *expected) {
    if (strcmp(found, expected) == 0) return;
    fprintf(stderr, "%s: %s instead of %s\n", what, found, expected);
    wrong++;
}

static void digest_is(const char *text, size_t times, size_t step, const char *expected) {
    sha256_t hash;
    uint8_t digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    size_t length = strlen(text);
    sha256_begin(&hash);
    for (size_t i = 0; i < times; i++) {
        for (size_t at = 0; at < length; at += step) {
            size_t part = length - at < step ? length - at : step;
            sha256_update(&hash, (const uint8_t *)text + at, part);
        }
    }
    sha256_finish(&hash, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++) sprintf(hex + 2 * i, "%02x", digest[i]);
    same(text, hex, expected);
}

static void a_digest_is_that_of_the_standard(void) {
    const char *alphabet = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (size_t step = 1; step < 70; step += 7) {
        digest_is("abc", 1, step, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        digest_is(alphabet, 1, step, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    digest_is("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_is("aaaaaaaaaa", 100000, 10, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void a_line_is_what_sha256sum_reads(void) {
    sums_t sums = {0};
    uint8_t digest[SHA256_BYTES] = {0x0f, 0xa0};
    if (!sums_add(&sums, digest, (const uint8_t *)"a b", 3)) abort();
    if (!sums_add(&sums, digest, (const uint8_t *)"c\\d", 3)) abort();
    char text[400] = {0};
    memcpy(text, sums.bytes, sums.length < sizeof text ? sums.length : sizeof text - 1);
    same("lines", text,
         "0fa0000000000000000000000000000000000000000000000000000000000000  a b\n"
         "\\0fa0000000000000000000000000000000000000000000000000000000000000  c\\\\d\n");
    free(sums.bytes);
}

int main(void) {
    a_digest_is_that_of_the_standard();
    a_line_is_what_sha256sum_reads();
    if (wrong == 0) puts("ok");
    return wrong != 0;
}
