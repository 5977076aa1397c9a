/* options: checked=1 */
#include <stdlib.h>
#include <string.h>

int main(void) {
    char *copy = strdup("name");
    strcpy(copy, MISUSE ? "longer" : "same");
    free(copy);
    return 0;
}
