#include "sealift.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The bindings want an object file with the component's type linked in. `sealift function build`
// puts the type into the finished module instead.
void __component_type_object_force_link_bindings(void);
void __component_type_object_force_link_bindings(void) {}

// The host cuts texts of errors; longer ones help nobody.
enum { MOST_TEXT = 1000 };

bindings_string_t sealift_text(const char *text) {
    return (bindings_string_t){(uint8_t *)text, strlen(text)};
}

static void print(bindings_string_t *into, const char *format, va_list arguments) {
    char text[MOST_TEXT];
    vsnprintf(text, sizeof text, format, arguments);
    bindings_string_dup(into, text);
}

bool sealift_failed(sealift_error_t *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    error->tag = SEALIFT_FUNCTION_ERRORS_ERROR_EXTERNAL_FAILED;
    print(&error->val.external_failed, format, arguments);
    va_end(arguments);
    return false;
}

bool sealift_invalid(sealift_error_t *error, const char *parameter, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    error->tag = SEALIFT_FUNCTION_ERRORS_ERROR_INVALID_PARAMETER;
    char field[MOST_TEXT];
    snprintf(field, sizeof field, "/%s", parameter);
    bindings_string_dup(&error->val.invalid_parameter.field, field);
    print(&error->val.invalid_parameter.message, format, arguments);
    va_end(arguments);
    return false;
}

bool sealift_data_loss(sealift_error_t *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    error->tag = SEALIFT_FUNCTION_ERRORS_ERROR_DATA_LOSS_RISK;
    print(&error->val.data_loss_risk, format, arguments);
    va_end(arguments);
    return false;
}

bool sealift_parameter(const char *name, bindings_string_t *value, sealift_error_t *error) {
    bindings_string_t text = sealift_text(name);
    bindings_option_string_t found;
    if (!sealift_function_parameters_text(&text, &found, error)) return false;
    if (!found.is_some) return sealift_invalid(error, name, "is missing");
    *value = found.val;
    return true;
}

static void say(sealift_function_progress_level_t level, const char *format, va_list arguments) {
    char text[MOST_TEXT];
    vsnprintf(text, sizeof text, format, arguments);
    bindings_string_t line = sealift_text(text);
    sealift_function_progress_log(level, &line);
}

void sealift_info(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(SEALIFT_FUNCTION_PROGRESS_LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void sealift_warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(SEALIFT_FUNCTION_PROGRESS_LEVEL_WARN, format, arguments);
    va_end(arguments);
}

bool sealift_receive(sealift_artifact_t *artifact, bool *more, sealift_error_t *error) {
    sealift_function_upstream_option_artifact_t next;
    if (!sealift_function_upstream_receive(&next, error)) return false;
    *more = next.is_some;
    if (next.is_some) *artifact = next.val;
    return true;
}

bool sealift_read(sealift_body_t body, uint32_t most, bindings_list_u8_t *bytes, bool *more,
                  sealift_error_t *error) {
    bindings_option_list_u8_t part;
    sealift_function_artifacts_borrow_body_t borrowed = sealift_function_artifacts_borrow_body(body);
    if (!sealift_function_artifacts_method_body_read(borrowed, most, &part, error)) return false;
    *more = part.is_some;
    if (part.is_some) *bytes = part.val;
    return true;
}

bool sealift_send(const sealift_header_t *header, sealift_outgoing_t *outgoing,
                  sealift_error_t *error) {
    sealift_header_t copy = *header;
    return sealift_function_downstream_send(&copy, outgoing, error);
}

bool sealift_write(sealift_outgoing_t outgoing, const uint8_t *bytes, size_t length,
                   sealift_error_t *error) {
    bindings_list_u8_t list = {(uint8_t *)bytes, length};
    return sealift_function_downstream_method_outgoing_write(
        sealift_function_downstream_borrow_outgoing(outgoing), &list, error);
}

bool sealift_forward(sealift_outgoing_t outgoing, sealift_body_t body, sealift_error_t *error) {
    uint64_t bytes;
    return sealift_function_downstream_method_outgoing_forward(
        sealift_function_downstream_borrow_outgoing(outgoing), body, &bytes, error);
}

bool sealift_finish(sealift_outgoing_t outgoing, sealift_error_t *error) {
    uint64_t bytes;
    bool finished = sealift_function_downstream_method_outgoing_finish(
        sealift_function_downstream_borrow_outgoing(outgoing), &bytes, error);
    if (finished) sealift_function_downstream_outgoing_drop_own(outgoing);
    return finished;
}
