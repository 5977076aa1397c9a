/*
 * The life of one slab: docs/remote-frees.md as a model. One owner process plays, one after the other,
 * the threads that take the heap; two pushers free what it hands them; a fork may come at any moment.
 *
 *   CAP      blocks in the slab            MARK     frees or pushes that end FULL
 *   ALLOCS   allocations in all            THREADS  threads that take the heap, one after the other
 *   PUSHERS  1 or 2                        FORK     0 none, 1 by the owner, 2 by another thread
 *
 * Each access to a word that several threads use is one step; a compare and swap is one step too.
 * What only the owner touches is joined to the step before it. Memory is sequentially consistent
 * here: the document names the orders that the C needs.
 *
 * A BREAK_x takes one guard out; run.sh checks that the model then fails.
 */
#ifndef CAP
#define CAP 2
#endif
#ifndef MARK
#define MARK 1
#endif
#ifndef ALLOCS
#define ALLOCS 3
#endif
#ifndef THREADS
#define THREADS 2
#endif
#ifndef PUSHERS
#define PUSHERS 2
#endif
#ifndef FORK
#define FORK 0
#endif

#define NONE 0
#define OWNED 1
#define FULL 2
#define NOTIFIED 3
#define ORPHAN 4

#define FREE 0
#define TAKEN 1
#define SEALED 2

/* slab.remote: one word, three fields that change together. */
byte head = 0;
byte state = NONE;
byte pushes = 0;

/* The rest of the descriptor. */
byte next_free[CAP + 1]; /* a block's first word */
byte free_list = 0;
byte carved = 0;
byte allocs = 0;
byte frees = 0;
byte event = 0;
byte full_mark = 0;
bool linked = false; /* in a bin of its heap */

/* The heap. */
byte heap_state = FREE;
bool heap_lock = false;
bool notify = false; /* the slab is on heap.notify */

/* Witnesses: no thread of the C reads them. */
#define NOBODY 0
#define OWNER 3
#define IN_HAND 4
byte holder[CAP + 1]; /* who holds block b: NOBODY, pusher 1 or 2, OWNER, or IN_HAND of a push */
byte services = 0;    /* times taken into service */
byte retired = 0;     /* times retired */
byte announced = 0;   /* pushers between their NOTIFIED and the notify list */
byte retired_allocs = 0, retired_frees = 0;
byte at = 0, found = 0;
byte budget = ALLOCS;
bool over = false; /* no block will be handed out any more */
byte ended = 0;    /* pushers that are through */
bool forked = false;

#if FORK
#define VANISHES provided(!forked)
#else
#define VANISHES
#endif
#if FORK == 2
#define OWNER_VANISHES provided(!forked)
#else
#define OWNER_VANISHES
#endif

inline lock() {
    atomic { !heap_lock -> heap_lock = true }
}
inline unlock() {
    heap_lock = false
}

/* Every block of an empty slab is on one of the two lists or was never carved. */
inline check_lists() {
    at = free_list;
    found = 0;
    do
    :: at != 0 && found <= CAP -> found++; at = next_free[at]
    :: else -> break
    od;
    at = head;
    do
    :: at != 0 && found <= CAP -> found++; at = next_free[at]
    :: else -> break
    od;
    assert(found == carved);
    at = 0;
    found = 0
}

/* The step that takes a slab out of service; the caller's compare and swap is part of it. */
inline leave_service() {
    assert(state != NONE);
    assert(heap_state != SEALED);
    check_lists();
    assert(announced == 0 && !notify);
    assert(allocs == frees + pushes);
    assert(holder[1] == NOBODY && holder[2] == NOBODY);
#if CAP > 2
    assert(holder[3] == NOBODY);
#endif
    retired_allocs = retired_allocs + allocs;
    retired_frees = retired_frees + frees + pushes;
    head = 0;
    state = NONE;
    pushes = 0;
    free_list = 0;
    carved = 0;
    allocs = 0;
    frees = 0;
    event = 0;
    full_mark = 0;
    linked = false;
    retired++;
}

