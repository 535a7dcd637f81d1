/* How a pool is woken and falls asleep: W1 to W5, W7 and W9.  tests/model/README.md says what stands for which code.
   One pool on one host, two producers, two runs.  What is claimed is done: what becomes of a claim is in lease.pml.

   The world, one word each, is chosen by defines:
     LOCAL     plain SQL producers and local wake: the file comes before the commit      (sql/local_wake.sql)
     RELAY     plain SQL producers and a relay                                           (src/relay/)
     neither   producers that ring after their commit, or die before they can
     LATER     a run may be due later than now
     UNTOLD    producers whose transactions send no NOTIFY (dormouse.notify = off)
     SLEEPS    the database closes sessions that are idle, or the worker does it for it (W9, src/worker/worker_doze.cpp)
     FRONTS    looks that overlook some runs (src/worker/fronts.h)
     CRASHES LOSSES SIGTERMS STOPS RELAY_CRASHES     at most so many
   All other defines are mistakes, and say which; with one of them the search must find a run that waits for ever. */

#ifndef CRASHES
#define CRASHES 0          /* of the worker, at any step */
#endif
#ifndef LOSSES
#define LOSSES 0           /* of the worker's session, at any step */
#endif
#ifndef SIGTERMS
#define SIGTERMS 0         /* systemctl restart and others, the target stays up */
#endif
#ifndef STOPS
#define STOPS 0            /* of the pool's target, which may be started again, or not */
#endif
#ifndef RELAY_CRASHES
#define RELAY_CRASHES 0    /* and losses of its session */
#endif
#if defined(LOCAL) || defined(RELAY)
#define PLAIN              /* the commit alone is promised a look */
#endif

mtype = { absent, inserted, later, due, claimed };   /* a run; inserted: not committed */
mtype = { inactive, running, stop_post };             /* the service */
mtype = { no_file, none, number };                   /* the due file */
mtype = { nothing, sent, looked };                   /* the round on the wire; looked: its claim is done, its due query is not */

/* the database */
mtype row[2] = absent;
bool promised[2];          /* a doorbell was rung for it, or will be: from here on it must not wait for ever */
bool told[2];              /* an awake worker was told of it: from here on it must not lie idle */
byte waking;               /* transactions that hold the lock of local wake */
/* systemd */
bool target = true;
bool ring;                 /* a connection waits in the socket's queue */
bool wake_file;
bool rewritten;            /* since the worker answered it last; only its start removes it */
bool timer;                /* armed by dormouse-due */
bool start = true;         /* a start job of the service, at first the boot's */
bool sigterm;              /* sent by a stop of the target, not seen yet */
mtype service = inactive;
mtype due_file = no_file;
/* the worker's process */
bool serving;              /* started, and has not decided to exit */
bool connected, listening, notified;
bool sleeping;             /* the session was let go, and nothing asks for one */
bool owed;                 /* Looks */
bool due_at;               /* knows when something is due: a timer of its own */
bool due_known;            /* knows whether something is: as of the last answer */
byte falling_asleep;       /* its round: 1 sent, 2 pg_locks read, 3 due query done, its answer not there yet */
bool answered_file;        /* Doorbell::had_wake_file */
bool answering;            /* LOOK_BEFORE_ANSWER only */
mtype round = nothing;
/* the relay */
bool relay_listening, relay_notified, relay_owes, relay_connected;

byte crashes = CRASHES, losses = LOSSES, sigterms = SIGTERMS, stops = STOPS, relay_crashes = RELAY_CRASHES;

#define IS_DUE      (row[0] == due || row[1] == due)
#define TOLD_OF_DUE (row[0] == due && told[0] || row[1] == due && told[1])
#define IS_LATER    (row[0] == later || row[1] == later)
#define QUIET       (!owed && round == nothing && (listening || sleeping))
#ifdef LOCAL
#define WAKE_FILES  true   /* somebody may write them here */
#else
#define WAKE_FILES  false
#endif

