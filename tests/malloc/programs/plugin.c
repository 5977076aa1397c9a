/* A plug-in: allocates when loaded and when asked, frees when unloaded, leaves one block to its
 * user. */
#include <stdlib.h>
#include <string.h>

void *plugin_block(size_t size);
char *plugin_text(const char *text);

static void *own;

__attribute__((constructor)) static void load(void) {
    own = calloc(10, 100);
}

__attribute__((destructor)) static void unload(void) {
    free(own);
}

void *plugin_block(size_t size) {
    void *block = malloc(size);
    if (block != NULL)
        memset(block, 0x11, size);
    return block;
}

char *plugin_text(const char *text) {
    return strdup(text);
}
