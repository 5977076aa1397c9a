/*
 * rules.sys: what holds in a kernel only. Options and reports of a driver, exhaustion, DISPATCH_LEVEL, blocks that
 * change hands, and the end; in the case "verified", what holds under Driver Verifier; in the case "asked", what a driver may ask
 * for by its options, and in "raises" how a failure on purpose comes about. One line in the log for each rule that does not hold, and a last one for all.
 */
#include <ntifs.h>

#define RXPOOL_CHECKED 1
#include <ntrxdef.h>

#include "hooks.h"
#include "journal.h"

#define TAG 'luRR'
#define MANY 2000

static ULONG Failed, Tried;
static CHAR Said[16384];
static SIZE_T SaidBytes;

static VOID Expect(BOOLEAN Holds, const CHAR *Rule) {
    Tried++;
    if (Holds)
        return;
    Failed++;
    JournalPrint("FAILED: %s\n", Rule);
}

/* Whether what was taken last has the words in it. */
static BOOLEAN Mentions(const CHAR *Words) {
    for (const CHAR *At = Said; *At != '\0'; At++) {
        SIZE_T i = 0;

        while (Words[i] != '\0' && At[i] == Words[i])
            i++;
        if (Words[i] == '\0')
            return TRUE;
    }
    return FALSE;
}

/* Takes what was reported; answers whether it has the words in it (NULL: whether there is nothing). */
static BOOLEAN Reported(const CHAR *Words) {
    SaidBytes = RxPoolReadReports(Said, sizeof(Said) - 1, NULL);
    Said[SaidBytes] = '\0';
    if (Words == NULL)
        return SaidBytes == 0;
    return Mentions(Words);
}

static VOID Options(VOID) {
    static CHAR Long[300];

    for (ULONG i = 0; i + 1 < sizeof(Long); i++)
        Long[i] = ':';
    Expect(!RxPoolConfigure(Long), "options that are too long are refused");
    Expect(RxPoolConfigure("quarantine=64K:strict=irq"), "options are taken before the first use");
    RxFreePool(RxAllocatePoolWithTag(NonPagedPool, 8, TAG));
    Expect(Reported("'irq' is no value for strict"), "a bad option is named");
    Expect(!RxPoolConfigure("fill=0"), "options are refused after the first use");
}

static VOID Exhaustion(VOID) {
    HookFailures = 2; /* the quarantine is emptied, and a second try made */
    Expect(RxAllocatePoolWithTag(NonPagedPool, 100, TAG) == NULL, "no memory is no block");
    Expect(HookFailures == 0, "an allocation is tried again when the quarantine is empty");
    HookFailures = 1;
    PVOID Block = RxAllocatePoolWithTag(NonPagedPool, 100, TAG);
    Expect(Block != NULL && Reported(NULL), "the second try is silent");
    RxFreePool(Block);
}

/* No memory for records: blocks without, that the pool gets back as they are. */
static VOID NoTables(VOID) {
    static PVOID Blocks[MANY];
    ULONG Count = 0;

    HookTableFailures = MAXLONG;
    while (Count < MANY && (Blocks[Count] = RxAllocatePoolWithTag(NonPagedPool, 16, TAG)) != NULL)
        Count++;
    Expect(Count == MANY, "blocks are handed out without records");
    Expect(Reported("further blocks are not checked"), "it is said once that records ran out");
    while (Count > 0)
        RxFreePool(Blocks[--Count]);
    HookTableFailures = 0;
    Expect(Reported(NULL), "blocks without a record are freed");
}

static VOID Dispatch(VOID) {
    PUCHAR Paged = RxAllocatePoolWithTag(PagedPool, 100, TAG);
    KIRQL Old = HookRaiseIrql(DISPATCH_LEVEL);

    for (ULONG i = 0; i < MANY; i++) /* they push each other out of the quarantine */
        RxFreePool(RxAllocatePoolWithTag(NonPagedPool, 100, TAG));
    Expect(Reported(NULL), "nonpaged blocks come and go at DISPATCH_LEVEL");
    Expect(RxAllocatePoolWithTag(PagedPool, 100, TAG) == NULL, "no paged pool at DISPATCH_LEVEL");
    Expect(Reported("pool was requested at an IRQL that is too high"), "which is reported");
    RxFreePool(Paged);
    Expect(Reported("a block was freed at an IRQL that is too high"), "a paged block stays");
    Expect(RxCheckMemoryBlock(Paged), "a paged block is not looked at");
    Expect(Reported("a paged block cannot be checked at this IRQL"), "which is said");
    HookLowerIrql(Old);
    Expect(RxCheckMemoryBlock(Paged) && Reported(NULL), "it is there, and whole");
    RxFreePool(Paged);
}