/* Under the lock of a heap without a thread: what the counts say decides, not who asks. */
inline retire_orphan() {
    atomic {
        if
#ifdef BREAK_ORPHAN_UNCHECKED
        :: true -> leave_service()
#else
        :: heap_state == FREE && state == ORPHAN && allocs == frees + pushes -> leave_service()
#endif
        :: else
        fi
    }
}

/* Under the lock of a heap without a thread: nobody else will look at its notify list. */
inline drain_orphan(listed) {
    atomic { listed = notify; notify = false }
    if
    :: listed ->
        atomic { assert(state == NOTIFIED); state = ORPHAN };
        retire_orphan()
    :: else
    fi;
    listed = false
}

/* --- everybody but the owner ------------------------------------------------------------------- */

inline push(b) {
    do
    :: atomic { old_head = head; old_state = state; old_pushes = pushes };
       assert(old_state != NONE);
       next_free[b] = old_head;
       new_state = old_state;
       if
       :: old_state == FULL ->
#ifndef BREAK_NEVER_NOTIFY
          if
          :: old_pushes + 1 >= full_mark -> new_state = NOTIFIED
          :: else
          fi
#else
          skip
#endif
       :: else
       fi;
#ifdef BREAK_ORPHAN_STALE
       /* Trusts the counts that it read before its own compare and swap. */
       last = (old_state == ORPHAN && allocs == frees + old_pushes + 1);
#endif
       atomic {
           if
           :: head == old_head && state == old_state && pushes == old_pushes ->
               head = b;
               pushes = old_pushes + 1;
               holder[b] = NOBODY;
#ifndef BREAK_NOTIFY_TWICE
               state = new_state;
#endif
               if
               :: new_state == NOTIFIED && old_state == FULL -> announced++
               :: else
               fi;
               won = true
           :: else -> won = false
           fi
       };
       if
       :: won -> break
       :: else
       fi
    od;
    won = false;
    if
    :: old_state == FULL && new_state == NOTIFIED ->
        atomic { assert(!notify); notify = true; announced-- };
#ifndef BREAK_NOTIFY_BLIND
        if
        :: heap_state == FREE ->
            lock();
            if
            :: heap_state == FREE -> drain_orphan(won)
            :: else
            fi;
            unlock()
        :: else
        fi
#else
        skip
#endif
    :: old_state == ORPHAN ->
#ifdef BREAK_ORPHAN_STALE
        if
        :: last -> lock(); retire_orphan(); unlock()
        :: else
        fi
#else
#ifdef BREAK_ORPHAN_UNLOCKED
        if
        :: allocs == frees + old_pushes + 1 -> d_step { leave_service() }
        :: else
        fi
#else
        if
        :: allocs == frees + old_pushes + 1 -> lock(); retire_orphan(); unlock()
        :: else
        fi
#endif
#endif
    :: else
    fi;
    atomic { old_head = 0; old_state = 0; old_pushes = 0; new_state = 0 }
}

#if CAP > 2
#define HOLDS_NOTHING(me) (holder[1] != me && holder[2] != me && holder[3] != me)
#else
#define HOLDS_NOTHING(me) (holder[1] != me && holder[2] != me)
#endif

#define PUSHER_LOCALS                                                                              \
    byte old_head, old_state, old_pushes, new_state;                                               \
    bool won;                                                                                      \
    bool last

proctype pusher(byte me) VANISHES {
    PUSHER_LOCALS;
    do
    :: atomic { holder[1] == me -> holder[1] = IN_HAND }; push(1)
    :: atomic { holder[2] == me -> holder[2] = IN_HAND }; push(2)
#if CAP > 2
    :: atomic { holder[3] == me -> holder[3] = IN_HAND }; push(3)
#endif
    :: atomic { over && HOLDS_NOTHING(me) -> ended++ };
       break
    od
}

/* --- the owner --------------------------------------------------------------------------------- */

