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

#endif
