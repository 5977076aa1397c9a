/* A plain walk of the tree, to know what the redirector should have found. */
#include "linux.h"

#include <errno.h>
#include <fts.h>
#include <sys/stat.h>

static void count(const FTSENT *entry, time_t since, struct walk *found) {
    switch (entry->fts_info) {
    case FTS_D:
        found->directories++;
        found->changed |= entry->fts_statp->st_ctime >= since;
        break;
    case FTS_F:
        found->files++;
        break;
    case FTS_SL:
    case FTS_SLNONE:
        found->links++;
        break;
    case FTS_DEFAULT:
        found->others++;
        break;
    case FTS_NS:
    case FTS_ERR:
        found->changed = true;
        break;
    default:
        break; /* FTS_DP, FTS_DNR: the directory came before as FTS_D */
    }
}

bool walk_tree(const char *directory, time_t since, struct walk *found) {
    char *const roots[] = {(char *)directory, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW, NULL);
    const FTSENT *entry;

    if (tree == NULL)
        return false;
    *found = (struct walk){0};
    while (errno = 0, (entry = fts_read(tree)) != NULL)
        count(entry, since, found);
    bool whole = errno == 0;
    fts_close(tree);
    return whole;
}
