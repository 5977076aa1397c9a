/*
 * A file in plain driver style: one source for the mingw-w64 kit's headers and for rxpool's own.
 * No C library here, as in a driver.
 */
#include <ntifs.h>

#include "ntrxdef.h"

#define TAG_RECORD 'cFxR'
#define RECORDS 100

typedef struct _RECORD {
    LIST_ENTRY Link;
    ULONG Number;
    UCHAR Payload[40];
} RECORD, *PRECORD;

static LIST_ENTRY Records;
static NPAGED_LOOKASIDE_LIST Lookaside;
static KEVENT Done;

static BOOLEAN FillFromPool(VOID) {
    ULONG i;
    for (i = 0; i < RECORDS; i++) {
        PRECORD record =
            RxAllocatePoolWithTag(PagedPool | POOL_COLD_ALLOCATION, sizeof(RECORD), TAG_RECORD);
        if (record == NULL) {
            return FALSE;
        }
        record->Number = i;
        InsertTailList(&Records, &record->Link);
    }
    return TRUE;
}

static BOOLEAN DrainInOrder(VOID) {
    ULONG i;
    for (i = 0; !IsListEmpty(&Records); i++) {
        PLIST_ENTRY entry = RemoveHeadList(&Records);
        PRECORD record = CONTAINING_RECORD(entry, RECORD, Link);
        if (record->Number != i) {
            return FALSE;
        }
        RxFreePool(record);
    }
    return i == RECORDS;
}

static BOOLEAN UseLookaside(VOID) {
    PVOID first, second;
    ExInitializeNPagedLookasideList(&Lookaside, NULL, NULL, 0, sizeof(RECORD), TAG_RECORD, 0);
    first = ExAllocateFromNPagedLookasideList(&Lookaside);
    second = ExAllocateFromNPagedLookasideList(&Lookaside);
    if (first == NULL || second == NULL || first == second) {
        return FALSE;
    }
    ExFreeToNPagedLookasideList(&Lookaside, second);
    ExFreeToNPagedLookasideList(&Lookaside, first);
    ExDeleteNPagedLookasideList(&Lookaside);
    return TRUE;
}

int DriverMain(void);

/* Answers 0, or the number of the step that failed. */
int DriverMain(void) {
    PVOID page;
    InitializeListHead(&Records);
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    if (!FillFromPool()) {
        return 1;
    }
    if (!DrainInOrder()) {
        return 2;
    }
    if (!UseLookaside()) {
        return 3;
    }
    page = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, 'fNxR');
    if (page == NULL || ((ULONG_PTR)page & (PAGE_SIZE - 1)) != 0) {
        return 4;
    }
    ExFreePoolWithTag(page, 'fNxR');
    KeSetEvent(&Done, 0, FALSE);
    return KeReadStateEvent(&Done) != 0 ? 0 : 5;
}
