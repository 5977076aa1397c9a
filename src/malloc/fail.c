/* malloc and new that fail on purpose: see fail.h. */
#include "malloc/fail.h"

#include <link.h>
#include <sys/auxv.h>

#include "ex/fault.h"
#include "malloc/dropin.h"

bool dropin_failing;
bool dropin_rare;

static struct {
    uintptr_t start;
    size_t size;
} loader;

/* From its own headers; it has no other name for certain. */
static void find_loader(void) {
    loader.start = getauxval(AT_BASE);
    if (loader.start == 0)
        return; /* the program was started by it as a program */
    const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)loader.start;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(loader.start + file->e_phoff);
    for (unsigned i = 0; i < file->e_phnum; i++) {
        if (segment[i].p_type == PT_LOAD && segment[i].p_vaddr + segment[i].p_memsz > loader.size)
            loader.size = segment[i].p_vaddr + segment[i].p_memsz;
    }
}

void fail_start(void) {
    if (!fault_wanted())
        return;
    find_loader();
    dropin_failing = true;
    dropin_rare = true;
}

bool fail_inject(size_t size, const void *caller) {
    const struct fault_request request = {.size = size, .tag = DROPIN_TAG, .caller = caller};
    return (uintptr_t)caller - loader.start >= loader.size && fault_inject(&request);
}
