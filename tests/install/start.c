/* Starts the driver's file, which cannot include a C library header itself. */
#include <stdio.h>

int DriverMain(void);

int main(void) {
    int step = DriverMain();
    if (step != 0) {
        printf("driver: step %d failed\n", step);
    }
    return step;
}
