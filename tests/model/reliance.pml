/* Reliance (W10): when may a producer leave its NOTIFY out?

   Two advisory locks for each queue. V: held shared by every session that wants to be told (it is registered); a producer that has V alone
   for a moment knows that there is none. R: held shared, to its end, by every producer's transaction that may have left its NOTIFY out;
   whoever goes silent registers, has held R alone once after that, and only then looks for the last time. Who has promised to look again is
   a worker that is not registered.

     TWO        a second worker may arrive at any moment (a relay is one that never promises; whether one does is open each time)
     FOR_GOOD   worker 1 does not come back after a crash: another one must have been told of everything
     CRASHES    of worker 1, at any step
     EXITS      of worker 1: it leaves when it is quiet, and its last round asks what is due
     TERMS      of worker 1: it is told to leave, whatever it has promised, and comes back
     ABORTS     transactions that fail after their trigger
     HANGS      transactions that rely and are left open, for ever
     PUTS       silent workers put a run back, or insert one, in their own session
     OUTSIDER   somebody who may do nothing but connect holds V or R, shared or alone, for a while or for ever; and some producers are
                nobody whose locks count (they may insert, by a function of somebody else)
   Mistakes: NO_DANCE (silent without having had R) · SAME_LOOK (R after the last look) · EXIT_WITHOUT_R · PROBED_ONCE (the trigger has V,
   takes R, and does not try V again) · NO_RELIANCE (nobody is registered, so it takes nothing) · R_BEFORE_V (had R, then registers) ·
   FLAG_IN_ROW (who is registered is a row, which a REPEATABLE READ transaction sees as it was when it began) · BLOCKS_ON_R (waits for R
   instead of trying; with HANGS) · SILENT_UNREGISTERED (could not register, because a producer had V at that moment, and is silent) ·
   OWN_PROBE (with PUTS: one's own lock does not keep one from having V alone) · STRANGER_RELIES (with OUTSIDER: a producer whose locks do
   not count relies) · COUNTS_OUTSIDERS (with OUTSIDER: a lock of nobody keeps the worker awake) · and with TWO FOR_GOOD:
   PROMISES_FOR_ALL (a promise counts although another worker is registered) */

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
#ifndef PUTS
#define PUTS 0
#endif

byte rows;                 /* committed and not claimed, while somebody listened or had been relied on */
byte lain;                 /* the others: nobody is told of them, but whoever comes finds them */
byte r_shared;             /* transactions that hold R */
bool v_probed;             /* a producer has V alone, for a moment */
bool listening[3], notified[3], registered[3];
bool kept[3];              /* awake, for somebody who relies */
byte crashes = CRASHES, exits = EXITS, terms = TERMS, aborts = ABORTS, hangs = HANGS, own_puts = PUTS;
byte working = PRODUCERS;  /* transactions that are not over, but for those that never will be */
#ifdef PROMISES_FOR_ALL
bool promised[3];
#endif

#ifdef OUTSIDER
#define NOBODY 0
#define SHARED 1
#define ALONE 2
byte v_outsider, r_outsider;
byte r_stranger;           /* transactions that hold R, of roles that do not count */
#define V_TAKEN (v_outsider != NOBODY)
#define V_TAKEN_ALONE (v_outsider == ALONE)
#define R_TAKEN_ALONE (r_outsider == ALONE)
#else
#define V_TAKEN false
#define V_TAKEN_ALONE false
#define R_TAKEN_ALONE false
#endif

#define SOMEBODY (listening[1] || listening[2])
#define TELL notified[1] = notified[1] || listening[1]; notified[2] = notified[2] || listening[2]
#define MAY_CRASH(w) ((w) == 1 && crashes > 0)
#define CRASH_HERE(w) if :: MAY_CRASH(w) -> goto crashed :: true fi

