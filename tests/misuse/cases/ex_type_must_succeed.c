#include <ntifs.h>

int main(void) {
    POOL_TYPE type = MISUSE ? NonPagedPoolMustSucceed : NonPagedPool;
    ExFreePool(ExAllocatePoolWithTag(type, 100, 'tseT'));
    return 0;
}
