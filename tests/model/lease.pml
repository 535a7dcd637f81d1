/* What becomes of a claim: fences, leases, rescue, rounds whose answer is lost.  tests/model/README.md says what stands for which code.
   One run, the workers of two hosts.  Both have been told of the run; one host at most goes for good.

     LAPSES     leases that end although their holder lives: stopped longer than the lease, or cut off from the database
     LOSSES     sessions lost, at any step; a round on the wire was done then, or will never be
     LATE       rounds that are done after their session is lost, at any later time: a commit that hung
     CRASHES    of workers; the next life is another worker (a uuid for each)
     HOSTS_GONE hosts that do not come back
     RETRIES    attempts that end by putting the run back
     TAKEN      an operator's UPDATE … SET status = 'queued' on a running run
     LOCKED     statements that skip the row because somebody has it locked
     ALONE      there is no other host
     BUSY       the workers have other things to do and never leave
     FAILOVER   a standby takes over that knows neither the last claim nor its fence
   Mistakes: WRITE_BY_ID · WRITE_WITHOUT_WORKER · HEARTBEAT_BY_WORKER (a worker's heartbeat extends all it has in the database) ·
   KNOWN_BY_ID (a run is known after a reconnect if any claim of it is in memory) · DUE_WITHOUT_OWN (leases of the asking worker are no
   due time) · NOTHING_RELEASED */

#ifndef LAPSES
#define LAPSES 0
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef HOSTS_GONE
#define HOSTS_GONE 0
#endif
#ifndef RETRIES
#define RETRIES 0
#endif
#ifndef TAKEN
#define TAKEN 0
#endif
#ifndef LOCKED
#define LOCKED 0
#endif
#ifndef FAILOVER
#define FAILOVER 0
#endif

mtype = { queued, running, completed };
mtype = { off, on_wire, done };        /* a round; done: in the database, its answer is on the way */

#define DEAD 3                         /* the uuid of a life that is over */

/* a round: what was asked. Sets of fences are bits. */
typedef Round {
    byte worker;
    bool release, last;
    short known, finish, back;
}
typedef Memory {                       /* of a worker's process */
    bool awake, connected, owed, due, forgotten, ever_claimed, in_doubt;
    byte flight;                       /* fence of the handler at work */
    short finish, back;                /* Outbox */
    mtype wire;
    byte claimed; bool answer_due, answer_held;    /* the answer */
    bool timer, gone;                  /* of its host: dormouse-due's; the machine is no more */
}

/* the row */
mtype row = queued;
byte fence, worker; bool lease_over;
byte repeated;                         /* the fence that a failover gives out again */
byte completions;
#ifdef REACHES_RESCUE
bool rescued;
#endif

Memory host[2];
Round asked[3];                        /* on the wire of host 0, of host 1, and LATE_ONE: of a session that is lost */
#define LATE_ONE 2
bool late_pending, late_locks;         /* its statements are done, its commit is not: the row is locked, and looks as before */
byte lapses = LAPSES, losses = LOSSES, lates = LATE, crashes = CRASHES, hosts_gone = HOSTS_GONE, retries = RETRIES, taken = TAKEN,
     locked = LOCKED, failovers = FAILOVER;

#define BIT(f)      (1 << (f))
#define HAS(set, f) (((set) >> (f)) & 1)
#define ME(w)       ((w) + 1)
#define REMEMBERED (IN_MEMORY(0) | IN_MEMORY(1) | asked[0].known | asked[1].known | asked[2].known | \
                    BIT(host[0].claimed) | BIT(host[1].claimed))
#define IN_MEMORY(w) ((host[w].flight != 0 -> BIT(host[w].flight) : 0) | host[w].finish | host[w].back)

/* Which endings the row is ready for: all three of run, fence and worker (finish.sql, put_back.sql). */
#if defined(WRITE_BY_ID)
#define MATCHES(r, set) (row == running && asked[r].set != 0)
#elif defined(WRITE_WITHOUT_WORKER)
#define MATCHES(r, set) (row == running && HAS(asked[r].set, fence))
#else
#define MATCHES(r, set) (row == running && HAS(asked[r].set, fence) && worker == asked[r].worker)
#endif
#define CURRENT(r, set) (HAS(asked[r].set, fence) && worker == asked[r].worker)

/* Whose lease is nobody's business: what the asker has in memory it extends and ends itself (due.sql). */
#if defined(DUE_WITHOUT_OWN)
#define LEASE_COUNTS(r, new) (worker != asked[r].worker)
#else
#define LEASE_COUNTS(r, new) !(worker == asked[r].worker && (HAS(asked[r].known, fence) || fence == new))
#endif
#if defined(KNOWN_BY_ID)
#define FORGOTTEN(r) (worker == asked[r].worker && asked[r].known == 0)
#else
#define FORGOTTEN(r) (worker == asked[r].worker && !HAS(asked[r].known, fence))
#endif

