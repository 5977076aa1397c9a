/*
 * Slabs that share a list, as a reader of their account's totals sees them: docs/remote-frees.md, "Readers". A leader counts
 * what the bin allocates and what its owner frees; pushes count on the sharer that they go to. The owner retires the sharer,
 * which leaves its counts to the leader, or ends the sharing, which credits it with what is out: either in a fold. A reader that
 * finds none in its window has totals that held at some instant within it.
 */
#ifndef STEPS
#define STEPS 3 /* allocations */
#endif

byte generation;            /* the sharer's */
bool serving, sharing;      /* the sharer */
short allocs[2], frees[2];  /* 0 the leader, 1 the sharer */
byte pushes;                /* on the sharer */
byte out[2];                /* live blocks of each */
byte fold_begin, fold_end;
byte true_allocs, true_frees; /* witness */
bool ended;

inline fold_mark(which) {
#ifndef BREAK_SHARE_UNMARKED
    which++
#else
    skip
#endif
}

inline leave() {
    generation++;
    fold_mark(fold_begin);
    serving = false;
    frees[0] = frees[0] + frees[1] + pushes;
    allocs[0] = allocs[0] + allocs[1];
    pushes = 0;
    allocs[1] = 0;
    frees[1] = 0;
    fold_mark(fold_end);
    generation++
}

inline end_sharing() {
    fold_mark(fold_begin);
    /* In one step: a push moves one from out to pushes, and their sum stays. */
    d_step { debit = out[1] + pushes + frees[1] - allocs[1] };
    allocs[0] = allocs[0] - debit;
    allocs[1] = allocs[1] + debit;
    sharing = false;
    fold_mark(fold_end)
}

proctype owner() {
    byte left = STEPS;
    short debit;
    serving = true;
    sharing = true;
    do
    :: left > 0 -> atomic { allocs[0]++; out[0]++; true_allocs++; left-- }
    :: left > 0 && serving && sharing -> atomic { allocs[0]++; out[1]++; true_allocs++; left-- }
    :: atomic { out[0] > 0 -> frees[0]++; out[0]--; true_frees++ }
    :: atomic { out[1] > 0 && sharing -> frees[0]++; out[1]--; true_frees++ }
    :: atomic { out[1] > 0 && !sharing -> frees[1]++; out[1]--; true_frees++ }
    :: serving && sharing && out[1] == 0 -> leave()
    :: serving && sharing -> end_sharing()
    :: left == 0 -> break
    od;
    ended = true
}

proctype pusher() {
    do
    :: atomic { out[1] > 0 -> pushes++; out[1]--; true_frees++ }
    :: ended -> break
    od
}

proctype reader() {
    byte g, mark, low_a, low_f;
    short a, f;
    bool good = true, mine;
    atomic { low_a = true_allocs; low_f = true_frees };
    mark = fold_end;
#ifdef BREAK_LEADER_FIRST
    a = allocs[0];
#endif
    mine = serving;
    g = generation;
    if
    :: mine -> f = frees[1] + pushes
    :: else
    fi;
    f = f + frees[0];
#ifndef BREAK_LEADER_FIRST
    a = allocs[0];
#endif
    if
    :: mine -> a = a + allocs[1]
    :: else
    fi;
    if
    :: generation != g || g % 2 == 1 || fold_begin != mark -> good = false
    :: else
    fi;
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

init {
    atomic {
        run owner();
        run pusher();
        run reader()
    }
}
