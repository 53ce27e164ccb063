// The Function: asks the target for one path and stores the answer. The bytes stay on the host's
// side. An answer without a length needs an interim volume if it has more than 1 MiB.
#include "http.h"
#include "names.h"

bool exports_sealift_function_source_run(sealift_error_t *error) {
    bindings_string_t path;
    if (!sealift_parameter("path", &path, error)) return false;
    sealift_answer_t answer;
    if (!sealift_request(WASI_HTTP_TYPES_METHOD_GET, "target", path, NULL, &answer, error)) {
        return false;
    }
    if (answer.status != 200) return sealift_refused(&answer, "GET", error);
    sealift_header_t header = {0};
    header.name.ptr = (uint8_t *)artifact_name(path.ptr, path.len, &header.name.len);
    header.size.is_some = answer.has_size;
    header.size.val = answer.size;
    sealift_outgoing_t outgoing;
    return sealift_send(&header, &outgoing, error) &&
           sealift_forward(outgoing, answer.body, error) && sealift_finish(outgoing, error);
}
