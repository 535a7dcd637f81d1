/* Reliance (W10): when may a producer leave its NOTIFY out?  Not built yet: this model is the contract for whoever builds it.

   Two advisory keys for each queue. P, the promise: held by a worker that will look again. R, reliance: held shared by every producer's
   transaction that may have left its NOTIFY out; whoever goes silent has held it alone once, after nobody promised any more.

     TWO        a second worker may arrive at any moment (a relay is one that never promises)
     FOR_GOOD   worker 1 does not come back after a crash: another one must have been told of everything
     CRASHES    of worker 1, at any step
     EXITS      of worker 1: it leaves when it is quiet, and its last round asks what is due
     ABORTS     transactions that fail after their trigger
   Mistakes: NO_DANCE (silent without having had R) · SAME_LOOK (R after the last look) · EXIT_WITHOUT_R
   and with TWO FOR_GOOD: ANY_PROMISE (promises though another worker is registered) · UNSERIALISED (the registry read, then the promise) ·
   with TWO: ONE_KEY (the silent hold a key, the others are relied on) */

#ifndef PRODUCERS
#define PRODUCERS 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef EXITS
#define EXITS 0
#endif
#ifndef ABORTS
#define ABORTS 0
#endif

byte rows;                 /* committed, not claimed, and somebody was told or relied on */
byte r_shared;             /* transactions that hold R */
bool r_exclusive;
byte promiser;             /* the worker that holds P */
bool listening[3], notified[3], registered[3];
byte crashes = CRASHES, exits = EXITS, aborts = ABORTS;
byte working = PRODUCERS;  /* transactions that are not over */

#define ALONE(w) (!registered[3 - (w)])
#define MAY_CRASH(w) ((w) == 1 && crashes > 0)
#define CRASH_HERE(w) if :: MAY_CRASH(w) -> goto crashed :: true fi

proctype producer() {
    bool relies, notifies;

    /* the trigger, inside the transaction: tries, never waits */
#ifdef ONE_KEY
    notifies = (promiser != 0);
#else
    atomic { if :: r_exclusive -> notifies = true :: else -> r_shared++; relies = true fi };
    if
    :: relies -> notifies = (promiser == 0)
    :: else
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
    atomic { if :: relies -> r_shared-- :: else fi; working-- }
}

proctype dormouse_worker(byte w) {
    byte found;
    bool waits;
start:
    registered[w] = true;
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
       :: ALONE(w) -> atomic { if :: promiser == 0 -> promiser = w :: else fi }
       :: else
       fi;
#else
       atomic { if :: promiser == 0 && ALONE(w) -> promiser = w :: else fi };    /* one lock for registering and promising */
#endif
       found = 0;
       CRASH_HERE(w);
#ifndef ONE_KEY
       atomic { if :: promiser == w && !ALONE(w) -> promiser = 0 :: else fi };   /* a newcomer's registration: withdraws */
#endif
#ifdef EXIT_WITHOUT_R
       if :: w == 1 && exits > 0 -> exits--; atomic { if :: promiser == w -> promiser = 0 :: else fi }; goto leave :: true fi;
#endif
       goto look
    :: else
    fi;

    /* going silent */
#ifdef ONE_KEY
    atomic { if :: promiser == 0 -> promiser = w :: else fi };
#else
    atomic { if :: promiser == w -> promiser = 0 :: else fi };
    CRASH_HERE(w);
#ifndef NO_DANCE
#ifndef ANY_PROMISE
    if
    :: promiser != 0 -> (promiser == 0 || notified[w] || rows > 0); goto look
    :: else
    fi;
#endif
    atomic { if :: r_shared > 0 || r_exclusive -> waits = true :: else -> r_exclusive = true fi };
    if
    :: waits -> waits = false; (r_shared == 0 && !r_exclusive); goto look        /* tried, not waited for: again after a pause */
    :: else
    fi;
    r_exclusive = false;
#endif
#endif
#ifndef SAME_LOOK
    atomic { found = rows; rows = 0 };     /* a new statement, so a new snapshot */
    if
    :: found > 0 -> found = 0; goto look
    :: else
    fi;
#endif
end_silent:
    if
    :: notified[w] -> goto look
    :: MAY_CRASH(w) -> goto crashed
    :: w == 1 && exits > 0 -> exits--; goto leave
    fi;

leave:                                     /* the last round; what it sees, or is told of meanwhile, starts the next worker */
    atomic { found = rows };
    if
    :: atomic { found > 0 || notified[w] -> found = 0; goto start }
    :: atomic { else -> listening[w] = false; registered[w] = false; goto gone }
    fi;

crashed:                                   /* the session is gone, and with it its locks; the due time is unknown, so somebody looks */
    atomic {
        crashes--; listening[w] = false; notified[w] = false; found = 0;
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
