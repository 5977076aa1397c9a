/* options: leaks=1 */
#include <string.h>

#include <ntifs.h>
#include <ntrxdef.h>

typedef struct {
    CHAR Name[32];
    LIST_ENTRY Links;
} NODE;

static LIST_ENTRY nodes;

int main(void) {
    InitializeListHead(&nodes);
    for (int i = 0; i < 2; i++) {
        NODE *node = RxAllocatePoolWithTag(NonPagedPool, sizeof *node, 'dNxR');
        memset(node->Name, 'a' + i, sizeof node->Name);
        InsertTailList(&nodes, &node->Links);
    }
    while (!MISUSE && !IsListEmpty(&nodes))
        RxFreePool(CONTAINING_RECORD(RemoveHeadList(&nodes), NODE, Links));
    return 0;
}
