// A C++ plug-in of a C program: its runtime comes with it and is in no scope but its own.
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

namespace {

volatile std::size_t too_much = PTRDIFF_MAX - 4096;
int handler_calls;

void handler() {
    if (++handler_calls == 2)
        std::set_new_handler(nullptr);
}

} // namespace

extern "C" void *plugin_object() {
    return new char[200];
}

extern "C" void plugin_delete(void *block) {
    delete[] static_cast<char *>(block);
}

// The number of calls of the new-handler before the exception came; -1 when none came.
extern "C" int plugin_exhausted() {
    handler_calls = 0;
    std::set_new_handler(handler);
    try {
        ::operator delete(::operator new(too_much));
    } catch (const std::bad_alloc &) {
        return ::operator new(too_much, std::nothrow) == nullptr ? handler_calls : -1;
    }
    return -1;
}
