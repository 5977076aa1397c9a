/*
 * For tests under Wine: what its kernel leaves as a stub that raises (ExAllocatePoolWithTagPriority), does not have
 * (LOOKASIDE_LIST_EX), or has at one value (the IRQL), and what it emulates at thousands of times a
 * processor's cost (the IRQL's register, the page with the time). Linked as an object, it comes before the
 * library's ntkernel_cpu.c and before the import library.
 */
#include "hooks.h"

#include <stdarg.h>

#include "plat/irql.h"
#include "plat/plat.h"

#define ALLOCATION_MOST ((SIZE_T)64 << 20)
#define NAMED(name) __asm__(#name)
#define TAG_TABLES 'bTxR' /* of plat/ntkernel.c */

/* --- IRQL and time --------------------------------------------------------------------------- */

KIRQL ntkernel_irql(void);
ULONGLONG ntkernel_time(void);

static volatile KIRQL irql; /* one thread of a test raises it */

KIRQL ntkernel_irql(void) {
    return irql;
}

KIRQL HookRaiseIrql(KIRQL new_irql) {
    KIRQL old = irql;
    irql = new_irql;
    return old;
}

VOID HookLowerIrql(KIRQL new_irql) {
    irql = new_irql;
}

volatile LONG HookRaises, HookLowers;

/* A test's other threads must not see the one that pins a block. */
unsigned plat_irql_raise(void) {
    InterlockedIncrement(&HookRaises);
    return irql;
}

void plat_irql_lower(unsigned old) {
    (void)old;
    InterlockedIncrement(&HookLowers);
}

/* As coarse and nearly as cheap as the shared page's: looked up at every 64th call. */
ULONGLONG ntkernel_time(void) {
    static volatile LONG calls;
    static volatile ULONGLONG last;
    if (calls++ % 64 == 0) {
        LARGE_INTEGER frequency;
        LARGE_INTEGER now = KeQueryPerformanceCounter(&frequency);
        last = (ULONGLONG)now.QuadPart * 1000 / (ULONGLONG)frequency.QuadPart * 10000;
    }
    return last;
}

/* --- the pool -------------------------------------------------------------------------------- */

BOOLEAN HookVerified;

bool plat_pool_is_guarded(void) {
    return HookVerified;
}

PVOID HookBlock;
SIZE_T HookBytes;
volatile LONG HookFailures, HookTableFailures, HookTables;

PVOID NTAPI hook_allocate(POOL_TYPE type, SIZE_T size, ULONG tag, EX_POOL_PRIORITY priority)
    NAMED(ExAllocatePoolWithTagPriority);
PVOID NTAPI hook_allocate(POOL_TYPE type, SIZE_T size, ULONG tag, EX_POOL_PRIORITY priority) {
    (void)priority;
    (void)tag;
    if (size > ALLOCATION_MOST)
        return NULL;
    if (HookFailures > 0 && InterlockedDecrement(&HookFailures) >= 0)
        return NULL;
    HookBytes = size;
    HookBlock = ExAllocatePool(type, size);
    return HookBlock;
}
extern PVOID hook_allocate_import NAMED(__imp_ExAllocatePoolWithTagPriority);
PVOID hook_allocate_import = (PVOID)hook_allocate;

PVOID NTAPI hook_plain(POOL_TYPE type, SIZE_T size, ULONG tag) NAMED(ExAllocatePoolWithTag);
PVOID NTAPI hook_plain(POOL_TYPE type, SIZE_T size, ULONG tag) {
    PVOID memory;
    if (tag == TAG_TABLES && HookTableFailures > 0 && InterlockedDecrement(&HookTableFailures) >= 0)
        return NULL;
    memory = ExAllocatePool(type, size);
    if (tag == TAG_TABLES && memory != NULL)
        InterlockedIncrement(&HookTables);
    return memory;
}
extern PVOID hook_plain_import NAMED(__imp_ExAllocatePoolWithTag);
PVOID hook_plain_import = (PVOID)hook_plain;

