/*
 * A bounded text builder for reports: no heap, no locale, no C library, so that it works inside
 * an allocator, in a signal handler and in a kernel. What does not fit is cut; the text is always
 * terminated.
 */
#ifndef RXPOOL_BASE_TEXT_H
#define RXPOOL_BASE_TEXT_H

#include "base/base.h"

struct text {
    char *buffer;
    size_t capacity; /* bytes, the terminator included; at least 1 */
    size_t length;   /* without the terminator; length < capacity */
    bool cut;        /* something did not fit */
};

void text_init(struct text *t, char *buffer, size_t capacity);
void text_string(struct text *t, const char *s);
void text_bytes(struct text *t, const char *s, size_t n);
void text_char(struct text *t, char c);
void text_decimal(struct text *t, uint64_t value);
/* Uppercase hexadecimal, at least `digits` digits, no prefix. */
void text_hex(struct text *t, uint64_t value, unsigned digits);
/* "0x" and lowercase hexadecimal without leading zeros: how addresses appear in `key: value` lines. */
void text_address(struct text *t, uint64_t value);
/* A tag's four bytes in memory order; a byte outside 0x20..0x7E as \xNN, trailing zero bytes left out. */
void text_tag(struct text *t, uint32_t tag);
/* Rows of 16 bytes: `  0x<address>  xx xx ... |text|`. */
void text_dump(struct text *t, uint64_t address, const unsigned char *bytes, size_t n);

#endif