inline commit(i) {
    if
    :: row[i] = due
#ifdef LATER
    :: row[i] = later
#endif
    fi;
#ifndef UNTOLD
    told[i] = true;
    notified = notified || listening;
    relay_notified = relay_notified || relay_listening
#endif
}

proctype producer(byte i) {
    row[i] = inserted;
#ifdef LOCAL
    /* the deferred trigger: lock, then file; the lock goes after the rows are visible */
    waking++;
    atomic { wake_file = true; rewritten = true };
    if
    :: atomic { commit(i); promised[i] = true }
    :: row[i] = absent                             /* rolled back after all */
    fi;
    waking--
#elif defined(RELAY)
    atomic { commit(i); promised[i] = true }
#else
    atomic { commit(i) };
    if
    :: true                                        /* dies before it rings */
    :: atomic { ring = ring || target; promised[i] = true; told[i] = true }    /* no socket: who starts the target looks */
    fi
#endif
}

inline lose_session() {
    connected = false; listening = false; notified = false; round = nothing; due_at = false; due_known = false; falling_asleep = 0
}

/* The service: systemd's side and, between start and exit, the worker. */
active proctype dormouse_service() {
    bool clean;            /* exit 0 */
    bool restart;          /* Restart=on-failure takes the end for a failure */
    bool still_waking, is_due;
    mtype word;
asleep:
end_asleep:
    atomic {
        target && (start || ring || wake_file) ->
        start = false; service = running; clean = false; restart = false; sigterm = false;
        serving = true; owed = true; due_at = false; due_known = false; sleeping = false; falling_asleep = 0;
        answered_file = false; answering = false
    };
#ifndef OLD_FILE_STAYS
    due_file = no_file;                            /* Pool::start */
#endif
    atomic { if :: wake_file -> wake_file = false; rewritten = false; answered_file = true :: else fi };    /* ExecStartPre= */

    do
    /* the session */
    :: atomic { !connected && (!sleeping || owed) -> connected = true; sleeping = false }
#ifdef LOOK_BEFORE_LISTEN
    :: atomic { connected && !listening && !owed && round == nothing -> listening = true }
#else
    :: atomic { connected && !listening -> listening = true; owed = true }               /* on_open */
#endif
    :: atomic { connected && losses > 0 -> losses--; lose_session(); owed = true }       /* on_lost */
#ifdef SLEEPS
#ifdef SLEEP_FORGETS
    :: atomic { listening && round == nothing -> connected = false; listening = false; notified = false; sleeping = true; owed = false }
#endif
    /* Worker::fall_asleep: a wake file is answered by a round that asks as the last one does, each query with a snapshot of its own */
    :: atomic { listening && QUIET && falling_asleep == 0 -> rewritten = false; falling_asleep = 1 }
#ifdef SLEEPS_BEFORE_THE_COMMIT
    :: atomic { falling_asleep == 1 -> falling_asleep = 2 }
#else
    :: atomic { falling_asleep == 1 -> still_waking = (waking > 0); falling_asleep = 2 }
#endif
    :: atomic { falling_asleep == 2 -> due_at = (IS_DUE || IS_LATER); due_known = true; falling_asleep = 3 }
    :: atomic {
        falling_asleep == 3 -> falling_asleep = 0; owed = owed || still_waking; still_waking = false;
        if
        :: QUIET && !notified -> connected = false; listening = false; sleeping = true
        :: else
        fi
       }
    /* Worker::database_fell_asleep */
    :: atomic {
        listening && QUIET -> connected = false; listening = false; notified = false; sleeping = true; falling_asleep = 0;
        still_waking = false; due_known = due_known && !WAKE_FILES; owed = rewritten; rewritten = false
       }
    :: atomic { sleeping && rewritten -> rewritten = false; owed = true }                /* Doorbell::watch_wake_file */
#endif

    /* what makes a look owed */
#ifdef LOOK_BEFORE_ANSWER
    :: atomic { ring && !answering -> answering = true; owed = true }
    :: atomic { answering && !owed && round == nothing -> answering = false; ring = false }
#else
    :: atomic { ring -> ring = false; owed = true }                                      /* Doorbell::answer */
#endif
    :: atomic { notified -> notified = false; owed = true }
    :: atomic { due_at -> due_at = false; owed = true }                                  /* in time or early */

    /* a look: claim, then due query, each with a snapshot of its own */
#ifdef LOOK_BEFORE_LISTEN
    :: atomic { connected && owed && round == nothing -> owed = false; round = sent }
#else
    :: atomic { listening && owed && round == nothing && falling_asleep == 0 -> owed = false; round = sent }
#endif
    :: atomic {
        round == sent -> round = looked;
        if :: row[0] == due -> row[0] = claimed :: else fi;
        if :: row[1] == due -> row[1] = claimed :: else fi
       }
    :: atomic { round == looked -> round = nothing; due_at = (IS_DUE || IS_LATER); due_known = true }
#ifdef FRONTS
    :: atomic {                                    /* from fronts: it may overlook a run, and asks nothing; so a whole one is owed */
        round == sent -> round = nothing; due_known = false;
        if :: row[0] == due -> row[0] = claimed :: true fi;
        if :: row[1] == due -> row[1] = claimed :: true fi;
#ifndef SHORT_LOOK_IS_A_LOOK
        owed = true
#endif
       }
#endif

    /* Worker::decide_exit: emptied once more, then the decision */
    :: atomic {
        QUIET && !answering ->
        if
        :: ring || rewritten -> answered_file = answered_file || rewritten; ring = false; rewritten = false; owed = true
        :: else -> serving = false; goto leaving
        fi
       }
#ifdef LEAVES_WITHOUT_DATABASE
    :: atomic { !connected -> serving = false; due_file = none; clean = true; goto ended }
#endif
    :: atomic { sigterm -> serving = false; goto leaving }
    :: atomic { sigterms > 0 -> sigterms--; serving = false; if :: start = true :: true fi; goto leaving }
    :: atomic { crashes > 0 -> crashes--; goto crashed }
    od;

leaving:                   /* never accepts, never claims; a claim on the wire is handed back: as if it had not been */
    atomic { if :: rewritten -> rewritten = false; answered_file = true; owed = owed || sleeping :: else fi };     /* Leaving::leave */
    if
#ifdef SLEEPER_FORGETS_A_RING
    :: atomic { sleeping && due_known -> is_due = due_at; goto write }
#else
    :: atomic { sleeping && due_known -> is_due = (due_at || owed); goto write }    /* last_word(): as of the last answer, or at once */
#endif
    :: atomic { !listening && !(sleeping && due_known) -> clean = true; goto ended }    /* the due time is unknown: no file */
    :: atomic { listening -> round = nothing; owed = false }        /* the last round is sent */
    :: atomic { crashes > 0 -> crashes--; goto crashed }
    fi;
    atomic {
#ifdef NO_WAKE_LOCK
        still_waking = false
#elif defined(ONLY_WHO_HAD_THE_FILE)
        still_waking = (waking > 0 && answered_file)
#else
        still_waking = (waking > 0)
#endif
    };
    is_due = (IS_DUE || IS_LATER);
    if                     /* its answer; who was told of something meanwhile must look at once */
    :: is_due = (is_due || still_waking || notified)
    :: atomic { losses > 0 -> losses--; clean = true; goto ended }
    :: atomic { crashes > 0 -> crashes--; goto crashed }
    fi;
write:
    atomic { due_file = (is_due -> number : none) };
#ifdef ACCEPTS_WHILE_LEAVING
    if :: atomic { ring -> ring = false } :: true fi;
#endif
    if
    :: clean = true; goto ended
    :: atomic { crashes > 0 -> crashes--; goto crashed }
    fi;

crashed:                   /* restarted in a second, unless the signal is one that systemd takes for clean, or there is a stop job */
    atomic { serving = false; clean = false; if :: restart = true :: restart = false fi };
ended:
    atomic { lose_session(); owed = false; sleeping = false; still_waking = false; answering = false; service = stop_post };

    /* dormouse-due: takes the file in any case, believes it after exit 0 only */
#ifndef HELPER_SKIPPED
    atomic {
#ifdef BELIEVES_ANY_END
        word = due_file;
#else
        word = (clean -> due_file : no_file);
#endif
#ifndef FILE_NOT_TAKEN
        due_file = no_file
#endif
    };
    if
    :: atomic { !target -> timer = false }
    :: atomic { target ->
        if
        :: word == none -> timer = false; goto helper_done
        :: else                                    /* due at that time, or unknown: in 10 s and more */
        fi
       };
       if
       :: timer = true;
#ifndef TARGET_ASKED_ONCE
          atomic { if :: !target -> timer = false :: else fi }
#endif
       :: restart = true                           /* could not arm: the unit has failed, and is restarted */
       fi
    fi;
helper_done:
#endif
    atomic {
        service = inactive; start = (target && (start || restart));
        clean = false; restart = false; word = no_file; is_due = false; still_waking = false
    };
    goto asleep
}

