#include "names.h"

#include <string.h>

const uint8_t *artifact_name(const uint8_t *path, size_t path_length, size_t *length) {
    static const char otherwise[] = "export";
    size_t end = 0;
    while (end < path_length && path[end] != '?') end++;
    while (end > 0 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    if (start == end) {
        *length = strlen(otherwise);
        return (const uint8_t *)otherwise;
    }
    *length = end - start;
    return path + start;
}