/* What is freed below is not pushed out above, where its bytes must not be touched. */
static VOID PagedQuarantine(VOID) {
    PUCHAR Paged = RxAllocatePoolWithTag(PagedPool, 100, TAG);

    RxFreePool(Paged);
    Paged[5] = 'A';
    KIRQL Old = HookRaiseIrql(DISPATCH_LEVEL);
    for (ULONG i = 0; i < MANY; i++)
        RxFreePool(RxAllocatePoolWithTag(NonPagedPool, 100, TAG));
    Expect(Reported(NULL), "paged blocks do not leave the quarantine at DISPATCH_LEVEL");
    HookLowerIrql(Old);
    RxCheckAllMemoryBlocks();
    Expect(Reported("a block was written to after it was freed"), "they do below it");
}

#define REGION(Block) ((ULONG_PTR)(Block) >> 16) /* what shares a shard of the registry */

/* A damaged block is told of when a later free makes it leave. */
static VOID Evicted(VOID) {
    static PUCHAR Blocks[MANY];

    for (ULONG i = 0; i < MANY; i++)
        Blocks[i] = RxAllocatePoolWithTag(PagedPool, 100, TAG);
    PUCHAR Late = Blocks[MANY / 2];
    RxFreePool(Late);
    Late[5] = 'A';
    for (ULONG i = 0; i < MANY; i++) {
        if (Blocks[i] != Late && REGION(Blocks[i]) == REGION(Late))
            RxFreePool(Blocks[i]);
    }
    Expect(Reported("a block was written to after it was freed") &&
               Mentions("detected by: RxFreePool"),
           "a block is looked at when it leaves the quarantine");
    for (ULONG i = 0; i < MANY; i++) {
        if (REGION(Blocks[i]) != REGION(Late))
            RxFreePool(Blocks[i]);
    }
    Expect(Reported(NULL), "the others are whole");
}

static VOID Pins(VOID) {
    PVOID Block = RxAllocatePoolWithTag(NonPagedPool, 100, TAG);
    LONG Before = HookRaises;

    Expect(RxCheckMemoryBlock(Block) && HookRaises > Before && HookRaises == HookLowers,
           "nobody interrupts who looks at a nonpaged block");
    RxFreePool(Block);
}

static VOID Hands(VOID) {
    PVOID Theirs = ExAllocatePoolWithTag(PagedPool, 100, TAG);
    PVOID Handed = RxAllocatePoolForOthers(PagedPool, 100, TAG);
    ULONG Mark = RxPoolMark();

    RxFreePool(Theirs);
    ExFreePool(Handed);
    Expect(RxPoolLeaksSince(Mark) == 0 && Reported(NULL), "blocks change hands without a word");
    Handed = RxAllocatePoolForOthers(PagedPool, 100, TAG);
    RxFreePool(Handed);
    Expect(Reported(NULL), "what was meant for others may come back");
}

static VOID Kept(VOID) {
    ULONG Dropped = 0;

    for (ULONG i = 0; i < 400; i++)
        RxCheckMemoryBlock(&Dropped);
    RxPoolReadReports(Said, sizeof(Said), &Dropped);
    Expect(Dropped > 0 && Dropped < 400, "reports that find no room are counted");
    while (!Reported(NULL))
        ;
    Expect(HookLongest > 100 && HookLongest <= 511, "the debugger gets at most 512 bytes at once");
}

/* Where Driver Verifier watches, blocks are plain, so that its guards are at their ends; and recorded. */
static VOID Verified(VOID) {
    HookVerified = TRUE;
    PVOID Block = RxAllocatePoolWithTag(NonPagedPool, 20, TAG);
    Expect(Block == HookBlock && HookBytes == 20, "a watched block is the pool's own");
    Expect(RxCheckMemoryBlock(Block) && RxCheckAllMemoryBlocks() == 0 && Reported(NULL),
           "it is whole");
    RxFreePoolWithTag(Block, TAG + 1);
    Expect(Reported("a block was freed with another tag"), "its tag is checked");
    RxFreePool(Block);
    RxFreePool(Block);
    Expect(Reported("a block was freed a second time"), "it is known to be freed");
}

#define FAIL_TAG 'liaF' /* "Fail" */

/* The third request under the tag fails, and nothing else. */
static VOID Failing(VOID) {
    PVOID Blocks[4];

    RxFreePool(RxAllocatePoolWithTag(NonPagedPool, 100, TAG));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Blocks); i++)
        Blocks[i] = RxAllocatePoolWithTag(NonPagedPool, 100, FAIL_TAG);
    Expect(Blocks[0] != NULL && Blocks[1] != NULL && Blocks[2] == NULL && Blocks[3] != NULL,
           "the third fails");
    Expect(Reported(NULL), "a failure on purpose is silent");
    RxFreePool(Blocks[0]);
    RxFreePool(Blocks[0]);
    Expect(Reported("injected: 1 failure, the last at ") && Mentions("rules.c:") &&
               Mentions("(allocation 3)"),
           "a later report tells of it");
    RxFreePool(Blocks[1]);
    RxFreePool(Blocks[3]);
}

