/* What plat_backtrace makes of the system's walk of the stack, in a program and in a kernel. */
#ifndef RXPOOL_PLAT_WINDOWS_FRAMES_H
#define RXPOOL_PLAT_WINDOWS_FRAMES_H

#include "base/base.h"

/*
 * Takes those of the `found` frames that lie behind `from`, the first included, or all where it is NULL; where it was not
 * come by, `from` alone. Answers how many.
 */
RXP_INLINE unsigned windows_frames_from(const void *from, void *const *walked, unsigned found,
                                        const void **frames, unsigned most) {
    unsigned first = 0, count = 0;
    while (first < found && from != NULL && walked[first] != from)
        first++;
    while (first < found && count < most)
        frames[count++] = walked[first++];
    if (count == 0 && from != NULL && most > 0)
        frames[count++] = from;
    return count;
}

#endif
