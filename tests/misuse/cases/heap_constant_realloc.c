/* options: checked=1 */
#include <stdlib.h>
#include <string.h>

int main(void) {
    char *text = MISUSE ? "constant" : strdup("constant");
    free(realloc(text, 100));
    return 0;
}
