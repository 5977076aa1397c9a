/*
 * A small redirector, written as a file-system driver is: it opens, enumerates and reads a tree that lies
 * behind a "server" (host.h). Every byte comes through RxAllocatePoolWithTag and goes through RxFreePool.
 *
 *   device -- prefix table: `\server` -> SRV_CALL,  `\server\share` -> V_NET_ROOT
 *                                           ^             |
 *                                           +- NET_ROOT <-+
 *                                                 |
 *                                  FCB table: name below the share -> FCB       one for each file
 *                                                                      |
 *                                                                  SRV_OPEN     one for each open on the server
 *                                                                      |
 *                                                                    FOBX       one for each open here
 *
 *   An open file is FCB + SRV_OPEN + FOBX; a second open of the file shares the SRV_OPEN. An FCB that
 *   nobody has open stays in its table, dormant, until DORMANT_FCBS younger ones have followed it.
 *
 * Lock order: FCB resource, prefix table resource, FCB table resource, dormant mutex; the work queue's
 * spin lock comes last and nothing is called under it.
 */
#ifndef MINIRDR_CORE_H
#define MINIRDR_CORE_H

#include <ntifs.h>
#include <ntrxdef.h>

#include "host.h"

#define TAG_SRV_CALL 'cSxR'
#define TAG_NET_ROOT 'rNxR'
#define TAG_V_NET_ROOT 'nVxR'
#define TAG_FCB 'cFxR'
#define TAG_NON_PAGED_FCB 'fNxR'
#define TAG_SRV_OPEN 'oSxR'
#define TAG_FOBX 'xFxR'
#define TAG_CONTEXT 'rIxR'
#define TAG_WORK_QUEUE 'qWxR'
#define TAG_DIRECTORY 'cDxR'
#define TAG_READ 'bRxR'
#define TAG_MISC 'sMxR'

#define PREFIX_BUCKETS 32
#define FCB_BUCKETS 1024
#define DORMANT_FCBS 256
/* Batches of names that may wait; beyond, a thread reads what it found itself. */
#define WAITING_BATCHES 64
#define DIRECTORY_BUFFER_BYTES (4 * PAGE_SIZE)
#define READ_BYTES_MAX (16 * PAGE_SIZE)

/* --- what was done: read at any time by whoever shows progress --------------------------------------- */

typedef struct _MINIRDR_STATISTICS {
    volatile LONG64 Directories; /* seen, the root included */
    volatile LONG64 Files;       /* seen */
    volatile LONG64 Links;       /* seen, not followed */
    volatile LONG64 Others;      /* seen: sockets, fifos, devices */
    volatile LONG64 FilesRead;   /* read to the end and compared equal */
    volatile LONG64 Bytes;       /* read and compared equal */
    volatile LONG64 Unreadable;  /* names, see HOST_EVENT for this and the next three */
    volatile LONG64 SizeChanged;
    volatile LONG64 Changed;
    volatile LONG64 Different;
    volatile LONG64 DamagedBlocks; /* pool blocks that failed RxCheckMemoryBlock */
    volatile LONG64 Opens;         /* FOBXs made */
    volatile LONG64 SharedOpens;   /* of them, on a SRV_OPEN that was there */
    volatile LONG64 WorkItems;
} MINIRDR_STATISTICS, *PMINIRDR_STATISTICS;

/* --- names ------------------------------------------------------------------------------------------- */

typedef struct _RX_PREFIX_ENTRY {
    LIST_ENTRY Links;
    ULONG Hash;
    UNICODE_STRING Name; /* the container's own buffer */
    PVOID Container;
} RX_PREFIX_ENTRY, *PRX_PREFIX_ENTRY;

/* Names by hash. Few names, all of at most MaximumComponents components; many look-ups. */
typedef struct _RX_PREFIX_TABLE {
    ERESOURCE Lock;
    ULONG MaximumComponents;
    LIST_ENTRY Buckets[PREFIX_BUCKETS];
} RX_PREFIX_TABLE, *PRX_PREFIX_TABLE;

typedef struct _SRV_CALL {
    RX_PREFIX_ENTRY Prefix;
    UNICODE_STRING Name;
} SRV_CALL, *PSRV_CALL;