inline put_back_row() { row = queued; fence = 0; worker = 0; lease_over = false }

inline tell_both() { host[0].owed = host[0].owed || host[0].connected; host[1].owed = host[1].owed || host[1].connected }

/* A new fence.  They are compared for equality alone, so one that nobody remembers is given out again: that keeps the search finite. */
inline next_fence() {
    if
    :: repeated != 0 -> fence = repeated; repeated = 0
    :: else ->
       fence = 1;
       do
       :: HAS(REMEMBERED, fence) -> fence++
       :: else -> break
       od;
       assert(fence < 15)
    fi
}

/* One transaction, its statements in the order of store/statements.cpp. */
inline write(r, new) {
#ifndef NOTHING_RELEASED
    if
    :: asked[r].release && row == running && FORGOTTEN(r) -> put_back_row(); tell_both()
    :: asked[r].release && row == running && FORGOTTEN(r) && locked > 0 -> locked--
    :: else
    fi;
#endif
    if
    :: MATCHES(r, finish) ->
       assert(CURRENT(r, finish));     /* no result of an old claim is taken */
       completions++; assert(completions == 1);
       row = completed; fence = 0; worker = 0
    :: MATCHES(r, back) ->
       assert(CURRENT(r, back));
       put_back_row()
    :: else
    fi;
    if
    :: !asked[r].last ->
       if
       :: row == running && lease_over -> put_back_row();
#ifdef REACHES_RESCUE
          rescued = true
#endif
       :: else
       fi;
       if
       :: row == queued ->
          next_fence();
          row = running; new = fence; worker = asked[r].worker; lease_over = false
       :: row == queued && locked > 0 -> locked--
       :: else
       fi
    :: else
    fi
}
/* A round as the database does it. */
inline execute(r, new, is_due, held) {
    new = 0;
    held = (row == running && worker == asked[r].worker && HAS(asked[r].known, fence));
    if
    :: late_locks && r != LATE_ONE         /* skipped by every statement */
    :: else -> write(r, new)
    fi;
    is_due = (row == queued || row == running && LEASE_COUNTS(r, new))
}

inline new_life(w) {
    host[w].awake = true; host[w].owed = true; host[w].timer = false
}
inline clear_round(w) {
    host[w].wire = off; host[w].claimed = 0; host[w].answer_due = false; host[w].answer_held = false;
    asked[w].worker = 0; asked[w].release = false; asked[w].last = false; asked[w].known = 0;
    asked[w].finish = 0; asked[w].back = 0
}
inline end_of_life(w) {
    if :: worker == ME(w) -> worker = DEAD :: else fi;
    if :: late_pending && asked[LATE_ONE].worker == ME(w) -> asked[LATE_ONE].worker = DEAD :: else fi;
    host[w].awake = false; host[w].connected = false; host[w].owed = false; host[w].due = false; host[w].forgotten = false;
    host[w].ever_claimed = false; host[w].in_doubt = false; host[w].flight = 0; host[w].finish = 0; host[w].back = 0;
    clear_round(w)
}
inline send(w, is_last) {
    asked[w].worker = ME(w); asked[w].last = is_last;
    asked[w].release = host[w].forgotten;
    asked[w].known = IN_MEMORY(w); asked[w].finish = host[w].finish; asked[w].back = host[w].back;
    host[w].owed = false; host[w].wire = on_wire; host[w].ever_claimed = true
}

#define SOMETHING_TO_SEND(w) (host[w].owed || host[w].forgotten || host[w].in_doubt || host[w].finish != 0 || host[w].back != 0)

/* Somebody alive extends this lease in time. */
#if defined(HEARTBEAT_BY_WORKER)
#define EXTENDS(w)  true
#else
#define EXTENDS(w)  (HAS(IN_MEMORY(w), fence) || host[w].claimed == fence)
#endif
#define KEPT_BY(w)  (host[w].connected && worker == ME(w) && EXTENDS(w))

