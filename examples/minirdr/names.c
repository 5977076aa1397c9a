/* Between file names and NT names, losing nothing. */
#include "linux.h"

#include <stdlib.h>
#include <string.h>

#define ESCAPE_FIRST 0xDC80u /* + byte - 0x80 */
#define ESCAPE_LAST 0xDCFFu
#define BACKSLASH 0xF05Cu

/* The character at the start of `bytes` and how many bytes it takes; 0 when that is not UTF-8. */
static size_t utf8_character(const unsigned char *bytes, size_t length, uint32_t *character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = bytes[0] < 0x80   ? 1
                  : bytes[0] < 0xC0 ? 0
                  : bytes[0] < 0xE0 ? 2
                  : bytes[0] < 0xF0 ? 3
                                    : 4;
    uint32_t value = need <= 1 ? bytes[0] : bytes[0] & (0x7Fu >> need);

    if (need == 0 || need > length || bytes[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3F);
    }
    if (value < least[need] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return 0;
    *character = value;
    return need;
}

size_t names_decode(WCHAR *out, const char *bytes, size_t length) {
    const unsigned char *p = (const unsigned char *)bytes;
    size_t units = 0;

    while (length != 0) {
        uint32_t character = 0;
        size_t taken = utf8_character(p, length, &character);

        if (taken == 0 || character == BACKSLASH) {
            out[units++] = (WCHAR)(ESCAPE_FIRST + *p - 0x80);
            taken = 1;
        } else if (character >= 0x10000) {
            out[units++] = (WCHAR)(0xD7C0 + (character >> 10));
            out[units++] = (WCHAR)(0xDC00 | (character & 0x3FF));
        } else {
            out[units++] = character == '\\' ? (WCHAR)BACKSLASH : (WCHAR)character;
        }
        p += taken;
        length -= taken;
    }
    return units;
}

static char *utf8_put(char *out, uint32_t character) {
    if (character < 0x80) {
        *out++ = (char)character;
    } else if (character < 0x800) {
        *out++ = (char)(0xC0 | character >> 6);
        *out++ = (char)(0x80 | (character & 0x3F));
    } else if (character < 0x10000) {
        *out++ = (char)(0xE0 | character >> 12);
        *out++ = (char)(0x80 | (character >> 6 & 0x3F));
        *out++ = (char)(0x80 | (character & 0x3F));
    } else {
        *out++ = (char)(0xF0 | character >> 18);
        *out++ = (char)(0x80 | (character >> 12 & 0x3F));
        *out++ = (char)(0x80 | (character >> 6 & 0x3F));
        *out++ = (char)(0x80 | (character & 0x3F));
    }
    return out;
}

char *names_encode(PCUNICODE_STRING name) {
    size_t units = name->Length / sizeof(WCHAR);
    char *text = malloc(units * 3 + 1);
    char *out = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < units; i++) {
        uint32_t unit = name->Buffer[i];

        if (unit == '\\')
            *out++ = '/';
        else if (unit == BACKSLASH)
            *out++ = '\\';
        else if (unit >= ESCAPE_FIRST && unit <= ESCAPE_LAST)
            *out++ = (char)(unit - ESCAPE_FIRST + 0x80);
        else if ((unit & 0xFC00) == 0xD800 && i + 1 < units)
            out = utf8_put(out, 0x10000 + ((unit & 0x3FF) << 10) + (name->Buffer[++i] & 0x3FF));
        else
            out = utf8_put(out, unit);
    }
    *out = '\0';
    return text;
}
