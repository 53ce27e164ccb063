#include <stdio.h>
#include <string.h>

#include "../src/names.h"

int main(void) {
    int wrong = strcmp(status_name(0), "succeeded") != 0 || strcmp(status_name(1), "failed") != 0 ||
                strcmp(status_name(99), "ended") != 0;
    puts(wrong ? "a status has another name" : "ok");
    return wrong;
}
