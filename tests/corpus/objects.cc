// C++: the same errors through new, delete and the library (CWE-122, 126, 415, 416).
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "corpus.h"

namespace {

struct shape {
    virtual ~shape() = default;
    virtual long area() {
        return side * side;
    }
    long side = 3;
};

CASE(new_array_overflow) {
    int *p = new int[10];
    for (int i = 0; i < 10 + bad; i++)
        p[i] = i;
    error_made();
    delete[] p;
}

CASE(new_array_underwrite) {
    long *p = new long[10];
    p[-bad] = 1;
    error_made();
    delete[] p;
}

CASE(member_overflow) {
    auto *s = new shape;
    memset(static_cast<void *>(&s->side), 1, sizeof s->side + 8 * static_cast<unsigned>(bad));
    error_made();
    delete s;
}

CASE(vector_index) {
    std::vector<int> v(16);
    v[static_cast<size_t>(15 + bad)] = 1;
    error_made();
}

CASE(vector_read_past) {
    std::vector<long> v(32, 1);
    use(v.data()[31 + bad]);
    error_made();
}

CASE(stale_iterator) {
    std::vector<int> v(16, 1);
    int *first = &v[0];
    v.resize(bad ? 4000 : 16);
    *first = 2;
    error_made();
}

CASE(stale_text) {
    auto *s = new std::string(100, 's');
    const char *text = s->c_str();
    if (bad)
        delete s;
    use(text[40]);
    error_made();
    if (!bad)
        delete s;
}

CASE(delete_twice) {
    auto *s = new shape;
    delete s;
    if (bad)
        ::operator delete(s);
    error_made();
}

CASE(two_owners) {
    auto *s = new long(4);
    std::unique_ptr<long> one(s), two(bad ? s : nullptr);
    one.reset();
    two.reset();
    error_made();
}

CASE(call_of_deleted) {
    auto *s = new shape;
    if (bad)
        delete s;
    use(s->area());
    error_made();
    if (!bad)
        delete s;
}

CASE(array_of_texts_lost) {
    auto *texts = new std::string[3]{std::string(50, 'a'), std::string(50, 'b'), "c"};
    use(static_cast<long>(texts[0].size()));
    if (!bad)
        delete[] texts;
    texts = nullptr;
    error_made();
}

} // namespace
