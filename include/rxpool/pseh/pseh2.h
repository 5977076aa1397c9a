/*
 * Structured exception handling in C without the compiler's help, in the spelling that public
 * driver code uses where the compiler has no __try:
 *
 *     _SEH2_TRY {
 *         block = ExAllocatePoolWithQuotaTag(PagedPool, size, 'Tset');
 *     } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
 *         status = _SEH2_GetExceptionCode();
 *     } _SEH2_END;
 *
 * and _SEH2_FINALLY in place of _SEH2_EXCEPT. What ExRaiseStatus raises below the body is taken by
 * the nearest filter that answers EXCEPTION_EXECUTE_HANDLER; hardware faults are not. `return`,
 * `goto` and _SEH2_LEAVE may leave the body; a _SEH2_FINALLY block runs after _SEH2_LEAVE, but not
 * after the other two. Filters run after the stack is unwound. Follows an NT header.
 */
#ifndef RXPOOL_PSEH2_H
#define RXPOOL_PSEH2_H

#ifdef __cplusplus
extern "C" {
#endif

#ifndef EXCEPTION_EXECUTE_HANDLER
#define EXCEPTION_EXECUTE_HANDLER 1
#define EXCEPTION_CONTINUE_SEARCH 0
#define EXCEPTION_CONTINUE_EXECUTION (-1)
#endif

/* One _SEH2_TRY that is being run; lies in its function's stack frame. */
struct rxpool_seh_frame {
    struct rxpool_seh_frame *outer;
    void *jump[5];
    int code;    /* what was raised */
    int pending; /* raised, and not yet taken by a handler */
    int entered; /* the innermost of its thread, or above those */
};

#ifdef __ELF__
#define RXPOOL_SEH_API __attribute__((visibility("default")))
#else
#define RXPOOL_SEH_API
#endif

/* What the macros below call; not for use by itself. */
RXPOOL_SEH_API void rxpool_seh_enter(struct rxpool_seh_frame *frame);
RXPOOL_SEH_API void rxpool_seh_leave(struct rxpool_seh_frame *frame);
/* Answers 1 where the filter takes the exception; else raises it further. */
RXPOOL_SEH_API int rxpool_seh_filter(struct rxpool_seh_frame *frame, int disposition);
/* Raises further what no handler took. */
RXPOOL_SEH_API void rxpool_seh_end(struct rxpool_seh_frame *frame);

#define _SEH2_TRY                                                                                  \
    {                                                                                              \
        __label__ rxpool_seh_left;                                                                 \
        struct rxpool_seh_frame rxpool_seh __attribute__((cleanup(rxpool_seh_leave)));             \
        rxpool_seh_enter(&rxpool_seh);                                                             \
        if (__builtin_setjmp(rxpool_seh.jump) == 0) {

#define _SEH2_EXCEPT(filter)                                                                       \
    rxpool_seh_left:                                                                               \
    __attribute__((unused));                                                                       \
    rxpool_seh_leave(&rxpool_seh);                                                                 \
    }                                                                                              \
    else if (rxpool_seh_filter(&rxpool_seh, (filter))) {

#define _SEH2_FINALLY                                                                              \
    rxpool_seh_left:                                                                               \
    __attribute__((unused));                                                                       \
    rxpool_seh_leave(&rxpool_seh);                                                                 \
    }                                                                                              \
    {

#define _SEH2_END                                                                                  \
    }                                                                                              \
    rxpool_seh_end(&rxpool_seh);                                                                   \
    }

#define _SEH2_LEAVE goto rxpool_seh_left
#define _SEH2_YIELD(statement) statement
#define _SEH2_GetExceptionCode() (rxpool_seh.code)
#define _SEH2_AbnormalTermination() (rxpool_seh.pending)

#ifdef __cplusplus
}
#endif

#endif
