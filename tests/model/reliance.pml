/* Reliance (W10): when may a producer leave its NOTIFY out?

   Two advisory locks for each queue. The promise: held shared by every session that listens (it is registered), and exclusively by the
   one of them that will look again; so nobody registers while another one promises, and nobody promises who is not alone. Reliance: held
   shared by every producer's transaction that may have left its NOTIFY out; whoever goes silent has held it alone once, after it had
   given the promise back and was registered.

     TWO        a second worker may arrive at any moment (a relay is one that never promises)
     FOR_GOOD   worker 1 does not come back after a crash: another one must have been told of everything
     CRASHES    of worker 1, at any step
     EXITS      of worker 1: it leaves when it is quiet, and its last round asks what is due
     TERMS      of worker 1: it is told to leave, whatever it has promised, and comes back
     ABORTS     transactions that fail after their trigger
     HANGS      transactions that rely and are left open, for ever
   Mistakes: NO_DANCE (silent without having had R) · SAME_LOOK (R after the last look) · EXIT_WITHOUT_R · PROBED_ONCE (the trigger sees the
   promise, takes R, and does not look at the promise again) · R_BEFORE_P (had R, then gives the promise back) · FLAG_IN_ROW (the promise is
   a row, which a REPEATABLE READ transaction sees as it was when it began) · BLOCKS_ON_R (waits for R instead of trying; with HANGS)
   and with TWO FOR_GOOD: ANY_PROMISE (promises though another worker is registered) · UNSERIALISED (the registry read, then the promise) ·
   SILENT_UNREGISTERED (a newcomer is silent while somebody promises) · with TWO: ONE_KEY (the silent hold a key, the others are relied on) */

#ifndef PRODUCERS
#define PRODUCERS 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef EXITS
#define EXITS 0
#endif
#ifndef TERMS
#define TERMS 0
#endif
#ifndef ABORTS
#define ABORTS 0
#endif
#ifndef HANGS
#define HANGS 0
#endif

byte rows;                 /* committed, not claimed, and somebody was told or relied on */
byte r_shared;             /* transactions that hold R */
bool r_exclusive;
byte promiser;             /* the worker that holds P */
bool listening[3], notified[3], registered[3];
bool arrived;              /* somebody could not register, and has said so to the one who promises */
byte crashes = CRASHES, exits = EXITS, terms = TERMS, aborts = ABORTS, hangs = HANGS;
byte working = PRODUCERS;  /* transactions that are not over, but for those that never will be */

#define ALONE(w) (!registered[3 - (w)])
#define MAY_CRASH(w) ((w) == 1 && crashes > 0)
#define CRASH_HERE(w) if :: MAY_CRASH(w) -> goto crashed :: true fi

#ifdef FLAG_IN_ROW
#define PROMISED seen                      /* however often it is asked */
#else
#define PROMISED promiser
#endif

proctype producer() {
    bool relies, notifies;
#ifdef FLAG_IN_ROW
    byte seen;

    seen = promiser;                       /* the snapshot of its first statement, which is not the INSERT */
#endif

    /* the trigger, inside the transaction: tries, never waits */
#ifdef ONE_KEY
    notifies = (promiser != 0);
#else
    notifies = (PROMISED == 0);            /* nobody promises: takes nothing */
    if
    :: !notifies -> atomic { if :: r_exclusive -> notifies = true :: else -> r_shared++; relies = true fi }
    :: else
    fi;
#ifndef PROBED_ONCE
    if
    :: relies -> notifies = (PROMISED == 0)
    :: else
    fi;
#endif
#endif
#if HANGS
    if
    :: atomic { relies && hangs > 0 -> hangs--; working-- }; goto end_left_open
    :: true
    fi;
#endif
    /* the commit: rows are seen and notifications go out, then the locks go.  A NOTIFY that nobody hears is no promise. */
    if
    :: atomic {
        if :: !notifies || listening[1] || listening[2] -> rows++ :: else fi;
        if
        :: notifies -> notified[1] = notified[1] || listening[1]; notified[2] = notified[2] || listening[2]
        :: else
        fi
       }
    :: atomic { aborts > 0 -> aborts-- }
    fi;
    atomic { if :: relies -> r_shared-- :: else fi; working-- };
#if HANGS
    goto over;
end_left_open:
    false;
over:
    skip
#endif
}

#define MAY_PROMISE(w) (promiser == 0 && ALONE(w))
#define TRY_R(had) atomic { if :: r_shared > 0 || r_exclusive -> had = false :: else -> r_exclusive = true; had = true fi }

