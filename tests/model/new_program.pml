/* Another program takes over a pool that is awake: src/worker/new_program.h.  tests/model/README.md says what stands for which code.
   One pool, an old process with a run at work, a new one beside it, systemd, a ringer.  Every way in which a process can end at any step.

     CRASHES RINGS TERMS     at most so many
   All other defines are mistakes, and say which; with one of them the search must find a broken promise. */

#ifndef CRASHES
#define CRASHES 0          /* of either process, at any step */
#endif
#ifndef RINGS
#define RINGS 1
#endif
#ifndef TERMS
#define TERMS 0            /* systemctl stop; the doorbell's unit stays */
#endif

mtype = { none, starting, ready, serving, finishing };

mtype old = serving, new = none;
bool main_is_new;          /* whom systemd watches and tells to stop */
bool upgraded;             /* the program on disk is another one, and a reload has asked for it */
bool ring;                 /* waits in the socket's queue */
bool owed_old, owed_new;   /* a ring was answered, and its look has not been made */
bool take;                 /* "take" is on its way to the new process */
bool gone, gone_clean;     /* the old process has ended; its last word was read before that */
bool stop_new, stop_old;   /* SIGTERM to the main process; "terminate" to the old one */
byte crashes = CRASHES, rings = RINGS, terms = TERMS;
/* the run that the old process has at work */
bool at_work = true;       /* its handler runs */
bool recorded;             /* its ending is written, or it was handed back */
bool knows_living;         /* the new process knows that the old one's worker lives */
bool lost_ring;            /* answered by a process that ended before it could look */

#define OLD_ANSWERS (old == serving)
#ifdef ANSWERS_EARLY
#define NEW_ANSWERS (new == starting || new == ready || new == serving)
#else
#define NEW_ANSWERS (new == serving)
#endif
#define CLAIMS_OLD  (old == serving)
#define CLAIMS_NEW  (new == serving)

/* systemd, when the main process has ended: the rest of the unit is killed, and the next ring or restart starts one anew, which looks. What it
   kills it takes back, as its state directory says. */
inline unit_ends(failed) {
    old = none; new = none; take = false; gone = false; main_is_new = false;
    if :: failed -> ring = true :: else fi;    /* a restart; else the helper asks what is due */
    owed_old = false; owed_new = false; stop_new = false; stop_old = false;
    at_work = false; recorded = true
}

active proctype ringer() {
end:
    do
    :: atomic { rings > 0 -> rings--; ring = true }
    :: atomic { terms > 0 -> terms--; if :: main_is_new -> stop_new = true :: else -> stop_old = true fi }
    :: atomic { !upgraded -> upgraded = true }
    od
}

active proctype old_process() {
end:
    do
    :: atomic { OLD_ANSWERS && ring -> ring = false; owed_old = true }
    :: atomic { CLAIMS_OLD && owed_old -> owed_old = false }
    :: atomic { old == serving && upgraded && new == none && !gone -> new = starting }
    :: atomic { old == serving && new == ready && !stop_old && !take ->
#ifdef KEEPS_ANSWERING
                main_is_new = true; take = true
#else
                old = finishing; main_is_new = true; owed_old = false   /* the new one's first look is it */
#endif
       }
    :: atomic { old == finishing && new == ready && !take -> take = true }
#ifdef GIVES_AWAY_EARLY
    :: atomic { old == serving && new == starting -> old = finishing; main_is_new = true; owed_old = false }
#endif
    :: atomic { (old == serving || old == finishing) && at_work -> at_work = false }
    :: atomic { (old == serving || old == finishing) && !at_work && !recorded -> recorded = true }
    :: atomic { old == finishing && recorded && main_is_new -> old = none; gone = true; gone_clean = true }
    /* told to stop before it gave way: it has the grace, and the new one ends with the channel */
    :: atomic { old == serving && stop_old && !main_is_new -> at_work = false; unit_ends(ring || owed_old) }
    :: atomic { old == finishing && stop_old -> at_work = false; recorded = true; stop_old = false }
    :: atomic { old != none && crashes > 0 -> crashes--;
                if
                :: main_is_new -> old = none; gone = true; gone_clean = recorded && !at_work
                :: else -> unit_ends(true)
                fi }
    /* asleep: started by systemd, for a ring */
    :: atomic { old == none && new == none && ring && !gone -> old = serving; ring = false; owed_old = true }
    od
}

active proctype new_process() {
end:
    do
    :: atomic { new == starting -> new = ready }
    :: atomic { new == starting && !main_is_new -> new = none; upgraded = false }       /* it does not start, or refuses the file */
    :: atomic { new == ready && take -> new = serving; take = false; owed_new = true;   /* the look of a start */
#ifndef THINKS_IT_IS_DEAD
                knows_living = true
#endif
       }
    /* the channel ends before "take": not clean, so that systemd starts another */
    :: atomic { (new == ready || new == starting) && !take && old == none && gone ->
                unit_ends(true) }
    :: atomic { NEW_ANSWERS && ring -> ring = false; owed_new = true }
    :: atomic { new == serving && owed_new -> owed_new = false;
                assert(knows_living || recorded || old == none || !at_work) }   /* a look takes back what the dead have held */
    :: atomic { new == serving && gone ->
                gone = false;
#ifndef LEAVES_HANDLERS
                at_work = false;                          /* what its cgroups still hold is killed first */
#endif
                assert(recorded || !at_work);             /* else the run would be executed beside itself */
                recorded = true }
    :: atomic { new == serving && stop_new ->
#ifndef FORGETS_THE_OLD
                if :: old == finishing && !stop_old -> stop_old = true :: else fi;
#endif
                stop_new = false; new = finishing }
#ifdef FORGETS_THE_OLD
    :: atomic { new == finishing -> assert(old != finishing || recorded); unit_ends(owed_new || ring) }
#else
    :: atomic { new == finishing && old != finishing -> unit_ends(owed_new || ring) }
#endif
    :: atomic { new != none && crashes > 0 -> crashes--;
                if
                :: main_is_new -> assert(new != starting || !at_work);   /* a program that cannot start costs nobody a run */
                   unit_ends(true)
                :: else -> new = none; upgraded = false;
                   if :: owed_new -> owed_new = false; lost_ring = true :: else fi
                fi }
    od
}



active proctype promises() {
    do
    :: atomic { CLAIMS_OLD && CLAIMS_NEW -> assert(false) }                    /* two claim: slots are counted twice */
    :: atomic { lost_ring -> assert(false) }
    :: timeout ->                                                             /* all is quiet */
       assert(!ring && !owed_old && !owed_new);
       assert(!at_work && recorded);
#ifdef REACHES_TAKEOVER
       assert(!main_is_new);
#endif
       break
    od
}
