/*
 * minirdr DIR: the redirector as a Windows program; DIR is absolute (C:\\tree). Exit status: 0 all is as the plain read has it,
 * and nothing leaked; 1 otherwise; 2 a usage error, or a DIR that cannot be opened.
 */
#include "driver.h"
#include "print.h"

#define THREADS 2
#define PATH_CHARACTERS 260

/* `\??\` and the path, with the separators that NT knows. */
static NTSTATUS open_tree(PNT_HOST host, const char *path) {
    static WCHAR characters[PATH_CHARACTERS + 4] = {'\\', '?', '?', '\\'};
    UNICODE_STRING name;

    for (unsigned i = 0; i < PATH_CHARACTERS - 1 && path[i] != '\0'; i++)
        characters[4 + i] = path[i] == '/' ? '\\' : (unsigned char)path[i];
    RtlInitUnicodeString(&name, characters);
    return NtHostOpen(host, &name);
}

static double seconds(void) {
    LARGE_INTEGER frequency;
    LARGE_INTEGER now = KeQueryPerformanceCounter(&frequency);

    return (double)now.QuadPart / (double)frequency.QuadPart;
}

int main(int argc, char **argv) {
    MINIRDR_STATISTICS statistics = {0};
    NT_HOST host;
    SIZE_T leaks = 0;
    uint64_t operations;

    if (argc != 2) {
        fprintf(stderr, "usage: minirdr DIR\n");
        return 2;
    }
    NTSTATUS status = open_tree(&host, argv[1]);
    if (!NT_SUCCESS(status)) {
        fprintf(stderr, "minirdr: %s: cannot be opened: status 0x%08X\n", argv[1],
                (unsigned)status);
        return 2;
    }
    double start = seconds();
    status = MinirdrRun(&host.Host, THREADS, &statistics, &leaks);
    double end = seconds();
    if (!NT_SUCCESS(status))
        fprintf(stderr, "minirdr: %s: the redirector gave up: status 0x%08X\n", argv[1],
                (unsigned)status);
    print_found(&statistics);
    bool good = table_print(stdout, &operations) && NT_SUCCESS(status) && leaks == 0 &&
                statistics.Different == 0 && statistics.DamagedBlocks == 0 &&
                statistics.Unreadable == 0;
    print_end(&statistics, leaks, end - start, operations);
    NtHostClose(&host);
    return good ? 0 : 1;
}
