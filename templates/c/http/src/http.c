#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool retryable(sealift_error_t *error, const char *text) {
    error->tag = SEALIFT_FUNCTION_ERRORS_ERROR_RETRYABLE;
    bindings_string_dup(&error->val.retryable.message, text);
    error->val.retryable.after_seconds.is_some = false;
    return false;
}

static bool denied(sealift_error_t *error, const char *text) {
    error->tag = SEALIFT_FUNCTION_ERRORS_ERROR_DENIED;
    bindings_string_dup(&error->val.denied, text);
    return false;
}

// What a failed connection means for the session.
static bool failure(const wasi_http_types_error_code_t *code, sealift_error_t *error) {
    switch (code->tag) {
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_IP_PROHIBITED:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_URI_INVALID:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_METHOD_INVALID:
        return denied(error, "the request is not granted");
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_DNS_ERROR:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_NOT_FOUND:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_UNAVAILABLE:
    case WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_IP_UNROUTABLE:
        return retryable(error, "the name cannot be reached");
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_REFUSED:
        return retryable(error, "connection refused");
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_TERMINATED:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_INCOMPLETE:
        return retryable(error, "the connection broke off");
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_READ_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_WRITE_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_HTTP_RESPONSE_TIMEOUT:
    case WASI_HTTP_TYPES_ERROR_CODE_CONNECTION_LIMIT_REACHED:
        return retryable(error, "no answer in time");
    default:
        return sealift_failed(error, "the request failed with error %u of wasi:http", code->tag);
    }
}

// Headers with the length of a body that is known.
static bool headers(const sealift_body_t *body, wasi_http_types_own_fields_t *fields) {
    wasi_http_types_tuple2_field_name_field_value_t length;
    wasi_http_types_list_tuple2_field_name_field_value_t list = {&length, 0};
    char digits[24];
    uint64_t size;
    if (body != NULL &&
        sealift_function_artifacts_method_body_size(sealift_function_artifacts_borrow_body(*body),
                                                    &size)) {
        int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
        length.f0 = sealift_text("content-length");
        length.f1.ptr = (uint8_t *)digits;
        length.f1.len = (size_t)count;
        list.len = 1;
    }
    wasi_http_types_header_error_t wrong;
    return wasi_http_types_static_fields_from_list(&list, fields, &wrong);
}

// Sends a body to its end; false = *error says what broke it off.
static bool upload(sealift_body_t body, wasi_http_types_own_outgoing_body_t sent,
                   sealift_error_t *error) {
    wasi_http_types_own_output_stream_t stream;
    if (!wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(sent),
                                                    &stream)) {
        return sealift_failed(error, "the request has no stream");
    }
    uint64_t bytes;
    bool drained = sealift_function_wasi_streams_drain(
        body, wasi_io_streams_borrow_output_stream(stream), &bytes, error);
    wasi_io_streams_output_stream_drop_own(stream);
    if (!drained) {
        wasi_http_types_outgoing_body_drop_own(sent);
        return false;
    }
    wasi_http_types_error_code_t code;
    if (wasi_http_types_static_outgoing_body_finish(sent, NULL, &code)) return true;
    failure(&code, error);
    wasi_http_types_error_code_free(&code);
    return false;
}

// Takes status, length and body out of an answer.
static bool take(wasi_http_types_own_incoming_response_t response, sealift_answer_t *answer,
                 sealift_error_t *error) {
    wasi_http_types_borrow_incoming_response_t borrowed =
        wasi_http_types_borrow_incoming_response(response);
    answer->status = wasi_http_types_method_incoming_response_status(borrowed);
    wasi_http_types_own_headers_t fields =
        wasi_http_types_method_incoming_response_headers(borrowed);
    bindings_string_t name = sealift_text("content-length");
    wasi_http_types_list_field_value_t values;
    wasi_http_types_method_fields_get(wasi_http_types_borrow_fields(fields), &name, &values);
    answer->has_size = values.len == 1 && values.ptr[0].len > 0 && values.ptr[0].len < 20;
    answer->size = 0;
    for (size_t i = 0; answer->has_size && i < values.ptr[0].len; i++) {
        uint8_t digit = values.ptr[0].ptr[i];
        answer->has_size = digit >= '0' && digit <= '9';
        answer->size = answer->size * 10 + (digit - '0');
    }
    wasi_http_types_list_field_value_free(&values);
    wasi_http_types_fields_drop_own(fields);
    wasi_http_types_own_incoming_body_t incoming;
    wasi_http_types_own_input_stream_t stream;
    if (!wasi_http_types_method_incoming_response_consume(borrowed, &incoming) ||
        !wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(incoming),
                                                     &stream)) {
        return sealift_failed(error, "the answer has no body");
    }
    bool taken = sealift_function_wasi_streams_from_stream(
        stream, answer->has_size ? &answer->size : NULL, &answer->body, error);
    wasi_http_types_incoming_body_drop_own(incoming);
    wasi_http_types_incoming_response_drop_own(response);
    return taken;
}

