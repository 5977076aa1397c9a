// Blocks of one family given to another (CWE-762).
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "corpus.h"

namespace {

struct counted {
    long value = 7;
    ~counted() {
        value = 0;
    }
};

struct alignas(64) line {
    char bytes[64];
};

CASE(new_free) {
    long *p = new long(5);
    if (bad)
        free(p);
    else
        delete p;
    error_made();
}

CASE(new_array_free) {
    char *p = new char[100];
    if (bad)
        free(p);
    else
        delete[] p;
    error_made();
}

CASE(malloc_delete) {
    long *p = static_cast<long *>(malloc(sizeof *p));
    if (bad)
        delete p;
    else
        free(p);
    error_made();
}

CASE(malloc_delete_array) {
    char *p = static_cast<char *>(malloc(100));
    if (bad)
        delete[] p;
    else
        free(p);
    error_made();
}

CASE(calloc_delete) {
    long *p = static_cast<long *>(calloc(10, sizeof *p));
    if (bad)
        delete p;
    else
        free(p);
    error_made();
}

CASE(realloc_delete_array) {
    int *p = static_cast<int *>(realloc(nullptr, 400));
    if (bad)
        delete[] p;
    else
        free(p);
    error_made();
}

CASE(strdup_delete_array) {
    char *p = strdup("of the C library");
    if (bad)
        delete[] p;
    else
        free(p);
    error_made();
}

CASE(new_delete_array) {
    long *p = new long(5);
    if (bad)
        delete[] p;
    else
        delete p;
    error_made();
}

CASE(new_array_delete) {
    int *p = new int[50];
    if (bad)
        delete p;
    else
        delete[] p;
    error_made();
}

// The array's length stands in front of the first element: what delete frees is no block's start.
CASE(array_of_objects_delete) {
    counted *p = new counted[10];
    if (bad)
        delete p;
    else
        delete[] p;
    error_made();
}

CASE(new_realloc) {
    char *p = new char[32];
    if (bad)
        p = static_cast<char *>(realloc(p, 1000));
    error_made();
    if (bad)
        free(p);
    else
        delete[] p;
}

CASE(pointer_of_an_array) {
    int *p = new int[20];
    if (bad)
        std::unique_ptr<int> owner(p);
    else
        std::unique_ptr<int[]> owner(p);
    error_made();
}

CASE(aligned_new_free) {
    line *p = new line;
    if (bad)
        free(p);
    else
        delete p;
    error_made();
}

} // namespace
