/* N times: a checked block of SIZE bytes, allocated and freed. For pair_cost.py, which counts instructions. */
#define DBG 1
#include <ntifs.h>
#include <ntrxdef.h>

#include <stdlib.h>

int main(int argc, char **argv) {
    long pairs = argc > 1 ? atol(argv[1]) : 0;
    ULONG size = argc > 2 ? (ULONG)atol(argv[2]) : 64;
    for (long i = 0; i < pairs; i++) {
        PVOID block = RxAllocatePoolWithTag(NonPagedPoolNx, size, 0x74736554);
        if (block == NULL)
            return 1;
        RxFreePool(block);
    }
    return 0;
}
