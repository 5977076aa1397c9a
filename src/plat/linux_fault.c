/* Faults of guard.h on Linux: SIGSEGV and SIGBUS, shared with whoever had them before. */
#define _GNU_SOURCE
#include "plat/guard.h"

#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#define PAGE_FAULT_WRITE 2 /* of the error code that the processor gives */

static const int signals[] = {SIGSEGV, SIGBUS};
static struct sigaction before[RXP_COUNT(signals)];
static bool (*fault_handler)(uintptr_t address, bool write, const void *pc);

/* As the kernel would have called it, but for its mask and its stack. */
static void pass_on(const struct sigaction *to, int signal, siginfo_t *info, void *context) {
    bool fault = info->si_code > 0;
    if (to->sa_flags & SA_SIGINFO) {
        to->sa_sigaction(signal, info, context);
    } else if (to->sa_handler != SIG_DFL && to->sa_handler != SIG_IGN) {
        to->sa_handler(signal);
    } else if (fault || to->sa_handler == SIG_DFL) {
        /* The access is made again, or the signal sent again, and ends the process by itself. */
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        if (!fault)
            raise(signal);
    }
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    const ucontext_t *u = context;
    int saved = errno;
    bool write = (u->uc_mcontext.gregs[REG_ERR] & PAGE_FAULT_WRITE) != 0;
    bool fault = info->si_code > 0 && info->si_code != SI_KERNEL;
    const void *pc = (const void *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP];
    if (!fault || !fault_handler((uintptr_t)info->si_addr, write, pc))
        pass_on(&before[signal == SIGBUS], signal, info, context);
    errno = saved;
}

bool plat_fault_catch(bool (*handler)(uintptr_t address, bool write, const void *pc)) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int saved = errno;
    bool done = true;
    fault_handler = handler;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < RXP_COUNT(signals); i++)
        done &= sigaction(signals[i], &action, &before[i]) == 0;
    errno = saved;
    return done;
}