inline collect() {
#ifdef BREAK_COLLECT_STORE
    seen_head = head;
    atomic { free_list = seen_head; head = 0; seen_head = 0 }
#else
    atomic { free_list = head; head = 0 }
#endif
}

inline hand_out(b) {
    assert(holder[b] == NOBODY);
    allocs++;
    budget--;
    if
    :: holder[b] = 1
#if PUSHERS > 1
    :: holder[b] = 2
#endif
    :: holder[b] = OWNER
    fi
}

/* Empty by counts and not NOTIFIED; whether it is the current slab is left open where `must` is false. */
inline retire_if_empty(must) {
    atomic { seen_state = state; seen_pushes = pushes; seen_head = head };
    if
    :: allocs == frees + seen_pushes && (seen_state == OWNED || seen_state == FULL
#ifdef BREAK_RETIRE_NOTIFIED
                                         || seen_state == NOTIFIED
#endif
                                        ) ->
        if
        :: atomic {
               if
               :: state == seen_state && pushes == seen_pushes && head == seen_head ->
                   leave_service()
               :: else
               fi
           }
        :: !must -> skip
        fi
    :: else
    fi;
    atomic { seen_state = 0; seen_pushes = 0; seen_head = 0 }
}

inline drain() {
    atomic { listed = notify; notify = false };
    if
    :: listed ->
        atomic {
            assert(state == NOTIFIED);
            state = OWNED;
            linked = true;
            listed = false
        };
        retire_if_empty(false)
    :: else
    fi
}

/* Nothing on the free list, nothing to carve: what came back, or out of the bin. */
inline run_dry() {
    atomic { seen_head = head; seen_state = state; seen_pushes = pushes };
    if
    :: seen_head != 0 -> seen_head = 0; collect()
    :: seen_head == 0 && seen_state == OWNED ->
        full_mark = seen_pushes + MARK;
        atomic {
            event = frees + MARK;
            if
#ifdef BREAK_FULL_STORE
            :: true -> state = FULL; linked = false
#else
            :: head == 0 && state == OWNED && pushes == seen_pushes ->
                state = FULL;
                linked = false
            :: else
#endif
            fi
        }
    :: seen_head == 0 && seen_state == FULL ->
        /* Since the last time it ran dry: a new mark, and no swap. */
        full_mark = seen_pushes + MARK;
        atomic { event = frees + MARK; linked = false }
    :: seen_head == 0 && seen_state == NOTIFIED ->
        /* Its notify is under way: out of the bin, and the drain brings it back. */
        atomic {
            event = frees + MARK;
#ifdef BREAK_DRY_NOTIFIED
            state = FULL;
#endif
            linked = false
        }
    fi;
    atomic { seen_head = 0; seen_state = 0; seen_pushes = 0 }
}

inline allocate() {
    if
    :: state == NONE ->
        atomic {
            state = OWNED;
            linked = true;
            services++
        }
    :: state != NONE && !linked -> drain()
    :: state != NONE && linked && free_list != 0 ->
        atomic {
            b = free_list;
            free_list = next_free[b];
            hand_out(b);
            b = 0
        }
    :: state != NONE && linked && free_list == 0 && carved < CAP ->
        atomic {
            carved++;
            hand_out(carved)
        }
    :: state != NONE && linked && free_list == 0 && carved == CAP -> run_dry()
    fi
}

inline free_own(x) {
    atomic {
        holder[x] = NOBODY;
        next_free[x] = free_list;
        free_list = x;
        frees++
    };
#ifndef BREAK_EVENT
    if
    :: frees == event && !linked ->
        atomic {
            linked = true;
            assert(state == FULL || state == NOTIFIED)
        }
    :: else
    fi;
#endif
    if
    :: linked -> retire_if_empty(false)
    :: else
    fi
}