#ifdef FLAG_IN_ROW
#define NOBODY_REGISTERED seen             /* however often it is asked */
#else
#define NOBODY_REGISTERED (!registered[1] && !registered[2])
#endif
#ifdef PROMISES_FOR_ALL
#define UNHEARD (NOBODY_REGISTERED || promised[1] || promised[2])
#else
#define UNHEARD NOBODY_REGISTERED
#endif
/* taken and given back, two steps; what cannot be had is told */
#define TRY_V atomic { if :: UNHEARD && !v_probed && !V_TAKEN -> v_probed = true; unheard = true :: else -> unheard = false fi }; \
    if :: unheard -> v_probed = false :: else fi

proctype producer() {
    bool relies, unheard, owed, stranger;
#ifdef FLAG_IN_ROW
    bool seen;

    seen = (!registered[1] && !registered[2]);    /* the snapshot of its first statement, which is not the INSERT */
#endif
#ifdef OUTSIDER
    if :: stranger = true :: true fi;
#endif

    /* the trigger, inside the transaction: tries, never waits */
    TRY_V;
#ifndef STRANGER_RELIES
    if :: stranger -> unheard = false :: else fi;
#endif
#ifndef NO_RELIANCE
    if                                     /* somebody is there: takes nothing */
#ifdef STRANGER_RELIES
    :: unheard && stranger -> atomic { if :: R_TAKEN_ALONE -> unheard = false :: else -> r_stranger++; relies = true fi }
#endif
    :: unheard && !stranger -> atomic { if :: R_TAKEN_ALONE -> unheard = false :: else -> r_shared++; relies = true fi }
    :: !unheard
    fi;
#ifndef PROBED_ONCE
    if
    :: relies -> TRY_V
    :: else
    fi;
#endif
    owed = unheard && SOMEBODY;            /* who has promised is there */
#endif
#if HANGS
    if
    :: atomic { relies && hangs > 0 -> hangs--; working-- }; goto end_left_open
    :: true
    fi;
#endif
    /* the commit: rows are seen and notifications go out, then the locks go */
    if
    :: atomic {
        if :: owed || SOMEBODY -> rows++ :: else -> lain++ fi;
        if :: !unheard -> TELL :: else fi
       }
    :: atomic { aborts > 0 -> aborts-- }
    fi;
    atomic {
        if
#ifdef STRANGER_RELIES
        :: relies && stranger -> r_stranger--
#endif
        :: relies && !stranger -> r_shared--
        :: !relies
        fi;
        working--
    };
#if HANGS
    goto over;
end_left_open:
    false;
over:
    skip
#endif
}

/* had alone, or else seen in pg_locks that nobody who counts holds it */
#ifdef COUNTS_OUTSIDERS
#define R_IS_FREE (r_shared == 0 && r_outsider == NOBODY)
#else
#define R_IS_FREE (r_shared == 0)
#endif
#define LOOK atomic { found = rows + lain; rows = 0; lain = 0 }
#define SOMETHING (rows + lain > 0)
#define REGISTER atomic { if :: !v_probed && !V_TAKEN_ALONE -> registered[w] = true :: else fi }