/* A failure is as the request says that failures are. */
static VOID FailingRaises(VOID) {
    PVOID Block;

    if (__builtin_setjmp(HookRaise) != 0) {
        Expect(HookRaised == STATUS_INSUFFICIENT_RESOURCES,
               "it raises where a request asks for that");
        return;
    }
    Block = RxAllocatePoolWithTag(NonPagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE, 100, FAIL_TAG);
    Expect(Block == NULL, "a request that raises is failed too");
    RxFreePool(Block);
}

DECLSPEC_NOINLINE static PVOID Deep(ULONG Level) {
    PVOID Block = Level == 0 ? RxAllocatePoolWithTag(NonPagedPool, 100, TAG) : Deep(Level - 1);
    HookTables += 0; /* so that no call is the last thing that a level does */
    return Block;
}

/* Blocks have the stacks that they were allocated on. */
static VOID Stacks(VOID) {
    PVOID Block = Deep(3);

    RxFreePool(Block);
    RxFreePool(Block);
    Expect(Reported("allocated at: ") && Mentions("  #0 0x") && Mentions("  #3 0x"),
           "a block's allocation has its callers");
    Expect(!Mentions("  #5 0x"), "no more of them than asked for");
}

static VOID Calls(VOID) {
    RxFreePool(RxAllocatePoolWithTag(NonPagedPool, 100, TAG));
}

/* Under sweep=1 each call looks at one more block, of those in the quarantine too. */
static VOID Sweep(VOID) {
    PUCHAR Live = RxAllocatePoolWithTag(NonPagedPool, 100, TAG);
    PUCHAR Held = RxAllocatePoolWithTag(NonPagedPool, 100, TAG);
    ULONG i = 0;

    RxFreePool(Held);
    Held[7] = 'A';
    for (; i < MANY && !Reported("a block was written to after it was freed"); i++)
        Calls();
    Expect(i < MANY && Mentions("detected by: sweep"), "a freed block is swept");
    Expect(Mentions("last seen good: "), "and was seen good when it was freed");
    Live[100] = 'A';
    for (i = 0; i < MANY && !Reported("bytes behind the end"); i++)
        Calls();
    Expect(i < MANY, "a live one too");
    Live[100] = 0xBD;
    RxFreePool(Live);
    while (!Reported(NULL))
        ;
}

/* The fifth allocation of all stops where a debugger looks. */
static VOID Breaks(VOID) {
    PVOID Blocks[6];

    for (ULONG i = 0; i < RTL_NUMBER_OF(Blocks); i++) {
        Blocks[i] = RxAllocatePoolWithTag(NonPagedPool, 100, TAG);
        Expect(HookBreaks == (i >= 4), "the fifth allocation is the one");
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(Blocks); i++)
        RxFreePool(Blocks[i]);
}

static VOID Asked(VOID) {
    RxPoolConfigure("break=5:fail=3:fail_tag=Fail:stacks=4:sweep=1");
    Breaks();
    Failing();
    Stacks();
    Sweep();
}

static VOID AskedToRaise(VOID) {
    RxPoolConfigure("fail=100%:fail_tag=Fail");
    FailingRaises();
}

static VOID Unwatched(VOID) {
    Options();
    Exhaustion();
    Dispatch();
    PagedQuarantine();
    Evicted();
    Pins();
    Hands();
    NoTables();
    Kept();
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver) {
    PVOID Block = RxAllocatePoolWithTag(NonPagedPool, 100, TAG);

    UNREFERENCED_PARAMETER(Driver);
    Expect(RxPoolUnload() == 1 && Reported("*** LEAKS: 1 block, 100 bytes"), "a leak is told");
    RxFreePool(Block);
    Expect(Reported(NULL), "its record stays, for a free that comes late");
    Expect(RxPoolUnload() == 0 && Reported(NULL), "then there is none");
    Block = RxAllocatePoolWithTag(NonPagedPool, 100, TAG);
    RxFreePool(Block);
    RxFreePool(Block);
    Expect(Reported("a block was freed a second time"), "all begins anew after it");
    RxPoolUnload();
    Expect(HookTables == 0, "nothing of the library's own is left");
    JournalPrint("rules: %s: %lu of %lu hold\n", Failed == 0 ? "passed" : "FAILED", Tried - Failed,
                 Tried);
    JournalClose();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath);
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath) {
    NTSTATUS Status = JournalOpen(RegistryPath);

    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    if (JournalCase()[0] == 'v')
        Verified();
    else if (JournalCase()[0] == 'a')
        Asked();
    else if (JournalCase()[0] == 'r')
        AskedToRaise();
    else
        Unwatched();
    return STATUS_SUCCESS;
}
