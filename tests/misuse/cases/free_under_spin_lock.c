#include <ntifs.h>
#include <ntrxdef.h>

int main(void) {
    void *p = RxAllocatePoolWithTag(PagedPool, 100, 'tseT');
    KSPIN_LOCK lock;
    KIRQL old;
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &old);
    if (MISUSE)
        RxFreePool(p);
    KeReleaseSpinLock(&lock, old);
    FsRtlEnterFileSystem();
    RxFreePool(p);
    FsRtlExitFileSystem();
    return 0;
}
