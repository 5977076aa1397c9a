/* A bounded text builder: see text.h. No call of any library, so that it works anywhere. */
#include "base/text.h"

#define DUMP_ROW 16u

void text_init(struct text *t, char *buffer, size_t capacity) {
    t->buffer = buffer;
    t->capacity = capacity;
    t->length = 0;
    t->cut = false;
    t->buffer[0] = '\0';
}

void text_char(struct text *t, char c) {
    if (t->length + 1 >= t->capacity) {
        t->cut = true;
        return;
    }
    t->buffer[t->length++] = c;
    t->buffer[t->length] = '\0';
}

void text_string(struct text *t, const char *s) {
    for (; *s != '\0'; s++)
        text_char(t, *s);
}

void text_bytes(struct text *t, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        text_char(t, s[i]);
}

void text_decimal(struct text *t, uint64_t value) {
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0)
        text_char(t, digits[--n]);
}

/* Hexadecimal digits of `value`, at least `digits` of them, from the sixteen characters of `alphabet`. */
static void put_hex(struct text *t, uint64_t value, unsigned digits, const char *alphabet) {
    unsigned n = 1;
    while (n < 16 && value >> (4 * n) != 0)
        n++;
    for (; digits > n; digits--)
        text_char(t, '0');
    while (n > 0)
        text_char(t, alphabet[value >> (4 * --n) & 15]);
}

void text_hex(struct text *t, uint64_t value, unsigned digits) {
    put_hex(t, value, digits, "0123456789ABCDEF");
}

void text_address(struct text *t, uint64_t value) {
    text_string(t, "0x");
    put_hex(t, value, 1, "0123456789abcdef");
}

static bool printable(unsigned char c) {
    return c >= 0x20 && c <= 0x7E;
}

void text_tag(struct text *t, uint32_t tag) {
    for (; tag != 0; tag >>= 8) {
        unsigned char c = (unsigned char)tag;
        if (printable(c)) {
            text_char(t, (char)c);
        } else {
            text_string(t, "\\x");
            put_hex(t, c, 2, "0123456789abcdef");
        }
    }
}

void text_dump(struct text *t, uint64_t address, const unsigned char *bytes, size_t n) {
    for (size_t row = 0; row < n; row += DUMP_ROW) {
        size_t width = n - row < DUMP_ROW ? n - row : DUMP_ROW;
        text_string(t, "  ");
        text_address(t, address + row);
        text_char(t, ' ');
        for (size_t i = 0; i < DUMP_ROW; i++) {
            if (i < width) {
                text_char(t, ' ');
                put_hex(t, bytes[row + i], 2, "0123456789abcdef");
            } else {
                text_string(t, "   ");
            }
        }
        text_string(t, " |");
        for (size_t i = 0; i < width; i++)
            text_char(t, (char)(printable(bytes[row + i]) ? bytes[row + i] : '.'));
        text_string(t, "|\n");
    }
}
