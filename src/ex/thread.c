/*
 * System threads as objects: started, waited for, referenced and closed. An object is held by its
 * running thread, by its open handle and by each reference; the last one to go frees it.
 */
#include <stdlib.h>

#include "ex/dispatcher.h"
#include "ex/ntthread.h"
#include "plat/plat.h"
#include "plat/wait.h"

THREAD_LOCAL_DEFINE(struct nt_thread_state, nt_thread_values);

struct _KTHREAD {
    DISPATCHER_HEADER header;
    LONG references;
    HANDLE handle; /* NULL once closed */
    PKTHREAD next; /* with an open handle */
    PKSTART_ROUTINE routine;
    PVOID context;
};

/* Handles are multiples of 4, as NT's are, and never used twice. */
static struct {
    struct plat_lock lock;
    PKTHREAD first;
    uintptr_t last_handle;
} threads;

static int thread_type;
static POBJECT_TYPE thread_type_object = (POBJECT_TYPE)(void *)&thread_type;
RXP_EXPORT POBJECT_TYPE *PsThreadType = &thread_type_object;

NTKERNELAPI LONG_PTR FASTCALL ObfDereferenceObject(PVOID Object) {
    PKTHREAD thread = Object;
    LONG left = __atomic_sub_fetch(&thread->references, 1, __ATOMIC_ACQ_REL);

    if (left == 0)
        free(thread);
    return left;
}

static void thread_ended(void) {
    PKTHREAD thread = nt_thread.object;

    nt_thread.object = NULL;
    dispatcher_signal(&thread->header);
    ObfDereferenceObject(thread);
}

static void thread_run(void *argument) {
    PKTHREAD thread = argument;

    nt_thread.object = thread;
    thread->routine(thread->context);
    thread_ended();
}

static void handle_open(PKTHREAD thread) {
    plat_lock_acquire(&threads.lock);
    threads.last_handle += 4;
    thread->handle = (HANDLE)threads.last_handle;
    thread->next = threads.first;
    threads.first = thread;
    plat_lock_release(&threads.lock);
}

/* The link that leads to the handle's thread, or NULL. Under the lock. */
static PKTHREAD *handle_find(HANDLE handle) {
    for (PKTHREAD *link = &threads.first; *link != NULL; link = &(*link)->next) {
        if ((*link)->handle == handle)
            return link;
    }
    return NULL;
}

NTSYSAPI NTSTATUS NTAPI ZwClose(HANDLE Handle) {
    PKTHREAD thread = NULL;
    PKTHREAD *link;

    plat_lock_acquire(&threads.lock);
    link = handle_find(Handle);
    if (link != NULL) {
        thread = *link;
        *link = thread->next;
        thread->handle = NULL;
    }
    plat_lock_release(&threads.lock);
    if (thread == NULL)
        return STATUS_INVALID_HANDLE;
    ObfDereferenceObject(thread);
    return STATUS_SUCCESS;
}

NTKERNELAPI NTSTATUS NTAPI PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess,
                                                POBJECT_ATTRIBUTES ObjectAttributes,
                                                HANDLE ProcessHandle, PCLIENT_ID ClientId,
                                                PKSTART_ROUTINE StartRoutine, PVOID StartContext) {
    PKTHREAD thread = calloc(1, sizeof *thread);
    HANDLE handle;

    (void)DesiredAccess;
    (void)ObjectAttributes;
    (void)ProcessHandle;
    if (thread == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    dispatcher_init(&thread->header, OBJECT_THREAD, sizeof *thread, 0);
    thread->references = 2;
    thread->routine = StartRoutine;
    thread->context = StartContext;
    handle_open(thread);
    handle = thread->handle;
    if (!plat_thread_start(thread_run, thread)) {
        ObfDereferenceObject(thread);
        ZwClose(handle);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *ThreadHandle = handle;
    if (ClientId != NULL)
        *ClientId = (CLIENT_ID){(HANDLE)(uintptr_t)plat_process_id(), handle};
    return STATUS_SUCCESS;
}

NTKERNELAPI NTSTATUS NTAPI PsTerminateSystemThread(NTSTATUS ExitStatus) {
    (void)ExitStatus;
    if (nt_thread.object == NULL)
        return STATUS_INVALID_PARAMETER;
    thread_ended();
    plat_thread_exit();
}

NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess,
                                                     POBJECT_TYPE ObjectType,
                                                     KPROCESSOR_MODE AccessMode, PVOID *Object,
                                                     PVOID HandleInformation) {
    PKTHREAD *link;

    (void)DesiredAccess;
    (void)AccessMode;
    (void)HandleInformation;
    *Object = NULL;
    if (ObjectType != NULL && ObjectType != *PsThreadType)
        return STATUS_OBJECT_TYPE_MISMATCH;
    plat_lock_acquire(&threads.lock);
    link = handle_find(Handle);
    if (link != NULL) {
        __atomic_add_fetch(&(*link)->references, 1, __ATOMIC_RELAXED);
        *Object = *link;
    }
    plat_lock_release(&threads.lock);
    return link != NULL ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

/* A thread that others started has no object; the address of its state is as good a name for it. */
NTKERNELAPI PKTHREAD NTAPI KeGetCurrentThread(VOID) {
    return nt_thread.object != NULL ? nt_thread.object : (PKTHREAD)(void *)&nt_thread;
}

NTKERNELAPI HANDLE NTAPI PsGetCurrentThreadId(VOID) {
    return (HANDLE)(uintptr_t)plat_thread_id();
}
