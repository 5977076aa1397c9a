/*
 * A heap's notify list with several slabs: a stack of slab ids through slab.notify_next, pushed by
 * compare and swap, taken whole by exchange. Each slab goes through FULL -> NOTIFIED -> OWNED -> FULL.
 * No slab is lost, none is on the list twice.
 */
#ifndef ROUNDS
#define ROUNDS 2 /* times that each slab fills */
#endif
#define SLABS 2

#define OWNED 1
#define FULL 2
#define NOTIFIED 3

byte top = 0; /* heap.notify; slab ids 1 and 2 */
byte notify_next[SLABS + 1];
byte state[SLABS + 1];
byte rounds[SLABS + 1];
bool listed[SLABS + 1]; /* witness */

proctype pusher() {
    byte s, old;
    bool won;
    do
    :: atomic { state[1] == FULL -> state[1] = NOTIFIED; s = 1 }
       goto enqueue
    :: atomic { state[2] == FULL -> state[2] = NOTIFIED; s = 2 }
       goto enqueue
    :: state[1] == OWNED && rounds[1] == ROUNDS && state[2] == OWNED && rounds[2] == ROUNDS -> goto done
enqueue:
       do
       :: old = top;
#ifdef BREAK_STALE_LINK
          if
          :: notify_next[s] == 0 -> notify_next[s] = old /* believes that a link once written still holds */
          :: else
          fi;
#else
          notify_next[s] = old;
#endif
          atomic {
              if
              :: top == old -> assert(!listed[s]); top = s; listed[s] = true; won = true
              :: else -> won = false
              fi
          };
          if
          :: won -> break
          :: else
          fi
       od;
       atomic { won = false; s = 0; old = 0 }
    od;
done:
    skip
}

proctype owner() {
    byte s, after;
    do
    :: atomic { state[1] == OWNED && rounds[1] < ROUNDS -> rounds[1]++; state[1] = FULL }
    :: atomic { state[2] == OWNED && rounds[2] < ROUNDS -> rounds[2]++; state[2] = FULL }
    :: top != 0 ->
#ifdef BREAK_TAKE
        s = top;
        top = 0;
#else
        atomic { s = top; top = 0 };
#endif
        do
        :: s != 0 ->
#ifdef BREAK_NEXT_LATE
            state[s] = OWNED;
            listed[s] = false;
            if
            :: state[s] == OWNED && rounds[s] < ROUNDS -> rounds[s]++; state[s] = FULL
            :: else
            fi;
            after = notify_next[s];
#else
            after = notify_next[s];
            assert(listed[s] && state[s] == NOTIFIED);
            atomic { listed[s] = false; state[s] = OWNED };
#endif
            s = after
        :: else -> break
        od
    :: top == 0 && state[1] == OWNED && state[2] == OWNED && rounds[1] == ROUNDS && rounds[2] == ROUNDS -> break
    od;
    assert(!listed[1] && !listed[2])
}

init {
    atomic {
        state[1] = OWNED;
        state[2] = OWNED;
        run owner();
        run pusher();
        run pusher()
    }
}
