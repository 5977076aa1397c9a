#include <ntifs.h>

int main(void) {
    ExFreePool(ExAllocatePoolWithTag(MISUSE ? DontUseThisType : PagedPool, 100, 'tseT'));
    return 0;
}
