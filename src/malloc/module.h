/* Which loaded module (the program or a shared object) holds an address. */
#ifndef RXPOOL_MALLOC_MODULE_H
#define RXPOOL_MALLOC_MODULE_H

#include "base/base.h"

struct module {
    const char *name; /* the file's base name; not terminated at name_length where a path follows */
    size_t name_length;
    uintptr_t
        bias; /* what the loader added to the file's addresses; 0 for memory that no module holds */
};

/* Learns the program's own name, before the others can tell it; more than once does no harm. */
void module_start(void);
/*
 * Finds the module of `address`, which must be code that is running now: nothing else keeps the
 * module loaded while it is looked at. False, with the name "[anonymous]", for code that no module
 * holds (a JIT's). Takes no lock where the loader has _dl_find_object (glibc 2.35 and later).
 */
bool module_find(const void *address, struct module *out);
/* The same by a walk over the loader's list, under its lock: what is left on an older loader. */
bool module_find_by_walk(const void *address, struct module *out);

#endif
