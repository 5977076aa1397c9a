/*
 * Call sites: a file name and a line under a 32-bit id. Names are copied, since __FILE__ of an
 * unloaded module dangles. Ids are never given back.
 */
#ifndef RXPOOL_CHECK_SITES_H
#define RXPOOL_CHECK_SITES_H

#include "base/base.h"

/* The id of file:line, entered at first use; 0 for a NULL file, or when there is no room. Any IRQL <= DISPATCH. */
uint32_t sites_intern(const char *file, uint32_t line);
/* The name of a site, NULL for 0; *line is set. */
const char *sites_file(uint32_t site, uint32_t *line);

#endif
