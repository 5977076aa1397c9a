/*
 * Stop reports of a free: the documented routines and the drop-in say the same of the same mistake.
 * Each starts a report in the process's buffer; the caller may add lines, and gives it to stop_commit.
 */
#ifndef RXPOOL_EX_FREE_REPORT_H
#define RXPOOL_EX_FREE_REPORT_H

#include "base/stop.h"
#include "ex/engine.h"

/* 0xC2 with these parameters for a free of `address` by the code at `caller`. */
struct stop_report *free_report(const void *address, const void *caller,
                                const uint64_t parameter[4], const char *what);
/* The report of a free that the engine refused with `verdict`; `tag` is the one that the free gave. */
struct stop_report *free_report_verdict(const void *address, uint32_t tag, const void *caller,
                                        enum engine_verdict verdict);

#endif
