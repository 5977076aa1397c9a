/* Lines of a report about a block: see lines.h. */
#include "base/lines.h"

void lines_put_block(struct text *t, const char *key, const struct lines_block *b) {
    text_string(t, key);
    text_string(t, ": ");
    text_address(t, b->block);
    text_string(t, " size ");
    text_decimal(t, b->size);
    text_string(t, " tag ");
    text_tag(t, b->tag);
    text_string(t, b->paged ? " type Paged\n" : " type Nonp\n");
}

static void put_distance(struct text *t, uint64_t bytes, const char *where) {
    text_decimal(t, bytes);
    text_string(t, bytes == 1 ? " byte " : " bytes ");
    text_string(t, where);
}

void lines_put_access(struct text *t, const struct lines_block *b, uint64_t address, bool write) {
    uint64_t end = b->block + b->size;
    text_string(t, write ? "access: write at " : "access: read at ");
    text_address(t, address);
    text_string(t, ", ");
    if (address < b->block) {
        put_distance(t, b->block - address, "in front");
    } else if (address >= end) {
        put_distance(t, address - end, "behind the end");
    } else {
        text_string(t, "offset ");
        text_decimal(t, address - b->block);
    }
    text_char(t, '\n');
}

const char *lines_access(const struct lines_block *b, uint64_t address, bool write, bool freed) {
    static const char *const what[][2] = {
        {"memory behind the end of a block was read",
         "memory behind the end of a block was written"},
        {"memory in front of a block was read", "memory in front of a block was written"},
        {"a freed block was read", "a freed block was written"},
    };
    return what[freed ? 2 : address < b->block][write];
}