proctype dormouse_worker(byte w) {
    byte found;
    bool had;
start:
    listening[w] = true;
look:
    CRASH_HERE(w);
    notified[w] = false;
    atomic { found = rows; rows = 0 };
    if
    :: found > 0 ->                        /* work: it will look again, and may say so */
#if defined(ANY_PROMISE)
       atomic { if :: promiser == 0 -> promiser = w :: else fi };
#elif defined(ONE_KEY)
       atomic { if :: promiser == w -> promiser = 0 :: else fi };
#elif defined(UNSERIALISED)
       if
       :: registered[w] && ALONE(w) -> atomic { if :: promiser == 0 -> promiser = w :: else fi }
       :: else
       fi;
#else
       atomic { if :: registered[w] && MAY_PROMISE(w) -> promiser = w :: else fi };    /* exclusive: the others' shared locks forbid it */
#endif
       found = 0;
       CRASH_HERE(w);
#ifndef ONE_KEY
       atomic { if :: promiser == w && arrived -> promiser = 0; arrived = false :: else fi };    /* a newcomer: withdraws */
#endif
       if
       :: w == 1 && terms > 0 -> terms--; goto told_to_leave
       :: true
       fi;
#ifdef EXIT_WITHOUT_R
       if :: w == 1 && exits > 0 -> exits--; atomic { if :: promiser == w -> promiser = 0 :: else fi }; goto leave :: true fi;
#endif
       goto look
    :: else
    fi;

    /* going silent: one round, of which each statement is a step */
#ifdef ONE_KEY
    atomic { if :: promiser == 0 -> promiser = w :: else fi };
#else
#ifdef R_BEFORE_P
    registered[w] = true;
    TRY_R(had);
    if
    :: had -> r_exclusive = false
    :: else -> (r_shared == 0 && !r_exclusive); goto look
    fi;
    had = false;
    atomic { if :: promiser == w -> promiser = 0 :: else fi };
#else
#if defined(SILENT_UNREGISTERED) || defined(ANY_PROMISE) || defined(UNSERIALISED)
    registered[w] = true;
#else
    atomic { if :: promiser == 0 || promiser == w -> registered[w] = true :: else -> arrived = true fi };
#endif
    atomic { if :: promiser == w -> promiser = 0 :: else fi };
    CRASH_HERE(w);
#if defined(BLOCKS_ON_R)
end_blocked:                               /* inside a statement: nobody is heard */
    atomic { r_shared == 0 && !r_exclusive -> r_exclusive = true };
    r_exclusive = false;
#elif !defined(NO_DANCE)
    TRY_R(had);
    if
    :: had -> r_exclusive = false
    :: else -> goto end_tries_again
    fi;
#endif
    had = false;
#endif
#endif
#ifndef SAME_LOOK
    atomic { found = rows; rows = 0 };     /* a new statement, so a new snapshot */
    if
    :: found > 0 -> found = 0; goto look
    :: else
    fi;
#endif
#if !defined(ONE_KEY) && !defined(R_BEFORE_P)
    if
    :: !registered[w] -> (promiser == 0 || notified[w] || rows > 0); goto look    /* the pause again: it is not silent */
    :: else
    fi;
#endif
    goto end_silent;

end_tries_again:                           /* after a pause, with a look each time, so whatever is there is found */
    (r_shared == 0 && !r_exclusive) || notified[w] || rows > 0;
    goto look;

end_silent:
    if
    :: notified[w] -> goto look
    :: MAY_CRASH(w) -> goto crashed
    :: w == 1 && exits > 0 -> exits--; goto leave
    fi;

leave:                                     /* the last round; what it sees, or is told of meanwhile, starts the next worker */
    atomic { found = rows };
    if
    :: atomic { found > 0 || notified[w] -> found = 0; listening[w] = false; notified[w] = false; registered[w] = false; goto start }
    :: atomic { else -> listening[w] = false; registered[w] = false; goto gone }
    fi;

told_to_leave:                             /* the last round of a worker that was not silent: without R there is no due file */
    atomic { if :: promiser == w -> promiser = 0 :: else fi };
    TRY_R(had);
    if
    :: had -> r_exclusive = false; had = false; goto leave
    :: else -> atomic { listening[w] = false; notified[w] = false; registered[w] = false; goto start }
    fi;

crashed:                                   /* the session is gone, and with it its locks; the due time is unknown, so somebody looks */
    atomic {
        crashes--; listening[w] = false; notified[w] = false; registered[w] = false; found = 0; had = false;
        if :: promiser == w -> promiser = 0 :: else fi
    };
#ifndef FOR_GOOD
    goto start;
#endif
gone:
    skip
}

active proctype promises() {
end:
    do
#ifdef REACHES_RELIANCE
    :: atomic { promiser != 0 && r_shared > 0 && rows > 1 -> assert(false) }
#endif
    :: timeout -> assert(working == 0 && rows == 0); break
    od
}

init {
    byte i;
    atomic {
        run dormouse_worker(1);
#ifdef TWO
        run dormouse_worker(2);
#endif
        for (i : 1 .. PRODUCERS) { run producer() }
    }
}