VOID NTAPI hook_free(PVOID memory, ULONG tag) NAMED(ExFreePoolWithTag);
VOID NTAPI hook_free(PVOID memory, ULONG tag) {
    if (tag == TAG_TABLES)
        InterlockedDecrement(&HookTables);
    ExFreePool(memory);
}
extern PVOID hook_free_import NAMED(__imp_ExFreePoolWithTag);
PVOID hook_free_import = (PVOID)hook_free;

/* --- the debugger ---------------------------------------------------------------------------- */

int __cdecl _vsnprintf(char *buffer, size_t count, const char *format, va_list arguments);

volatile LONG HookLongest;

ULONG hook_print(ULONG component, ULONG level, PCSTR format, ...) NAMED(DbgPrintEx);
ULONG hook_print(ULONG component, ULONG level, PCSTR format, ...) {
    static CHAR text[2048];
    va_list arguments;
    va_start(arguments, format);
    LONG length = _vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (component == DPFLTR_IHVDRIVER_ID && level == DPFLTR_ERROR_LEVEL && length > HookLongest)
        HookLongest = length;
    return STATUS_SUCCESS;
}
extern PVOID hook_print_import NAMED(__imp_DbgPrintEx);
PVOID hook_print_import = (PVOID)hook_print;

/* --- stops ----------------------------------------------------------------------------------- */

volatile LONG HookBreaks;

void plat_break(void) {
    InterlockedIncrement(&HookBreaks);
}

PVOID HookRaise[5];
volatile LONG HookRaised;

DECLSPEC_NORETURN VOID NTAPI hook_raise(NTSTATUS status) NAMED(ExRaiseStatus);
DECLSPEC_NORETURN VOID NTAPI hook_raise(NTSTATUS status) {
    HookRaised = status;
    __builtin_longjmp(HookRaise, 1);
}
extern PVOID hook_raise_import NAMED(__imp_ExRaiseStatus);
PVOID hook_raise_import = (PVOID)hook_raise;

/* --- lookaside lists ------------------------------------------------------------------------- */

NTSTATUS NTAPI hook_initialize(PLOOKASIDE_LIST_EX list, PALLOCATE_FUNCTION_EX allocate,
                               PFREE_FUNCTION_EX release, POOL_TYPE type, ULONG flags, SIZE_T size,
                               ULONG tag, USHORT depth) NAMED(ExInitializeLookasideListEx);
NTSTATUS NTAPI hook_initialize(PLOOKASIDE_LIST_EX list, PALLOCATE_FUNCTION_EX allocate,
                               PFREE_FUNCTION_EX release, POOL_TYPE type, ULONG flags, SIZE_T size,
                               ULONG tag, USHORT depth) {
    (void)flags;
    (void)depth;
    RtlZeroMemory(list, sizeof(*list));
    InitializeSListHead(&list->L.ListHead);
    list->L.AllocateEx = allocate;
    list->L.FreeEx = release;
    list->L.Type = type;
    list->L.Size = (ULONG)size;
    list->L.Tag = tag;
    list->L.Depth = 64;
    return STATUS_SUCCESS;
}
extern PVOID hook_initialize_import NAMED(__imp_ExInitializeLookasideListEx);
PVOID hook_initialize_import = (PVOID)hook_initialize;

VOID NTAPI hook_delete(PLOOKASIDE_LIST_EX list) NAMED(ExDeleteLookasideListEx);
VOID NTAPI hook_delete(PLOOKASIDE_LIST_EX list) {
    PVOID entry;
    while ((entry = InterlockedPopEntrySList(&list->L.ListHead)) != NULL)
        list->L.FreeEx(entry, list);
}
extern PVOID hook_delete_import NAMED(__imp_ExDeleteLookasideListEx);
PVOID hook_delete_import = (PVOID)hook_delete;
