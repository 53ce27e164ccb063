// The contract in short names: what most Functions need. The rest is in bindings/bindings.h.
//
// Calls that can fail return false and set *error, which the Function returns as it is. What the
// host hands out belongs to the Function: free it with the *_free of its type.
#ifndef SEALIFT_H
#define SEALIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindings.h"

typedef sealift_function_errors_error_t sealift_error_t;
typedef sealift_function_artifacts_header_t sealift_header_t;
typedef sealift_function_artifacts_own_body_t sealift_body_t;
typedef sealift_function_upstream_artifact_t sealift_artifact_t;
typedef sealift_function_downstream_own_outgoing_t sealift_outgoing_t;

// The text of a string that lives as long as `text` does.
bindings_string_t sealift_text(const char *text);

// Something outside failed. Returns false.
bool sealift_failed(sealift_error_t *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// A parameter is wrong, and the user must change it. Returns false.
bool sealift_invalid(sealift_error_t *error, const char *parameter, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Going on could store or restore damaged data. Returns false.
bool sealift_data_loss(sealift_error_t *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// A parameter as text; the descriptor's default is there already.
bool sealift_parameter(const char *name, bindings_string_t *value, sealift_error_t *error);

// A line for operators.
void sealift_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sealift_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The next artifact of the stage before; *more is false when that has succeeded and sends no more.
bool sealift_receive(sealift_artifact_t *artifact, bool *more, sealift_error_t *error);
// The next 1 to `most` bytes; *more is false at the end, which means that everything came.
bool sealift_read(sealift_body_t body, uint32_t most, bindings_list_u8_t *bytes, bool *more,
                  sealift_error_t *error);

// Begins an artifact; the one before must be finished.
bool sealift_send(const sealift_header_t *header, sealift_outgoing_t *outgoing,
                  sealift_error_t *error);
bool sealift_write(sealift_outgoing_t outgoing, const uint8_t *bytes, size_t length,
                   sealift_error_t *error);
// The host moves the whole body, which is used up.
bool sealift_forward(sealift_outgoing_t outgoing, sealift_body_t body, sealift_error_t *error);
// Ends the artifact. Only now it counts.
bool sealift_finish(sealift_outgoing_t outgoing, sealift_error_t *error);

#endif