proctype dormouse_worker(byte w) {
    byte found;
    bool had;
start:
    listening[w] = true;
look:
    CRASH_HERE(w);
    notified[w] = false;
    LOOK;
    if
    :: found > 0 ->                        /* work: it will look again, and may say so */
       found = 0;
#ifdef PROMISES_FOR_ALL
       if :: promised[w] = true :: true fi;
#endif
       if
       :: registered[w] = false
       :: true
       fi;
       CRASH_HERE(w);
       if
       :: w == 1 && terms > 0 -> terms--; goto told_to_leave
       :: true
       fi;
#ifdef EXIT_WITHOUT_R
       if :: w == 1 && exits > 0 -> exits--; goto leave :: true fi;
#endif
       goto look
    :: else
    fi;

    /* going silent: one round, of which each statement is a step */
#ifdef R_BEFORE_V
    if
    :: r_shared == 0
    :: else -> (r_shared == 0 || SOMETHING); goto look
    fi;
    REGISTER;
#else
    REGISTER;
#ifdef PROMISES_FOR_ALL
    promised[w] = false;
#endif
    CRASH_HERE(w);
#if defined(BLOCKS_ON_R)
end_blocked:                               /* inside a statement: nobody is heard */
    r_shared == 0;
#elif !defined(NO_DANCE)
    atomic { had = R_IS_FREE };
    if
    :: had
    :: else -> kept[w] = true; goto end_tries_again
    fi;
    had = false;
#endif
#endif
#ifndef SAME_LOOK
    LOOK;                                  /* a new statement, so a new snapshot */
    if
    :: found > 0 -> found = 0; goto look
    :: else
    fi;
#endif
#ifndef SILENT_UNREGISTERED
    if
    :: registered[w] -> goto end_silent
    :: else                                /* the pause again: it is not silent */
    fi;
end_unregistered:
    (!v_probed && !V_TAKEN_ALONE) || notified[w] || SOMETHING;
    goto look;
#else
    goto end_silent;
#endif

end_tries_again:                           /* after a pause, with a look each time, so whatever is there is found */
    R_IS_FREE || notified[w] || SOMETHING;
    kept[w] = false;
    goto look;

end_silent:
    if
    :: notified[w] -> goto look
    :: MAY_CRASH(w) -> goto crashed
    :: w == 1 && exits > 0 -> exits--; goto leave
#if PUTS
#ifdef OWN_PROBE
    :: atomic { own_puts > 0 -> own_puts--; rows++; if :: registered[3 - w] -> TELL :: else fi }; goto end_silent
#else
    :: atomic { own_puts > 0 -> own_puts--; rows++; TELL }; goto end_silent    /* a session that registers notifies always */
#endif
#endif
    fi;

leave:                                     /* the last round; what it sees, or is told of meanwhile, starts the next worker */
    atomic { found = rows + lain };
    if
    :: atomic { found > 0 || notified[w] -> found = 0; listening[w] = false; notified[w] = false; registered[w] = false; goto start }
    :: atomic { else -> listening[w] = false; registered[w] = false; goto gone }
    fi;

told_to_leave:                             /* the last round of a worker that was not silent: without R there is no due file */
    atomic { !v_probed -> registered[w] = true };
    atomic { had = R_IS_FREE };
    if
    :: had -> had = false; goto leave
    :: else -> atomic { listening[w] = false; notified[w] = false; registered[w] = false; goto start }
    fi;

crashed:                                   /* the session is gone, and with it its locks; the due time is unknown, so somebody looks */
    atomic {
        crashes--; listening[w] = false; notified[w] = false; registered[w] = false; found = 0; had = false
#ifdef PROMISES_FOR_ALL
        ; promised[w] = false
#endif
    };
#ifndef FOR_GOOD
    goto start;
#endif
gone:
    skip
}

#ifdef OUTSIDER
proctype outsider() {
    if
    :: atomic { !v_probed -> v_outsider = SHARED }
    :: atomic { !v_probed && !registered[1] && !registered[2] -> v_outsider = ALONE }
    :: r_outsider = SHARED
    :: atomic { r_shared == 0 -> r_outsider = ALONE }
    fi;
    if
    :: goto gone                           /* keeps it */
    :: v_outsider = NOBODY; r_outsider = NOBODY
    fi;
gone:
    skip
}
#endif

active proctype promises() {
end:
    do
#ifdef REACHES_RELIANCE
    :: atomic { SOMEBODY && r_shared > 0 && rows > 1 -> assert(false) }
#endif
#ifdef REACHES_NOBODY
    :: atomic { r_shared > 0 && lain > 1 && !SOMEBODY -> assert(false) }
#endif
    :: timeout -> assert(working == 0 && rows == 0 && (lain == 0 || !SOMEBODY));
#if !HANGS
       assert(!kept[1] && !kept[2]);       /* nobody relies any more */
#endif
       break
    od
}

init {
    byte i;
    atomic {
        run dormouse_worker(1);
#ifdef TWO
        run dormouse_worker(2);
#endif
#ifdef OUTSIDER
        run outsider();
#endif
        for (i : 1 .. PRODUCERS) { run producer() }
    }
}
