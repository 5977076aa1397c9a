/* Core files are Linux' own; a Windows dump is another format, which is not read. */
#include "stats/memory.h"

enum rxpool_stats_status memory_open_core(struct memory *m, const char *path,
                                          struct rxpool_stats_error *error) {
    *m = (struct memory){0};
    return stats_fail(error, RXPOOL_STATS_FORMAT,
                      "%s: dumps are not read on Windows; core files are, on Linux", path);
}
