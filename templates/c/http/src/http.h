// Requests to the names that the plan binds, such as `target`. The host connects, does TLS and adds
// the credential; bodies stay on its side.
#ifndef HTTP_H
#define HTTP_H

#include "sealift.h"

typedef struct {
    uint16_t status;
    // The bytes the other side announced.
    bool has_size;
    uint64_t size;
    sealift_body_t body;
} sealift_answer_t;

// Sends a request and waits for the head of the answer, whatever its status. `method` is one of
// WASI_HTTP_TYPES_METHOD_*. `body` may be NULL, and is used up.
bool sealift_request(uint8_t method, const char *name, bindings_string_t path, sealift_body_t *body,
                     sealift_answer_t *answer, sealift_error_t *error);

// What an answer of the wrong status means for the session; its body is used up. Returns false.
bool sealift_refused(sealift_answer_t *answer, const char *what, sealift_error_t *error);

#endif
