#include "names.h"

#include <stdlib.h>
#include <string.h>

uint8_t *placed(const uint8_t *folder, size_t folder_length, const uint8_t *name,
                size_t name_length, size_t *length) {
    uint8_t *whole = malloc(folder_length + 1 + name_length + 1);
    if (whole == NULL) return NULL;
    size_t at = 0;
    for (size_t i = 0; i < folder_length; i++) {
        // Neither at the beginning nor twice.
        if (folder[i] == '/' && (at == 0 || whole[at - 1] == '/')) continue;
        whole[at++] = folder[i];
    }
    if (at > 0 && whole[at - 1] != '/') whole[at++] = '/';
    memcpy(whole + at, name, name_length);
    *length = at + name_length;
    return whole;
}
