/* Figures that Linux tells in files of /proc. */
#ifndef RXPOOL_PLAT_LINUX_PROC_H
#define RXPOOL_PLAT_LINUX_PROC_H

#include "base/base.h"

/* The decimal number that the file begins with; 0 where there is none. Changes errno. */
size_t linux_number_in(const char *path);

#endif
