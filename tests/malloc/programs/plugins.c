/* dlopen and dlclose in a loop, of a C and a C++ plug-in, also while other threads allocate. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "program.h"

#define ROUNDS 100

static _Atomic int stop;

static void *worker(void *argument) {
    (void)argument;
    while (!stop)
        churn(0, 50);
    return NULL;
}

static void *load(const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    require(handle != NULL);
    return handle;
}

static void use_c_plugin(const char *path) {
    void *handle = load(path);
    void *(*block_of)(size_t) = (void *(*)(size_t))dlsym(handle, "plugin_block");
    char *(*text_of)(const char *) = (char *(*)(const char *))dlsym(handle, "plugin_text");
    unsigned char *block = block_of(333);
    char *text = text_of("a text of the plug-in's");
    require(block != NULL && text != NULL);
    require(dlclose(handle) == 0);
    require(block[0] == 0x11 && block[332] == 0x11); /* its blocks outlive it */
    require(strcmp(text, "a text of the plug-in's") == 0);
    free(block);
    free(text);
}

static void use_cxx_plugin(const char *path) {
    void *handle = load(path);
    void *(*object)(void) = (void *(*)(void))dlsym(handle, "plugin_object");
    void (*destroy)(void *) = (void (*)(void *))dlsym(handle, "plugin_delete");
    int (*exhausted)(void) = (int (*)(void))dlsym(handle, "plugin_exhausted");
    void *block = object();
    require(block != NULL);
    destroy(block);
    require(exhausted() == 2);
    require(dlclose(handle) == 0);
}

int main(int count, char **word) {
    pthread_t thread[2];
    require_drop_in();
    require(count == 3);
    alarm(120);
    require(dlopen("/no/such/plug-in.so", RTLD_NOW) == NULL && dlerror() != NULL);
    for (size_t i = 0; i < 2; i++)
        require(pthread_create(&thread[i], NULL, worker, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        use_c_plugin(word[1]);
        use_cxx_plugin(word[2]);
    }
    stop = 1;
    for (size_t i = 0; i < 2; i++)
        require(pthread_join(thread[i], NULL) == 0);
    return 0;
}
