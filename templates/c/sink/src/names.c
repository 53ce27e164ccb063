#include "names.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_plain(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

// Adds the parts of a path, each with a slash before it.
static size_t add(uint8_t *at, const uint8_t *parts, size_t length) {
    static const char digits[] = "0123456789ABCDEF";
    uint8_t *start = at;
    bool begins = true;
    for (size_t i = 0; i < length; i++) {
        if (parts[i] == '/') {
            begins = true;
            continue;
        }
        if (begins) *at++ = '/';
        begins = false;
        if (is_plain(parts[i])) {
            *at++ = parts[i];
        } else {
            *at++ = '%';
            *at++ = (uint8_t)digits[parts[i] >> 4];
            *at++ = (uint8_t)digits[parts[i] & 15];
        }
    }
    return (size_t)(at - start);
}

uint8_t *path_of(const uint8_t *folder, size_t folder_length, const uint8_t *name,
                 size_t name_length, size_t *length) {
    // At most a slash and three characters for every byte.
    uint8_t *path = malloc(4 * (folder_length + name_length) + 1);
    if (path == NULL) return NULL;
    *length = add(path, folder, folder_length);
    *length += add(path + *length, name, name_length);
    return path;
}