bool sealift_request(uint8_t method, const char *name, bindings_string_t path, sealift_body_t *body,
                     sealift_answer_t *answer, sealift_error_t *error) {
    wasi_http_types_own_fields_t fields;
    if (!headers(body, &fields)) return sealift_failed(error, "a header is not allowed");
    wasi_http_types_own_outgoing_request_t request =
        wasi_http_types_constructor_outgoing_request(fields);
    wasi_http_types_borrow_outgoing_request_t asked =
        wasi_http_types_borrow_outgoing_request(request);
    wasi_http_types_method_t verb = {.tag = method};
    wasi_http_types_scheme_t scheme = {.tag = WASI_HTTP_TYPES_SCHEME_HTTP};
    bindings_string_t authority = sealift_text(name);
    if (!wasi_http_types_method_outgoing_request_set_method(asked, &verb) ||
        !wasi_http_types_method_outgoing_request_set_scheme(asked, &scheme) ||
        !wasi_http_types_method_outgoing_request_set_authority(asked, &authority) ||
        !wasi_http_types_method_outgoing_request_set_path_with_query(asked, &path)) {
        return sealift_failed(error, "the method, name or path of the request is not allowed");
    }
    wasi_http_types_own_outgoing_body_t sent;
    if (body != NULL && !wasi_http_types_method_outgoing_request_body(asked, &sent)) {
        return sealift_failed(error, "the request takes no body");
    }
    wasi_http_types_error_code_t code;
    wasi_http_outgoing_handler_own_future_incoming_response_t future;
    if (!wasi_http_outgoing_handler_handle(request, NULL, &future, &code)) {
        failure(&code, error);
        wasi_http_types_error_code_free(&code);
        return false;
    }
    // A body that broke off ends the request; whoever refuses without reading answers anyway.
    bool uploaded = body == NULL || upload(*body, sent, error);
    wasi_http_types_own_pollable_t pollable =
        wasi_http_types_method_future_incoming_response_subscribe(
            wasi_http_types_borrow_future_incoming_response(future));
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
    wasi_io_poll_pollable_drop_own(pollable);
    // The outer result is about this handle, the inner one about the connection.
    wasi_http_types_result_result_own_incoming_response_error_code_void_t got;
    bool there = wasi_http_types_method_future_incoming_response_get(
        wasi_http_types_borrow_future_incoming_response(future), &got);
    wasi_http_types_future_incoming_response_drop_own(future);
    if (!there || got.is_err) return sealift_failed(error, "the answer was taken already");
    if (got.val.ok.is_err) {
        if (uploaded) failure(&got.val.ok.val.err, error);
        wasi_http_types_error_code_free(&got.val.ok.val.err);
        return false;
    }
    if (!uploaded) sealift_function_errors_error_free(error);
    return take(got.val.ok.val.ok, answer, error);
}

bool sealift_refused(sealift_answer_t *answer, const char *what, sealift_error_t *error) {
    char text[700];
    bindings_list_u8_t said = {NULL, 0};
    bool more = false;
    // The status tells enough where the rest cannot be read.
    if (!sealift_read(answer->body, 500, &said, &more, error)) {
        sealift_function_errors_error_free(error);
        more = false;
    }
    snprintf(text, sizeof text, "%s was answered with %u: %.*s", what, answer->status,
             more ? (int)said.len : 0, (const char *)said.ptr);
    if (more) bindings_list_u8_free(&said);
    sealift_function_artifacts_body_drop_own(answer->body);
    if (answer->status == 401 || answer->status == 403) return denied(error, text);
    if (answer->status == 429 || answer->status >= 500) return retryable(error, text);
    return sealift_failed(error, "%s", text);
}
