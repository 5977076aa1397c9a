/* plat/irql.h where no other code runs on a thread's processor in its place. */
#include "plat/irql.h"

unsigned plat_irql_raise(void) {
    return 0;
}

void plat_irql_lower(unsigned irql) {
    (void)irql;
}
