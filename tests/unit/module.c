/*
 * A module that is loaded and unloaded: a call through it returns into it. VALUE tells its code from
 * another's, right behind the call; NAME is at the same address in both.
 */
extern const char name[];
__attribute__((visibility("default"))) const char name[] = NAME;

void through(void (*call)(const void **), const void **out);

__attribute__((visibility("default"))) void through(void (*call)(const void **), const void **out) {
    call(out);
    __asm__ volatile("nopl %c0(%%rax)" : : "i"(VALUE));
}
