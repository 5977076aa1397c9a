/* What drivers that are not file systems include. rxpool serves no more than wdm.h here. */
#ifndef _NTDDK_
#define _NTDDK_

#include "wdm.h"

#endif
