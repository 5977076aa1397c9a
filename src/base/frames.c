/* Return addresses in reports: see frames.h. */
#include "base/frames.h"

#include "base/host.h"

void frames_put_place(struct text *t, const char *module, uint64_t offset, const void *pc) {
    if (module == NULL) {
        text_address(t, (uintptr_t)pc);
        return;
    }
    text_string(t, module);
    text_char(t, '+');
    text_address(t, offset);
}

void frames_put_pc(struct text *t, const void *pc) {
    uint64_t offset = 0;
    const char *module = plat_module_of(pc, &offset);
    frames_put_place(t, module, offset, pc);
}

void frames_put_number(struct text *t, unsigned number) {
    text_string(t, "  #");
    text_decimal(t, number);
    text_char(t, ' ');
}

void frames_put_stack(struct text *t, const void *from, bool with_own) {
    const void *frames[FRAMES_MOST];
    unsigned depth = options_get()->stacks;
    unsigned count = depth != 0 && from != NULL ? plat_backtrace(from, frames, depth + 1) : 0;
    for (unsigned i = !with_own; i < count; i++) {
        frames_put_number(t, i);
        frames_put_pc(t, frames[i]);
        text_char(t, '\n');
    }
}
