/* cmocka and what it wants included first. */
#ifndef RXPOOL_TESTS_UNIT_H
#define RXPOOL_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* TSan looks for races. What one thread does alone shows it none and is done in part; where threads meet, a fifth of the
 * rounds is enough: it sees that nothing orders two accesses where they did no harm, and not only where they did. */
#ifdef __SANITIZE_THREAD__
#define IF_TSAN(less, all) (less)
#else
#define IF_TSAN(less, all) (all)
#endif

#endif
