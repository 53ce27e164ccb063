// The Function: passes every artifact on, and adds the list that `sha256sum -c` reads. Each byte
// comes by once: it is hashed and handed on.
#include <stdlib.h>
#include <string.h>

#include "sealift.h"
#include "sha256.h"
#include "sums.h"

// Enough that a call costs nothing beside the bytes.
enum { CHUNK = 256 << 10 };

// Hands the bytes of an artifact on, and hashes them.
static bool copy(sealift_artifact_t *artifact, sealift_outgoing_t outgoing, sha256_t *hash,
                 sealift_error_t *error) {
    for (;;) {
        bindings_list_u8_t bytes;
        bool more;
        if (!sealift_read(artifact->body, CHUNK, &bytes, &more, error)) return false;
        if (!more) return true;
        sha256_update(hash, bytes.ptr, bytes.len);
        bool written = sealift_write(outgoing, bytes.ptr, bytes.len, error);
        bindings_list_u8_free(&bytes);
        if (!written) return false;
    }
}

static bool pass(sealift_artifact_t *artifact, sums_t *sums, sealift_error_t *error) {
    const bindings_string_t *name = &artifact->header.name;
    sha256_t hash;
    uint8_t digest[SHA256_BYTES];
    sha256_begin(&hash);
    sealift_outgoing_t outgoing;
    if (!sealift_send(&artifact->header, &outgoing, error) ||
        !copy(artifact, outgoing, &hash, error) || !sealift_finish(outgoing, error)) {
        return false;
    }
    sha256_finish(&hash, digest);
    if (sums_add(sums, digest, name->ptr, name->len)) return true;
    return sealift_failed(error, "there is no memory for a list of so many artifacts");
}

static bool add_list(bindings_string_t name, const sums_t *sums, sealift_error_t *error) {
    sealift_header_t header = {0};
    header.name = name;
    header.size.is_some = true;
    header.size.val = sums->length;
    sealift_outgoing_t outgoing;
    return sealift_send(&header, &outgoing, error) &&
           sealift_write(outgoing, sums->bytes, sums->length, error) &&
           sealift_finish(outgoing, error);
}

bool exports_sealift_function_transform_run(sealift_error_t *error) {
    bindings_string_t list;
    if (!sealift_parameter("artifact", &list, error)) return false;
    sums_t sums = {0};
    for (;;) {
        sealift_artifact_t artifact;
        bool more;
        if (!sealift_receive(&artifact, &more, error)) return false;
        if (!more) return add_list(list, &sums, error);
        const bindings_string_t *name = &artifact.header.name;
        if (name->len == list.len && memcmp(name->ptr, list.ptr, list.len) == 0) {
            return sealift_invalid(error, "artifact", "an artifact is called as the list would be");
        }
        if (!pass(&artifact, &sums, error)) return false;
        sealift_function_upstream_artifact_free(&artifact);
    }
}
