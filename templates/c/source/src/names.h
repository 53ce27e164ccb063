// The logic that needs no host, and is tested without one.
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>

// The last part of a path, as the name of an artifact: a part of `path`, or a constant.
const uint8_t *artifact_name(const uint8_t *path, size_t path_length, size_t *length);

#endif
