// The Function: puts every artifact into a folder. The bytes stay on the host's side; to look at
// them, use sealift_read and sealift_write.
#include <stdlib.h>

#include "names.h"
#include "sealift.h"

static bool pass(sealift_artifact_t *artifact, bindings_string_t folder, sealift_error_t *error) {
    sealift_header_t header = artifact->header;
    header.name.ptr = placed(folder.ptr, folder.len, artifact->header.name.ptr,
                             artifact->header.name.len, &header.name.len);
    if (header.name.ptr == NULL) return sealift_failed(error, "out of memory");
    sealift_outgoing_t outgoing;
    bool passed = sealift_send(&header, &outgoing, error) &&
                  sealift_forward(outgoing, artifact->body, error) &&
                  sealift_finish(outgoing, error);
    free(header.name.ptr);
    return passed;
}

bool exports_sealift_function_transform_run(sealift_error_t *error) {
    bindings_string_t folder;
    if (!sealift_parameter("folder", &folder, error)) return false;
    for (;;) {
        sealift_artifact_t artifact;
        bool more;
        if (!sealift_receive(&artifact, &more, error)) return false;
        if (!more) return true;
        if (!pass(&artifact, folder, error)) return false;
        sealift_function_artifacts_header_free(&artifact.header);
    }
}
