#define _GNU_SOURCE
#include "clinux.h"

#include <limits.h>
#include <unistd.h>

void clinux_close_from(int first, const int *kept, int count) {
    for (;;) {
        int next = INT_MAX;
        for (int each = 0; each < count; each++)
            if (kept[each] >= first && kept[each] < next) next = kept[each];
        if (next == INT_MAX) break;
        if (next > first) close_range((unsigned)first, (unsigned)next - 1, 0);
        first = next + 1;
    }
    close_range((unsigned)first, UINT_MAX, 0);
}

void clinux_nothing(int fd) { (void)fd; }
