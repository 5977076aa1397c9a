/* Objects that can be waited for. */
#ifndef RXPOOL_EX_DISPATCHER_H
#define RXPOOL_EX_DISPATCHER_H

#include <ntifs.h>

#include "base/base.h"

/* DISPATCHER_HEADER.Type; the first two are EVENT_TYPE's values. */
#define OBJECT_NOTIFICATION_EVENT 0
#define OBJECT_SYNCHRONIZATION_EVENT 1
#define OBJECT_SEMAPHORE 5
#define OBJECT_THREAD 6

void dispatcher_init(PDISPATCHER_HEADER header, UCHAR type, size_t size, LONG state);
LONG dispatcher_signal(PDISPATCHER_HEADER header);

#endif