typedef struct _NET_ROOT {
    PSRV_CALL SrvCall;
    PLIST_ENTRY FcbBuckets; /* FCB_BUCKETS of them, under FcbTableLock */
    ERESOURCE FcbTableLock;
    FAST_MUTEX DormantLock; /* every FCB's References, and the list */
    LIST_ENTRY Dormant;     /* FCBs with no reference, the oldest first */
    ULONG DormantCount;
} NET_ROOT, *PNET_ROOT;

/* A user's view of a NET_ROOT. */
typedef struct _V_NET_ROOT {
    RX_PREFIX_ENTRY Prefix;
    PNET_ROOT NetRoot;
    UNICODE_STRING Name;
} V_NET_ROOT, *PV_NET_ROOT;

/* --- open files -------------------------------------------------------------------------------------- */

/* What of an FCB must not be paged out. */
typedef struct _NON_PAGED_FCB {
    ERESOURCE Resource;
} NON_PAGED_FCB, *PNON_PAGED_FCB;

typedef struct _SRV_OPEN SRV_OPEN, *PSRV_OPEN;

typedef struct _FCB {
    PNET_ROOT NetRoot;
    PNON_PAGED_FCB NonPaged;
    LIST_ENTRY TableLinks;
    LIST_ENTRY DormantLinks; /* while References is 0 */
    ULONG Hash;
    ULONG References;    /* FOBXs, and calls that look at it */
    UNICODE_STRING Name; /* below the share, without a leading `\`; a pool block of its own */
    PSRV_OPEN SrvOpen;   /* under Resource */
} FCB, *PFCB;

struct _SRV_OPEN {
    HANDLE File;
    HOST_FILE_INFO Info;
    ULONG OpenCount; /* FOBXs on it, under the FCB's resource */
};

typedef struct _FOBX {
    PFCB Fcb;
    PSRV_OPEN SrvOpen;
    volatile LONG References;
} FOBX, *PFOBX;

/* --- work -------------------------------------------------------------------------------------------- */

typedef struct _MINIRDR_DEVICE MINIRDR_DEVICE, *PMINIRDR_DEVICE;

/* One thing to do: enumerate the directory Name, or read the files that Buffer names in Directory. */
typedef struct _RX_CONTEXT {
    PMINIRDR_DEVICE Device;
    UNICODE_STRING Name; /* full, `\server\share\...`; a pool block */
    PFOBX Directory;     /* referenced; NULL for an enumeration */
    PVOID Buffer;
} RX_CONTEXT, *PRX_CONTEXT;

typedef VOID (*PWORK_ROUTINE)(PRX_CONTEXT Context);

typedef struct _WORK_ITEM {
    LIST_ENTRY Links;
    PWORK_ROUTINE Routine;
    PRX_CONTEXT Context;
} WORK_ITEM, *PWORK_ITEM;

/* The newest item first: a tree is walked in depth, so that the queue stays short. */
typedef struct _WORK_QUEUE {
    KSPIN_LOCK Lock;
    LIST_ENTRY Items;
    ULONG Depth;
    ULONG Outstanding; /* waiting and running; 0 ends the workers */
    KEVENT Available;  /* lets one worker go on, who passes it on */
} WORK_QUEUE, *PWORK_QUEUE;

struct _MINIRDR_DEVICE {
    NPAGED_LOOKASIDE_LIST ContextList;
    NPAGED_LOOKASIDE_LIST NonPagedFcbList;
    PAGED_LOOKASIDE_LIST FcbList;
    PAGED_LOOKASIDE_LIST FobxList;
    LOOKASIDE_LIST_EX WorkItemList;
    PMINIRDR_HOST Host;
    PMINIRDR_STATISTICS Statistics;
    RX_PREFIX_TABLE PrefixTable;
    WORK_QUEUE WorkQueue;
    PSRV_CALL SrvCall;
    PV_NET_ROOT VNetRoot;
};

/* --- core.c ------------------------------------------------------------------------------------------ */

/*
 * The whole job: connects to the host's share, reads the tree on Threads threads, disconnects and unloads.
 * Statistics is zero on entry. STATUS_SUCCESS when the tree was walked, whatever was found in it;
 * STATUS_INSUFFICIENT_RESOURCES, or the status of the root's open. *Leaks: blocks that were still live.
 * IRQL = PASSIVE_LEVEL.
 */
NTSTATUS MinirdrRun(PMINIRDR_HOST Host, ULONG Threads, PMINIRDR_STATISTICS Statistics,
                    SIZE_T *Leaks);

