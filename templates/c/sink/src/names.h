// The logic that needs no host, and is tested without one.
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>

// The path an artifact goes to, in new memory; NULL = there is none.
uint8_t *path_of(const uint8_t *folder, size_t folder_length, const uint8_t *name,
                 size_t name_length, size_t *length);

#endif
