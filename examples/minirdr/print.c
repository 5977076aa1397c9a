/* What a run found, and the pool table of this process. */
#include "print.h"

#include <rxpool/stats.h>
#include <string.h>

const char *grouped(uint64_t value) {
    static char buffers[8][32];
    static unsigned turn;
    char *p = buffers[turn++ % 8] + sizeof(buffers[0]) - 1;
    unsigned digits = 0;

    *p = '\0';
    do {
        if (digits != 0 && digits % 3 == 0)
            *--p = ',';
        *--p = (char)('0' + value % 10);
        digits++;
    } while ((value /= 10) != 0);
    return p;
}

static void print_row(FILE *out, const struct rxpool_stats_row *row) {
    char tag[5] = "";

    for (unsigned i = 0; i < 4; i++) {
        char c = (char)(row->tag >> (8 * i));

        tag[i] = (char)(c >= 0x20 && c < 0x7F ? c : '.');
    }
    fprintf(out, " %-4s  %-5s %14s %14s %8s %12s %10s\n", tag,
            row->flags & RXPOOL_STATS_PAGED ? "Paged" : "Nonp", grouped(row->allocs),
            grouped(row->frees), grouped(row->diff), grouped(row->bytes), grouped(row->per_alloc));
}

bool table_print(FILE *out, uint64_t *operations) {
    struct rxpool_stats_error error = {0};
    struct rxpool_stats *stats;
    const struct rxpool_stats_row *row;

    *operations = 0;
    if (rxpool_stats_open_self(&stats, &error) != RXPOOL_STATS_OK ||
        rxpool_stats_read(stats, &error) != RXPOOL_STATS_OK) {
        fprintf(stderr, "minirdr: pool table: %s\n", error.text);
        rxpool_stats_close(stats);
        return false;
    }
    fprintf(out, " %-4s  %-5s %14s %14s %8s %12s %10s\n", "Tag", "Type", "Allocs", "Frees", "Diff",
            "Bytes", "Per Alloc");
    for (uint32_t i = 0; (row = rxpool_stats_row(stats, i)) != NULL; i++) {
        print_row(out, row);
        *operations += row->allocs + row->frees;
    }
    rxpool_stats_close(stats);
    return true;
}

void print_found(const MINIRDR_STATISTICS *s) {
    printf("found: %s files, %s directories", grouped((uint64_t)s->Files),
           grouped((uint64_t)s->Directories));
    printf(", %s links not followed, %s sockets, fifos or devices skipped\n",
           grouped((uint64_t)s->Links), grouped((uint64_t)s->Others));
    printf("compared: %s files equal to a plain read, %s different, %s changed or resized, %s not "
           "read\n",
           grouped((uint64_t)s->FilesRead), grouped((uint64_t)s->Different),
           grouped((uint64_t)(s->Changed + s->SizeChanged)), grouped((uint64_t)s->Unreadable));
    printf("opens: %s, %s of them shared; work items: %s\n\n", grouped((uint64_t)s->Opens),
           grouped((uint64_t)s->SharedOpens), grouped((uint64_t)s->WorkItems));
}

void print_end(const MINIRDR_STATISTICS *s, SIZE_T leaks, double seconds, uint64_t operations) {
    if (leaks == 0)
        printf("\nleaks: none\n");
    else
        printf("\nleaks: %s blocks still allocated\n", grouped(leaks));
    if (s->DamagedBlocks != 0)
        printf("damaged blocks: %s\n", grouped((uint64_t)s->DamagedBlocks));
    printf("throughput: %s files, %s directories, %s bytes", grouped((uint64_t)s->FilesRead),
           grouped((uint64_t)s->Directories), grouped((uint64_t)s->Bytes));
    printf(" in %.3f s: %.1f MB/s, %s pool operations/s\n", seconds,
           (double)s->Bytes / 1e6 / seconds, grouped((uint64_t)((double)operations / seconds)));
}
