// The Function: says how the session ended. An error of an observer is reported and changes nothing.
#include "names.h"
#include "sealift.h"

bool exports_sealift_function_observer_run(sealift_error_t *error) {
    (void)error;
    bindings_string_t fact = sealift_text("session.name");
    bindings_string_t name;
    if (!sealift_function_session_fact(&fact, &name)) name = sealift_text("the session");
    sealift_function_outcomes_status_t status = sealift_function_outcomes_overall();
    const char *ended = status_name(status);
    if (status == SEALIFT_FUNCTION_OUTCOMES_STATUS_SUCCEEDED) {
        sealift_info("%.*s has %s", (int)name.len, (const char *)name.ptr, ended);
    } else {
        sealift_warn("%.*s has %s", (int)name.len, (const char *)name.ptr, ended);
    }
    return true;
}
