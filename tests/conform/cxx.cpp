// The headers and the library from C++: the names link, and a bare name is a function.
#include <ntifs.h>
#include <ntrxdef.h>

static const ULONG tag = 0x74736554; // "Test"

int main() {
    PALLOCATE_FUNCTION allocate = RxAllocatePoolWithTag;
    PFREE_FUNCTION release = RxFreePool;
    void *a = RxAllocatePoolWithTag(PagedPool, 100, tag);
    void *b = allocate(NonPagedPool, 100, tag);
    void *c = RxAllocatePool(PagedPool, 100);
    bool good = a != nullptr && b != nullptr && c != nullptr && RxCheckMemoryBlock(a);
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, TRUE);
    good = good &&
           KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr) == STATUS_SUCCESS;
    release(b);
    RxFreePoolWithTag(a, tag);
    RxFreePool(c);
    return good ? 0 : 1;
}