proctype dormouse_worker(byte w) {
    short was;
end:
    do
    /* asleep: what was due, or the host's other start, wakes it */
    :: atomic { !host[w].awake && !host[w].gone && host[w].timer && (row == queued || lease_over) -> new_life(w) }
    :: atomic { host[w].gone -> break }

    :: atomic { host[w].awake && !host[w].connected -> host[w].connected = true; host[w].owed = true }
    :: atomic { host[w].connected && host[w].wire == off && SOMETHING_TO_SEND(w) -> send(w, false) }
    :: atomic { host[w].connected && host[w].wire == on_wire ->
        execute(w, host[w].claimed, host[w].answer_due, host[w].answer_held); host[w].wire = done }
    :: atomic { host[w].connected && host[w].wire == done && !asked[w].last ->
        if :: asked[w].release -> host[w].forgotten = false :: else fi;
        /* what was sent is written, or refused for good */
        host[w].finish = host[w].finish & ~asked[w].finish; host[w].back = host[w].back & ~asked[w].back;
        if :: host[w].in_doubt && !host[w].answer_held && HAS(asked[w].known, host[w].flight) -> host[w].flight = 0 :: else fi;
        host[w].in_doubt = false;
        if
        :: host[w].claimed != 0 && host[w].flight == 0 -> host[w].flight = host[w].claimed
        :: host[w].claimed != 0 && host[w].flight != 0 -> host[w].back = host[w].back | BIT(host[w].claimed)    /* not_started */
        :: else
        fi;
        host[w].due = host[w].answer_due;
        clear_round(w) }
    :: atomic { host[w].due && (row == queued || lease_over) -> host[w].due = false; host[w].owed = true }
    :: atomic { host[w].flight != 0 -> host[w].finish = host[w].finish | BIT(host[w].flight); host[w].flight = 0 }
    :: atomic { host[w].flight != 0 && retries > 0 -> retries--; host[w].back = host[w].back | BIT(host[w].flight); host[w].flight = 0 }
    /* leases are extended by (run, fence), and by a holder that lives in time: see world */
    :: atomic { host[w].connected && row == running && lease_over && worker == ME(w) && EXTENDS(w) -> lease_over = false }

    :: atomic { host[w].connected && losses > 0 -> losses--;
        if
        :: host[w].wire == on_wire && lates > 0 && !late_pending -> lates--; late_pending = true;
           if :: late_locks = (row == queued && !asked[w].last) :: true fi;
           asked[LATE_ONE].worker = asked[w].worker; asked[LATE_ONE].release = asked[w].release; asked[LATE_ONE].last = asked[w].last;
           asked[LATE_ONE].known = asked[w].known; asked[LATE_ONE].finish = asked[w].finish; asked[LATE_ONE].back = asked[w].back
        :: true
        fi;
        if
        :: asked[w].last -> end_of_life(w); new_life(w)                /* no due file: unknown */
        :: else ->
           clear_round(w);
           host[w].connected = false; host[w].owed = true; host[w].due = false;
           host[w].forgotten = host[w].ever_claimed; host[w].in_doubt = (host[w].flight != 0)
        fi }

#ifndef BUSY
    /* the way out: a last round, which claims nothing */
    :: atomic { host[w].connected && host[w].wire == off && !SOMETHING_TO_SEND(w) && host[w].flight == 0 -> send(w, true) }
    :: atomic { host[w].wire == done && asked[w].last ->
        was = (host[w].answer_due || host[w].owed); end_of_life(w); host[w].timer = was; was = 0 }
#endif

    :: atomic { host[w].awake && crashes > 0 -> crashes--; end_of_life(w); new_life(w) }
    :: atomic { hosts_gone > 0 -> hosts_gone--; end_of_life(w); host[w].timer = false; host[w].gone = true }
    od
}

inline lose(w) {
    if
    :: host[w].connected && asked[w].last -> end_of_life(w); new_life(w)
    :: host[w].connected && !asked[w].last ->
       clear_round(w); host[w].connected = false; host[w].owed = true; host[w].due = false;
       host[w].forgotten = host[w].ever_claimed; host[w].in_doubt = (host[w].flight != 0)
    :: else
    fi
}

proctype world() {
    byte nobody; bool nothing, none;
end:
    do
    :: atomic { row == running && !lease_over && !KEPT_BY(0) && !KEPT_BY(1) -> lease_over = true }
    :: atomic { row == running && !lease_over && lapses > 0 -> lapses--; lease_over = true }
    :: atomic { late_pending -> execute(LATE_ONE, nobody, nothing, none); late_pending = false; late_locks = false;
        asked[LATE_ONE].worker = 0; asked[LATE_ONE].release = false; asked[LATE_ONE].last = false;
        asked[LATE_ONE].known = 0; asked[LATE_ONE].finish = 0; asked[LATE_ONE].back = 0;
        nobody = 0; nothing = false; none = false }
    :: atomic { row == running && taken > 0 && !late_locks -> taken--;
        if :: worker == ME(0) && host[0].connected -> host[0].in_doubt = true :: else fi;
        if :: worker == ME(1) && host[1].connected -> host[1].in_doubt = true :: else fi;
        put_back_row(); tell_both() }
    :: atomic { row == running && failovers > 0 && !late_pending -> failovers--;
        repeated = fence; put_back_row(); lose(0); lose(1) }
    od
}
#ifdef BUSY
#define RESTS(w) true
#else
#define RESTS(w) !host[w].awake
#endif

active proctype promises() {
end:
    do
#ifdef REACHES_RESCUE
    :: atomic { row == completed && rescued -> assert(false) }
#endif
    :: timeout -> assert(row == completed && RESTS(0) && RESTS(1)); break
    od
}

init { atomic { clear_round(0); clear_round(1); new_life(0); run dormouse_worker(0);
#ifdef ALONE
    host[1].gone = true;
#else
    new_life(1); run dormouse_worker(1);
#endif
    run world() } }
