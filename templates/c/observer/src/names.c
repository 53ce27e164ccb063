#include "names.h"

const char *status_name(unsigned status) {
    static const char *const names[] = {"succeeded", "failed", "been cancelled", "been skipped"};
    return status < sizeof names / sizeof names[0] ? names[status] : "ended";
}
