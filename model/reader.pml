/*
 * The reader of an account's totals: docs/remote-frees.md, "Readers". Two owners, each with one slab that
 * serves account A, retires into it, and comes back for A or for another account; a reader that never
 * stops anybody. What it accepts must be totals that held at some instant within its read.
 */
#ifndef STEPS
#define STEPS 2 /* allocations of the first owner */
#endif

#ifndef STEPS2
#define STEPS2 1 /* and of the second */
#endif

#define A 1
#define B 2

byte generation[2], account[2], allocs[2], frees[2], pushes[2];
byte fold_begin, fold_end, retired_allocs, retired_frees; /* of account A */

byte ended;
byte true_allocs, true_frees; /* witness: account A's totals at this instant */

inline count_free(i) {
    if
    :: account[i] == A -> true_frees++
    :: else
    fi
}

/* Under an odd generation, in no order that a reader could rely on. */
inline serve(i, which) {
    generation[i]++;
    account[i] = which;
    allocs[i] = 0;
    frees[i] = 0;
    pushes[i] = 0;
    generation[i]++
}

inline retire(i) {
    generation[i]++;
    if
    :: account[i] == A ->
#ifndef BREAK_FOLD_UNMARKED
        fold_begin++;
#endif
        retired_allocs = retired_allocs + allocs[i];
        retired_frees = retired_frees + frees[i] + pushes[i];
#ifndef BREAK_FOLD_UNMARKED
        fold_end++
#endif
    :: else
    fi;
    account[i] = 0;
    generation[i]++
}

proctype owner(byte i, left) {
    do
    :: account[i] == 0 && left > 0 ->
        if
        :: serve(i, A)
        :: i == 0 -> serve(i, B)
        fi
    :: account[i] != 0 && left > 0 ->
        atomic {
            allocs[i]++;
            left--;
            if
            :: account[i] == A -> true_allocs++
            :: else
            fi
        }
    :: account[i] != 0 && allocs[i] > frees[i] + pushes[i] ->
        /* By the owner, or by somebody else: to a reader a push is one more counter. */
        atomic {
            if
            :: frees[i]++
            :: pushes[i]++
            fi;
            count_free(i)
        }
    :: account[i] != 0 && allocs[i] > 0 && allocs[i] == frees[i] + pushes[i] -> retire(i)
    :: left == 0 -> break
    od;
    ended++
}

inline take_frees(i) {
    g[i] = generation[i];
#ifndef BREAK_READER_GENERATION
    if
    :: g[i] % 2 == 1 -> good = false
    :: else
    fi;
#endif
    mine[i] = (account[i] == A);
    if
    :: mine[i] -> f = f + frees[i]; f = f + pushes[i]
    :: else
    fi
}

inline take_allocs(i) {
    if
    :: mine[i] -> a = a + allocs[i]
    :: else
    fi
}

inline check_generation(i) {
#ifndef BREAK_READER_GENERATION
    if
    :: generation[i] != g[i] -> good = false
    :: else
    fi
#else
    skip
#endif
}

inline read_account() {
    good = true;
    atomic { a = 0; f = 0; low_a = true_allocs; low_f = true_frees };
    mark = fold_end;
    f = retired_frees;
#ifdef BREAK_READER_ORDER
    mine[0] = (account[0] == A);
    mine[1] = (account[1] == A);
    take_allocs(0);
    take_allocs(1);
#endif
    take_frees(0);
    take_frees(1);
#ifndef BREAK_READER_ORDER
    take_allocs(0);
    take_allocs(1);
#endif
    a = a + retired_allocs;
    check_generation(0);
    check_generation(1);
#ifndef BREAK_READER_FOLD
    if
    :: fold_begin != mark -> good = false
    :: else
    fi;
#endif
    d_step {
        if
        :: good ->
            assert(a >= f);
            assert(low_a <= a && a <= true_allocs);
            assert(low_f <= f && f <= true_frees)
        :: else
        fi
    }
}

proctype reader() {
    byte g[2];
    byte a, f, mark, low_a, low_f;
    bool mine[2];
    bool good;
    bool quiet;
    if
    :: quiet = false
    :: ended == 2 -> quiet = true
    fi;
    read_account();
    assert(!quiet || (good && a == true_allocs && f == true_frees))
}

init {
    atomic {
        run owner(0, STEPS);
        run owner(1, STEPS2);
        run reader()
    }
}
