/* options: leaks=1 */
#include <string.h>

#include <ntifs.h>
#include <ntrxdef.h>

struct entry {
    char name[56];
    struct entry *next;
};

static struct entry *table; /* what it holds is not lost */

static struct entry *new_entry(struct entry *next, const char *name) {
    struct entry *e = RxAllocatePoolWithTag(PagedPool, sizeof *e, 'nExR');
    strcpy(e->name, name);
    e->next = next;
    return e;
}

static void free_all(struct entry *e) {
    while (e != NULL) {
        struct entry *next = e->next;
        RxFreePool(e);
        e = next;
    }
}

int main(void) {
    table = new_entry(NULL, "in the table");
    struct entry *list = new_entry(new_entry(new_entry(NULL, "third"), "second"), "first");
    if (MISUSE)
        list = NULL;
    free_all(list);
    if (!MISUSE)
        free_all(table);
    return 0;
}