/* Time: a run comes due, a timer fires, in time or early.  A start of a service that runs already does nothing. */
active proctype time() {
end:
    do
    :: atomic { timer -> timer = false; start = start || (target && service != running) }
    :: atomic { row[0] == later -> row[0] = due }
    :: atomic { row[1] == later -> row[1] = due }
    od
}

#ifdef RELAY
active proctype relay() {
end:
    do
#ifdef RELAY_RINGS_TOO_EARLY
    :: atomic { target && !relay_connected -> relay_connected = true; relay_owes = true }
    :: atomic { relay_connected && !relay_listening -> relay_listening = true }
#else
    :: atomic { target && !relay_connected -> relay_connected = true }
    :: atomic { relay_connected && !relay_listening -> relay_listening = true;
#ifndef RELAY_SILENT_AFTER_LISTEN
        relay_owes = true
#endif
       }
#endif
    :: atomic { relay_notified -> relay_notified = false; relay_owes = true }
    :: atomic { relay_owes && target -> relay_owes = false; ring = true }
    :: atomic { relay_crashes > 0 -> relay_crashes--;
        relay_connected = false; relay_listening = false; relay_notified = false; relay_owes = false }
    od
}
#endif

#if STOPS > 0
active proctype administrator() {
end:
    do
    :: atomic { target && stops > 0 -> stops--;
        target = false; timer = false; start = false; ring = false; sigterm = (service == running);
        relay_connected = false; relay_listening = false; relay_notified = false; relay_owes = false }
    :: atomic { !target -> target = true; start = true }
    :: atomic { !target -> break }                 /* down for good */
    od
}
#endif

/* The promises. */
active proctype promises() {
    /* an idle worker that listens has nothing to do: W3 */
end:
    do
    :: atomic { serving && listening && QUIET && !notified && !due_at && !ring && TOLD_OF_DUE -> assert(false) }
    /* a pool whose target is down is down: W5 */
    :: atomic { !target && service == inactive && timer -> assert(false) }
#ifdef REACHES_CLAIMS
    :: atomic { row[0] == claimed && row[1] == claimed && service == inactive && !timer && !start -> assert(false) }
#endif
    /* all is quiet: everybody is asleep, no timer is armed, no ring waits */
    :: timeout ->
       assert(service == inactive && (!target || !ring && !wake_file));
       assert(!target || !promised[0] || row[0] == claimed);
       assert(!target || !promised[1] || row[1] == claimed);
       break
    od
}

init { atomic { run producer(0); run producer(1) } }
