/* Counted strings and memory comparison. */
#include <ntifs.h>

NTSYSAPI SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length) {
    const UCHAR *a = Source1, *b = Source2;
    SIZE_T equal = 0;

    while (equal < Length && a[equal] == b[equal])
        equal++;
    return equal;
}

/* The longest string whose bytes, terminator included, a USHORT can count. */
#define STRING_UNITS_MAX ((MAXUSHORT - sizeof(WCHAR)) / sizeof(WCHAR))

NTSYSAPI VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString) {
    size_t units = 0;

    *DestinationString = (UNICODE_STRING){0, 0, (PWCH)(ULONG_PTR)SourceString};
    if (SourceString == NULL)
        return;
    while (units < STRING_UNITS_MAX && SourceString[units] != 0)
        units++;
    DestinationString->Length = (USHORT)(units * sizeof(WCHAR));
    DestinationString->MaximumLength = (USHORT)((units + 1) * sizeof(WCHAR));
}

NTSYSAPI VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString,
                                         PCUNICODE_STRING SourceString) {
    USHORT length = SourceString != NULL ? SourceString->Length : 0;

    if (length > DestinationString->MaximumLength)
        length = DestinationString->MaximumLength;
    if (length != 0)
        memmove(DestinationString->Buffer, SourceString->Buffer, length);
    DestinationString->Length = length;
    if (length + sizeof(WCHAR) <= DestinationString->MaximumLength)
        DestinationString->Buffer[length / sizeof(WCHAR)] = 0;
}

static WCHAR fold(WCHAR c, BOOLEAN insensitive) {
    return insensitive && c >= 'a' && c <= 'z' ? (WCHAR)(c - 'a' + 'A') : c;
}

NTSYSAPI LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                            BOOLEAN CaseInSensitive) {
    size_t units1 = String1->Length / sizeof(WCHAR), units2 = String2->Length / sizeof(WCHAR);

    for (size_t i = 0; i < units1 && i < units2; i++) {
        LONG difference = (LONG)fold(String1->Buffer[i], CaseInSensitive) -
                          (LONG)fold(String2->Buffer[i], CaseInSensitive);
        if (difference != 0)
            return difference;
    }
    return (LONG)units1 - (LONG)units2;
}

NTSYSAPI BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                             BOOLEAN CaseInSensitive) {
    return String1->Length == String2->Length &&
           RtlCompareUnicodeString(String1, String2, CaseInSensitive) == 0;
}
