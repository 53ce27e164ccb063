#include "sums.h"

#include <stdlib.h>

// Makes room for as many bytes more.
static bool grow(sums_t *sums, size_t more) {
    size_t needed = sums->length + more;
    if (needed <= sums->room) return true;
    size_t room = sums->room == 0 ? 4096 : sums->room;
    while (room < needed) room *= 2;
    uint8_t *bytes = realloc(sums->bytes, room);
    if (bytes == NULL) return false;
    sums->bytes = bytes;
    sums->room = room;
    return true;
}

bool sums_add(sums_t *sums, const uint8_t digest[SHA256_BYTES], const uint8_t *name, size_t length) {
    static const char digits[] = "0123456789abcdef";
    // At most: a mark, the digest, two blanks, every byte of the name escaped, the line's end.
    if (!grow(sums, 1 + 2 * SHA256_BYTES + 2 + 2 * length + 1)) return false;
    bool escaped = false;
    for (size_t i = 0; i < length; i++) escaped = escaped || name[i] == '\\';
    uint8_t *at = sums->bytes + sums->length;
    // A line that begins with a backslash has each of those in the name twice.
    if (escaped) *at++ = '\\';
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        *at++ = (uint8_t)digits[digest[i] >> 4];
        *at++ = (uint8_t)digits[digest[i] & 15];
    }
    *at++ = ' ';
    *at++ = ' ';
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '\\') *at++ = '\\';
        *at++ = name[i];
    }
    *at++ = '\n';
    sums->length = (size_t)(at - sums->bytes);
    return true;
}
