#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/names.h"

static int wrong;

static void becomes(const char *folder, const char *name, const char *expected) {
    size_t length = 0;
    uint8_t *found = placed((const uint8_t *)folder, strlen(folder), (const uint8_t *)name,
                            strlen(name), &length);
    if (found == NULL || length != strlen(expected) || memcmp(found, expected, length) != 0) {
        fprintf(stderr, "%s in %s becomes %.*s instead of %s\n", name, folder, (int)length,
                (const char *)found, expected);
        wrong++;
    }
    free(found);
}

int main(void) {
    becomes("", "a/b", "a/b");
    becomes("2026/", "a", "2026/a");
    becomes("/x//y", "a", "x/y/a");
    if (wrong == 0) puts("ok");
    return wrong != 0;
}
