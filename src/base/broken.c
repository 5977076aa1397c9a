/* The end of a process whose own invariants do not hold: one line, no more trust in any structure. */
#include "base/host.h"
#include "base/text.h"

/* What the documents call a corrupted pool that nobody else can explain. */
#define BROKEN_CODE 0x13Au

void rxp_broken(const char *expression, const char *file, int line) {
    char buffer[320];
    struct text t;
    text_init(&t, buffer, sizeof buffer);
    text_string(&t, "rxpool: internal error: ");
    text_string(&t, expression);
    text_string(&t, " does not hold at ");
    text_string(&t, file);
    text_char(&t, ':');
    text_decimal(&t, (uint64_t)line);
    text_char(&t, '\n');
    plat_report(NULL, t.buffer, t.length);
    const uint64_t none[4] = {0, 0, 0, 0};
    plat_stop(BROKEN_CODE, none);
}
