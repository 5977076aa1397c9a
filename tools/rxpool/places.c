/* What libdw knows of a place in code: see places.h. In the library that elf_late.c loads. */
#define _GNU_SOURCE
#include "places.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* --- files ------------------------------------------------------------------------------------- */

static struct file {
    struct file *next;
    Dwfl *session;
    Dwfl_Module *module; /* NULL: it cannot be read */
    GElf_Addr bias;      /* of the session's addresses over the file's */
    char path[];
} * files;

static char *debug_path; /* NULL: the usual folders */

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_path,
};

static void read_file(struct file *f) {
    f->session = dwfl_begin(&callbacks);
    if (f->session == NULL)
        return;
    f->module = dwfl_report_offline(f->session, f->path, f->path, -1);
    dwfl_report_end(f->session, NULL, NULL);
    if (f->module != NULL && dwfl_module_getelf(f->module, &f->bias) == NULL)
        f->module = NULL;
}

static const struct file *file_of(const char *path) {
    for (struct file *f = files; f != NULL; f = f->next)
        if (strcmp(f->path, path) == 0)
            return f;
    struct file *f = calloc(1, sizeof(*f) + strlen(path) + 1);
    if (f == NULL)
        return NULL;
    strcpy(f->path, path);
    read_file(f);
    f->next = files;
    files = f;
    return f;
}

/* --- names ------------------------------------------------------------------------------------- */

/* Mangled names of C++ are read by its library, where it is installed; NULL for what is none. */
static char *demangled(const char *name) {
    static char *(*demangle)(const char *, char *, size_t *, int *);
    static bool looked;
    if (name == NULL || strncmp(name, "_Z", 2) != 0)
        return NULL;
    if (!looked) {
        void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
        if (library != NULL)
            *(void **)&demangle = dlsym(library, "__cxa_demangle");
        looked = true;
    }
    return demangle != NULL ? demangle(name, NULL, NULL, NULL) : NULL;
}

/* Of a function, inlined or not. */
static void put_function(FILE *out, Dwarf_Die *die) {
    Dwarf_Attribute attribute;
    const char *linkage =
        dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
    char *readable = demangled(linkage);
    const char *name = readable != NULL ? readable : dwarf_diename(die);
    fputs(name != NULL ? name : "??", out);
    free(readable);
}

struct line {
    const char *file; /* NULL: not known */
    int number;
};

static void put_line(FILE *out, struct line line) {
    if (line.file != NULL)
        fprintf(out, " at %s:%d", line.file, line.number);
}

/* Where the code was called that was inlined. */
static struct line call_line(Dwarf_Die *unit, Dwarf_Die *inlined) {
    Dwarf_Attribute attribute;
    Dwarf_Word file, number;
    Dwarf_Files *table;
    struct line line = {NULL, 0};
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) == 0 &&
        dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) == 0 &&
        dwarf_getsrcfiles(unit, &table, NULL) == 0) {
        line.file = dwarf_filesrc(table, file, NULL, NULL);
        line.number = (int)number;
    }
    return line;
}

/* The scopes around the address, innermost first, as they lie within each other in the code. */
static int scopes_at(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **out) {
    Dwarf_Die *around, innermost;
    if (dwarf_getscopes(unit, address, &around) <= 0)
        return 0;
    innermost = around[0];
    free(around);
    return dwarf_getscopes_die(&innermost, out);
}

/* "F at FILE:LINE, inlined in G at FILE:LINE"; false when the debug information knows no function there. */
static bool put_functions(FILE *out, Dwarf_Die *unit, Dwarf_Addr address, struct line line) {
    Dwarf_Die *scopes = NULL;
    int count = scopes_at(unit, address, &scopes);
    bool any = false, whole = false;
    for (int i = 0; i < count && !whole; i++) {
        int tag = dwarf_tag(&scopes[i]);
        whole = tag == DW_TAG_subprogram;
        if (!whole && tag != DW_TAG_inlined_subroutine)
            continue;
        fputs(any ? ", inlined in " : "", out);
        put_function(out, &scopes[i]);
        put_line(out, line);
        line = call_line(unit, &scopes[i]);
        any = true;
    }
    free(scopes);
    return any;
}

/* From the symbols alone. */
static bool put_symbol(FILE *out, Dwfl_Module *module, Dwarf_Addr address, struct line line) {
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
    if (name == NULL)
        return false;
    char *readable = demangled(name);
    fputs(readable != NULL ? readable : name, out);
    if (line.file != NULL)
        put_line(out, line);
    else
        fprintf(out, "+0x%" PRIx64, (uint64_t)offset + 1); /* a return address */
    free(readable);
    return true;
}

/* --- places ------------------------------------------------------------------------------------ */

/* Files made by clang have no index of their units by address: each one is asked. */
static Dwarf_Die *unit_at(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias) {
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);
    if (unit != NULL)
        return unit;
    while ((unit = dwfl_module_nextcu(module, unit, bias)) != NULL)
        if (dwarf_haspc(unit, address - *bias) > 0)
            return unit;
    return NULL;
}

static struct line line_at(Dwarf_Die *unit, Dwarf_Addr address) {
    struct line line = {NULL, 0};
    Dwarf_Line *found = dwarf_getsrc_die(unit, address);
    if (found != NULL && dwarf_lineno(found, &line.number) == 0)
        line.file = dwarf_linesrc(found, NULL, NULL);
    return line;
}

static bool put_place(FILE *out, Dwfl_Module *module, Dwarf_Addr address) {
    Dwarf_Addr bias;
    Dwarf_Die *unit = unit_at(module, address, &bias);
    struct line line = {NULL, 0};
    if (unit != NULL) {
        line = line_at(unit, address - bias);
        if (put_functions(out, unit, address - bias, line))
            return true;
    }
    return put_symbol(out, module, address, line);
}

RXP_EXPORT char *place_name(const char *path, uint64_t offset) {
    const struct file *f = file_of(path);
    char *text = NULL;
    size_t length;
    if (f == NULL || f->module == NULL)
        return NULL;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        return NULL;
    bool known = put_place(out, f->module, f->bias + offset - 1); /* in the call */
    if (fclose(out) == 0 && known)
        return text;
    free(text);
    return NULL;
}