inline exit_thread() {
    lock();
    drain();
    retire_if_empty(true);
    /* The walk: each slab of the heap. */
    atomic {
        if
        :: state == OWNED || state == FULL -> state = ORPHAN
        :: else /* NONE, or NOTIFIED: its pusher is on its way */
        fi;
        linked = false
    };
    heap_state = FREE;
#ifndef BREAK_EXIT_UNCHECKED
    retire_orphan();
#endif
#ifndef BREAK_EXIT_UNDRAINED
    drain_orphan(listed);
#endif
    unlock()
}

/* The next thread takes the heap as it is. */
inline adopt() {
    lock();
    assert(heap_state == FREE);
    heap_state = TAKEN;
    atomic {
        if
        :: state == ORPHAN -> state = OWNED; linked = true
        :: else
        fi
    };
    drain();
    unlock()
}

/* In the child, the forking thread's own heap: whoever was to announce a slab is gone. */
inline child_own_heap() {
    notify = false;
#ifndef BREAK_CHILD_UNWALKED
    if
    :: state == NOTIFIED -> state = OWNED; linked = true
    :: else
    fi
#endif
}

/* What the owner may rely on between two of its calls. */
inline check_owned() {
    atomic {
        assert(state != ORPHAN);
        assert(state != OWNED || linked);
        assert(state != NOTIFIED || notify || announced > 0); /* somebody will find it */
        assert(state == NOTIFIED || (!notify && announced == 0));
        assert(state != FULL || pushes < full_mark);
        assert(state != FULL || linked || frees < event) /* not yet worth finding */
    }
}

proctype owner() OWNER_VANISHES {
    byte b, seen_head, seen_state, seen_pushes, thread;
    bool listed;
    thread = 0;
    do
    :: thread < THREADS ->
        adopt();
        do
        :: budget > 0 -> check_owned(); allocate()
        :: holder[1] == OWNER -> free_own(1)
        :: holder[2] == OWNER -> free_own(2)
#if CAP > 2
        :: holder[3] == OWNER -> free_own(3)
#endif
        :: check_owned(); break
        od;
#if FORK == 1
        /* prepare: every slow-path lock; the other threads are gone in the child. */
        lock();
        forked = true;
        atomic { child_own_heap() };
        unlock();
        break
#endif
        /* What the thread still holds goes to another. */
        atomic {
            if
            :: holder[1] == OWNER -> holder[1] = 1
            :: else
            fi;
            if
            :: holder[2] == OWNER -> holder[2] = 1
            :: else
            fi;
#if CAP > 2
            if
            :: holder[3] == OWNER -> holder[3] = 1
            :: else
            fi
#endif
        };
        exit_thread();
        thread++
    :: else -> break
    od;
#if FORK == 1
    /* The child goes on with what it holds: a full slab must not stay out of reach. */
    if
    :: state != NONE && !linked -> drain()
    :: else
    fi;
    assert(state != NOTIFIED);
    assert(state != FULL || pushes < full_mark);
    assert(state != FULL || linked || frees < event)
#else
    over = true;
    ended == PUSHERS;
    /* Quiet. */
    assert(!notify && announced == 0 && !heap_lock);
    assert(heap_state == FREE);
    assert(state == NONE);      /* everything was freed: an orphan that empties is retired... */
    assert(services == retired) /* ...once */
    assert(retired_allocs == ALLOCS - budget && retired_frees == retired_allocs)
#endif
}

#if FORK == 2
/* Another thread forks: its child pushes what it holds into a heap that nobody has there. */
proctype forker() {
    PUSHER_LOCALS;
    lock();
    forked = true;
    heap_state = SEALED;
    unlock();
    do
    :: atomic { holder[1] == 2 -> holder[1] = IN_HAND }; push(1)
    :: atomic { holder[2] == 2 -> holder[2] = IN_HAND }; push(2)
    :: else -> break
    od;
    assert(holder[1] != 2 && holder[2] != 2);
    assert(!heap_lock)
}
#endif

init {
    atomic {
        run owner();
        run pusher(1);
#if PUSHERS > 1 && FORK != 2
        run pusher(2);
#endif
#if FORK == 2
        run forker()
#endif
    }
}
