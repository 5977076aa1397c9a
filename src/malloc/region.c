/* Memory by address: see region.h. */
#include "malloc/region.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "malloc/module.h"

/* "55d0c0a00000-55d0c0a02000 r--p 00000000 08:01 77 /bin/true"; cut where it is longer. */
struct line {
    char text[512];
    size_t length;
};

struct mapping {
    uintptr_t start, end;
    char name[sizeof(struct line)];
};

struct input {
    int fd;
    size_t have, at;
    char bytes[1024];
};

static int next_byte(struct input *in) {
    if (in->at == in->have) {
        ssize_t n = read(in->fd, in->bytes, sizeof in->bytes);
        if (n <= 0)
            return -1;
        in->have = (size_t)n;
        in->at = 0;
    }
    return (unsigned char)in->bytes[in->at++];
}

static bool next_line(struct input *in, struct line *out) {
    int c;
    out->length = 0;
    while ((c = next_byte(in)) >= 0 && c != '\n')
        if (out->length < sizeof out->text - 1)
            out->text[out->length++] = (char)c;
    out->text[out->length] = '\0';
    return c >= 0;
}

static uintptr_t parse_hex(const char **s) {
    static const char digits[] = "0123456789abcdef";
    uintptr_t value = 0;
    const char *d;
    while (**s != '\0' && (d = strchr(digits, **s)) != NULL) {
        value = value << 4 | (uintptr_t)(d - digits);
        ++*s;
    }
    return value;
}

/* Behind the numbers there is the name, if any: a path or what the kernel calls the memory. */
static const char *name_of(const char *s) {
    for (int field = 0; field < 4; field++) {
        s += strcspn(s, " ");
        s += strspn(s, " ");
    }
    return s;
}

/* The line of maps for the address; false when nothing is mapped there. */
static bool find_line(struct input *in, uintptr_t address, struct mapping *out) {
    struct line line;
    while (next_line(in, &line)) {
        const char *s = line.text;
        out->start = parse_hex(&s);
        s += *s == '-';
        out->end = parse_hex(&s);
        if (address < out->start || address >= out->end)
            continue;
        s = name_of(s + strspn(s, " "));
        memcpy(out->name, s, strlen(s) + 1);
        return true;
    }
    return false;
}

static void put_module(struct text *out, const struct module *module, const void *address) {
    text_bytes(out, module->name, module->name_length);
    text_char(out, '+');
    text_address(out, (uintptr_t)address - module->bias);
}

void region_describe(struct text *out, const void *address) {
    struct input in = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    struct mapping mapping;
    struct module module;
    uintptr_t here = (uintptr_t)&in;

    if (in.fd < 0) {
        text_string(out, "memory that cannot be told, without /proc");
        return;
    }
    bool mapped = find_line(&in, (uintptr_t)address, &mapping);
    close(in.fd);
    if (!mapped)
        text_string(out, "no memory");
    else if (here >= mapping.start && here < mapping.end)
        text_string(out, "the stack of this thread");
    else if (module_find(address, &module))
        put_module(out, &module, address);
    else
        text_string(out, mapping.name[0] != '\0' ? mapping.name : "memory of no file");
}
