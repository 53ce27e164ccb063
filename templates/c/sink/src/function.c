// The Function: sends every artifact to the target. The bytes stay on the host's side.
#include <stdlib.h>

#include "http.h"
#include "names.h"

static bool put(sealift_artifact_t *artifact, bindings_string_t folder, sealift_error_t *error) {
    bindings_string_t path;
    path.ptr = path_of(folder.ptr, folder.len, artifact->header.name.ptr,
                       artifact->header.name.len, &path.len);
    if (path.ptr == NULL) return sealift_failed(error, "out of memory");
    sealift_answer_t answer;
    bool sent = sealift_request(WASI_HTTP_TYPES_METHOD_PUT, "target", path, &artifact->body, &answer,
                                error);
    free(path.ptr);
    if (!sent) return false;
    if (answer.status < 200 || answer.status > 299) return sealift_refused(&answer, "PUT", error);
    uint64_t bytes;
    return sealift_function_artifacts_method_body_discard(
               sealift_function_artifacts_borrow_body(answer.body), &bytes, error) &&
           (sealift_function_artifacts_body_drop_own(answer.body), true);
}

bool exports_sealift_function_sink_run(sealift_error_t *error) {
    bindings_string_t folder;
    if (!sealift_parameter("folder", &folder, error)) return false;
    for (;;) {
        sealift_artifact_t artifact;
        bool more;
        if (!sealift_receive(&artifact, &more, error)) return false;
        if (!more) return true;
        if (!put(&artifact, folder, error)) return false;
        sealift_function_artifacts_header_free(&artifact.header);
    }
}