/* Passes a pool block's state on to the statistics. */
VOID MiniCheckBlock(PMINIRDR_DEVICE Device, PVOID Block);

/* --- core_names.c: the prefix table and what it leads to. IRQL <= APC_LEVEL ---------------------------- */

extern const UNICODE_STRING MiniEmptyName;
/* Copies Prefix, a `\` when neither side is empty, and Name into a new pool block under Tag.
 * STATUS_NAME_TOO_LONG, STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS MiniJoinNames(PCUNICODE_STRING Prefix, PCUNICODE_STRING Name, ULONG Tag,
                       PUNICODE_STRING Joined);
ULONG MiniHashName(PCUNICODE_STRING Name);
BOOLEAN MiniEqualNames(PCUNICODE_STRING One, PCUNICODE_STRING Other);

VOID MiniInitializePrefixTable(PRX_PREFIX_TABLE Table);
VOID MiniInsertPrefix(PRX_PREFIX_TABLE Table, PRX_PREFIX_ENTRY Entry, PCUNICODE_STRING Name,
                      PVOID Container);
VOID MiniRemovePrefix(PRX_PREFIX_TABLE Table, PRX_PREFIX_ENTRY Entry);
/* The container of the longest inserted name that Name begins with, whole components only; Rest is what
 * follows, without its leading `\`. NULL when there is none. */
PVOID MiniLookupPrefix(PRX_PREFIX_TABLE Table, PCUNICODE_STRING Name, PUNICODE_STRING Rest);

/* Makes SRV_CALL, NET_ROOT and V_NET_ROOT of the host's names, or nothing. */
NTSTATUS MiniConnect(PMINIRDR_DEVICE Device);
/* Undoes MiniConnect; every file must be closed. */
VOID MiniDisconnect(PMINIRDR_DEVICE Device);

/* --- core_open.c: FCBs, SRV_OPENs and FOBXs. IRQL = PASSIVE_LEVEL -------------------------------------- */

/*
 * Opens Name, a full `\server\share\...`. Directory, when not NULL, is the open directory that holds it, and
 * spares the server the way. STATUS_OBJECT_PATH_NOT_FOUND for a share that is not connected.
 */
NTSTATUS MiniOpen(PMINIRDR_DEVICE Device, PCUNICODE_STRING Name, PFOBX Directory, PFOBX *Fobx);
VOID MiniReferenceFobx(PFOBX Fobx);
/* Closes the file with the last reference. */
VOID MiniDereferenceFobx(PMINIRDR_DEVICE Device, PFOBX Fobx);
/* Finalises dormant FCBs, the oldest first, until Keep are left. */
VOID MiniTrimDormantFcbs(PMINIRDR_DEVICE Device, PNET_ROOT NetRoot, ULONG Keep);

/* --- core_read.c. IRQL = PASSIVE_LEVEL ------------------------------------------------------------------ */

/* Reads the open file from its start to its end, comparing; counts and reports what it finds. */
VOID MiniReadFile(PMINIRDR_DEVICE Device, PFOBX Fobx);
/* Counts and reports a name that could not be opened or read. Name is below the share. */
VOID MiniUnreadable(PMINIRDR_DEVICE Device, PCUNICODE_STRING Name, NTSTATUS Status);

/* --- core_walk.c: the two kinds of work. IRQL = PASSIVE_LEVEL -------------------------------------------- */

/* Queues the enumeration of the directory Name. */
NTSTATUS MiniPostDirectory(PMINIRDR_DEVICE Device, PCUNICODE_STRING Parent, PCUNICODE_STRING Name);

/* --- core_queue.c ------------------------------------------------------------------------------------------ */

VOID MiniInitializeWorkQueue(PWORK_QUEUE Queue);
/* Has a worker call Routine(Context). STATUS_INSUFFICIENT_RESOURCES. IRQL <= DISPATCH_LEVEL */
NTSTATUS MiniPostWork(PMINIRDR_DEVICE Device, PWORK_ROUTINE Routine, PRX_CONTEXT Context);
/* A snapshot of how many items wait. IRQL <= DISPATCH_LEVEL */
ULONG MiniQueueDepth(PWORK_QUEUE Queue);
/* What each worker thread runs: does work until none is outstanding. IRQL = PASSIVE_LEVEL */
VOID MiniWorker(PVOID Device);

#endif
