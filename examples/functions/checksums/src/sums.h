// The list that `sha256sum -c` reads, while it grows.
#ifndef SUMS_H
#define SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"

typedef struct {
    uint8_t *bytes;
    size_t length;
    size_t room;
} sums_t;

// Adds a line; false = there is no memory.
bool sums_add(sums_t *sums, const uint8_t digest[SHA256_BYTES], const uint8_t *name, size_t length);

#endif
