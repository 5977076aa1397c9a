/* options: fail=2:fail_tag=Test:fail_type=paged */
#include <ntifs.h>
#include <pseh/pseh2.h>

static void *allocate(void) {
    return FsRtlAllocatePoolWithTag(PagedPool, 100, 'tseT');
}

int main(void) {
    void *p = allocate(), *q = NULL;
    if (MISUSE) {
        q = allocate(); /* raises, and nobody is there to take it */
        ExFreePool(q);
    } else {
        _SEH2_TRY {
            q = allocate();
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {}
        _SEH2_END;
    }
    ExFreePool(p);
    return 0;
}
