/* What a driver is told and says: options, reports, the stop. */
#include "base/options.h"
#include "plat/plat.h"

#define OPTIONS_BYTES 256u
#define PIECE_BYTES 511u       /* DbgPrintEx passes 512 on, its terminator included */
#define KEPT_BYTES (16u << 10) /* reports that wait for the driver to take them */

/* --- options --------------------------------------------------------------------------------- */

/* Unlike a program, a machine is not stopped unless the driver asks for it. */
#define DEFAULTS "on_error=log"

static char options[OPTIONS_BYTES] = DEFAULTS;

const char *plat_options(void) {
    return options;
}

bool plat_configure(const char *spec) {
    size_t used = sizeof DEFAULTS - 1, length = 0;
    while (spec[length] != '\0')
        length++;
    if (used + 1 + length >= OPTIONS_BYTES ||
        atomic_load_explicit(&options_sealed, memory_order_acquire) != NULL)
        return false;
    options[used] = ':';
    for (size_t i = 0; i <= length; i++)
        options[used + 1 + i] = spec[i];
    return true;
}

/* --- reports --------------------------------------------------------------------------------- */

/* Whole texts, for plat_report_take; one that does not fit is dropped, and counted. */
static struct {
    struct plat_lock lock;
    size_t length;
    uint32_t dropped;
    char text[KEPT_BYTES];
} kept;

static void keep(const char *text, size_t length) {
    plat_lock_acquire(&kept.lock);
    if (length <= KEPT_BYTES - kept.length) {
        RtlCopyMemory(kept.text + kept.length, text, length);
        kept.length += length;
    } else {
        kept.dropped++;
    }
    plat_lock_release(&kept.lock);
}

size_t plat_report_take(char *out, size_t size, uint32_t *dropped) {
    plat_lock_acquire(&kept.lock);
    size_t taken = kept.length < size ? kept.length : size;
    RtlCopyMemory(out, kept.text, taken);
    kept.length -= taken;
    RtlMoveMemory(kept.text, kept.text + taken, kept.length);
    *dropped = kept.dropped;
    kept.dropped = 0;
    plat_lock_release(&kept.lock);
    return taken;
}

/* How much of the text goes out in one call: as many whole lines as fit. */
static size_t piece_of(const char *text, size_t length) {
    size_t end = length < PIECE_BYTES ? length : PIECE_BYTES;
    if (end == length)
        return end;
    while (end > 0 && text[end - 1] != '\n')
        end--;
    return end != 0 ? end : PIECE_BYTES;
}

/* There is no file at every IRQL: the debugger's line, and what the driver writes where it likes. */
void plat_report(const char *file, const char *text, size_t length) {
    (void)file;
    keep(text, length);
    while (length > 0) {
        size_t bytes = piece_of(text, length);
        DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "%.*s", (int)bytes, text);
        text += bytes;
        length -= bytes;
    }
}

void plat_stop(uint32_t code, const uint64_t parameter[4]) {
    KeBugCheckEx(code, (ULONG_PTR)parameter[0], (ULONG_PTR)parameter[1], (ULONG_PTR)parameter[2],
                 (ULONG_PTR)parameter[3]);
}
