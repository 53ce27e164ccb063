#include <stdio.h>
#include <string.h>

#include "../src/names.h"

static int wrong;

static void becomes(const char *path, const char *expected) {
    size_t length = 0;
    const uint8_t *found = artifact_name((const uint8_t *)path, strlen(path), &length);
    if (length != strlen(expected) || memcmp(found, expected, length) != 0) {
        fprintf(stderr, "%s becomes %.*s instead of %s\n", path, (int)length, (const char *)found,
                expected);
        wrong++;
    }
}

int main(void) {
    becomes("/v1/export.json?pretty", "export.json");
    becomes("/a/b/", "b");
    becomes("/", "export");
    if (wrong == 0) puts("ok");
    return wrong != 0;
}
