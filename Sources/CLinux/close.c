#define _GNU_SOURCE
#include "clinux.h"

#include <limits.h>
#include <unistd.h>

void clinux_close_from(int first, int kept) {
    if (kept < first) {
        close_range((unsigned)first, UINT_MAX, 0);
        return;
    }
    if (kept > first) close_range((unsigned)first, (unsigned)kept - 1, 0);
    close_range((unsigned)kept + 1, UINT_MAX, 0);
}
