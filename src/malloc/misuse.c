/* Misuse of the malloc family: see misuse.h. */
#include "malloc/misuse.h"
#include "ex/free_report.h"
#include "malloc/module.h"

/* The caller's address means nothing in another process: say it so that addr2line can be asked. */
static void report_module(struct stop_report *r, const void *caller) {
    struct module module;
    struct text *t = stop_line(r, "module");

    module_start(); /* by=tag had no need of it */
    module_find(caller, &module);
    text_bytes(t, module.name, module.name_length);
    text_char(t, '+');
    text_address(t, (uintptr_t)caller - module.start);
    stop_end_line(r);
}

void misuse_bad_block(const void *address, const void *caller, enum engine_verdict verdict) {
    struct stop_report *r = free_report_verdict(address, 0, caller, verdict);

    report_module(r, caller);
    stop_commit(r);
}
