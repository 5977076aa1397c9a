/* Raised statuses and what catches them; bug checks, assertions and debug output. */
#include "ex/raise.h"

#include <pseh/pseh2.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/frames.h"
#include "base/stop.h"
#include "ex/fault.h"
#include "ex/ntthread.h"
#include "plat/plat.h"

/* --- exceptions ------------------------------------------------------------------------------- */

RXP_EXPORT void rxpool_seh_enter(struct rxpool_seh_frame *frame) {
    frame->outer = nt_thread.seh;
    frame->code = 0;
    frame->pending = 0;
    frame->entered = 1;
    nt_thread.seh = frame;
}

/* Called where the body ends and again where the scope does: only the first counts. */
RXP_EXPORT void rxpool_seh_leave(struct rxpool_seh_frame *frame) {
    if (frame->entered) {
        frame->entered = 0;
        nt_thread.seh = frame->outer;
    }
}

DECLSPEC_NORETURN static void unhandled(NTSTATUS status, const void *caller) {
    struct stop_report *r = stop_claim();

    stop_begin(r, STOP_KMODE_EXCEPTION_NOT_HANDLED, (uint32_t)status, (uintptr_t)caller, 0, 0,
               "a status was raised and nothing handles it");
    stop_caller(r, "raised at", caller);
    stop_commit(r);
    plat_stop(r->code, r->parameter);
}

DECLSPEC_NORETURN void raise_status(NTSTATUS status, const void *caller) {
    struct rxpool_seh_frame *frame = nt_thread.seh;

    fault_exempt(false); /* the checked build's call, if there is one, is left behind */
    if (frame == NULL)
        unhandled(status, caller);
    rxpool_seh_leave(frame);
    frame->code = status;
    frame->pending = 1;
    __builtin_longjmp(frame->jump, 1);
}

NTKERNELAPI DECLSPEC_NORETURN VOID NTAPI ExRaiseStatus(NTSTATUS Status) {
    raise_status(Status, RXP_RETURN_ADDRESS());
}

RXP_EXPORT int rxpool_seh_filter(struct rxpool_seh_frame *frame, int disposition) {
    if (disposition == EXCEPTION_CONTINUE_SEARCH)
        raise_status(frame->code, RXP_RETURN_ADDRESS());
    if (disposition < 0) /* what was raised cannot be continued */
        unhandled(frame->code, RXP_RETURN_ADDRESS());
    frame->pending = 0;
    return 1;
}

RXP_EXPORT void rxpool_seh_end(struct rxpool_seh_frame *frame) {
    if (frame->pending) {
        frame->pending = 0;
        raise_status(frame->code, RXP_RETURN_ADDRESS());
    }
}

/* --- bug checks ------------------------------------------------------------------------------- */

NTKERNELAPI DECLSPEC_NORETURN VOID NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR Parameter1,
                                                      ULONG_PTR Parameter2, ULONG_PTR Parameter3,
                                                      ULONG_PTR Parameter4) {
    struct stop_report *r = stop_claim();

    stop_begin(r, BugCheckCode, Parameter1, Parameter2, Parameter3, Parameter4,
               "KeBugCheckEx was called");
    stop_caller(r, "called from", RXP_RETURN_ADDRESS());
    stop_commit(r);
    plat_stop(r->code, r->parameter);
}

NTSYSAPI DECLSPEC_NORETURN VOID NTAPI RtlAssert(PVOID FailedAssertion, PVOID FileName,
                                                ULONG LineNumber, PSTR Message) {
    static const uint64_t none[4];
    struct stop_report *r = stop_claim();
    struct text *t = &r->text;

    text_init(t, r->buffer, sizeof r->buffer);
    text_string(t, "*** Assertion failed: ");
    text_string(t, Message != NULL ? Message : "");
    text_string(t, Message != NULL ? ": " : "");
    text_string(t, FailedAssertion);
    text_string(t, "\n***   Source File: ");
    text_string(t, FileName);
    text_string(t, ", line ");
    text_decimal(t, LineNumber);
    text_string(t, "\n");
    frames_put_stack(t, RXP_RETURN_ADDRESS(), true);
    plat_report(NULL, t->buffer, t->length);
    plat_stop(0, none);
}

NTSYSAPI ULONG DbgPrint(PCSTR Format, ...) {
    va_list arguments;

    va_start(arguments, Format);
    vfprintf(stderr, Format, arguments);
    va_end(arguments);
    return STATUS_SUCCESS;
}
