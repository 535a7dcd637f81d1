// Finds, kills and reaps what a handler left behind where no cgroup can do it. This process becomes the one
// that orphans are given to (PR_SET_CHILD_SUBREAPER), so whatever a handler forks away ends up as a child of
// ours, and a child of ours cannot vanish or lend its pid to another process before we have reaped it. Made
// once by Processes, driven by Child; it never touches a child that did not come out of a handler.
//
// Whose is an orphan? The leader's, when it is still in the leader's session, when DORMOUSE_FENCE (of a run) or
// DORMOUSE_PROCESS (of a warm process) in its environment says so, or when it was seen below the leader before.
// One that fits none of these (it left the session and emptied its environment) goes with the last of the leaders
// that were there when it was first seen.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "handlers/launcher.h"
#include "loop/timer.h"

namespace dormouse::handlers {

class Orphans {
  public:
    /// Does nothing until adopt() is called.
    Orphans(loop::Loop& loop, const Launcher& launcher) : launcher_(launcher), timer_(loop, "exec.orphans") {}

    /// From now on orphans are given to this process. Source: PR_SET_CHILD_SUBREAPER in prctl(2).
    void adopt();
    [[nodiscard]] bool adopting() const { return adopting_; }

    /// Makes a handler's leader known: it leads a session of its own and is never reaped here. `mark` is the value
    /// of DORMOUSE_FENCE or DORMOUSE_PROCESS in its environment.
    void add(pid_t leader, std::string mark);
    /// Remembers who is below the leader now. Call it before the leader is killed: afterwards nobody is.
    void claim_descendants(pid_t leader);
    /// Kills what the dead leader left behind, reaps what has died of it, and returns how many are still
    /// there: call it again a little later until it says 0. Processes that we may not kill (other users') are
    /// left out.
    int sweep(pid_t leader);
    /// What a living leader has lost to us, and what is below that. `again`: whose another one is can be read in a
    /// moment.
    std::vector<pid_t> lost_by(pid_t leader, bool& again);
    /// The leader and all that was its are gone.
    void remove(pid_t leader);

  private:
    using Serial = std::uint64_t;
    struct Leader {
        Serial serial = 0;
        std::string mark;
    };

    int pass(pid_t leader, bool& again);
    /// A child of ours that came out of a handler, and is neither a leader nor about to become one.
    [[nodiscard]] bool is_orphan(pid_t pid, pid_t session) const;
    bool belongs(pid_t orphan, pid_t session, pid_t leader);
    bool reap(pid_t orphan);
    /// Reaps orphans that have died by themselves.
    void reap_dead();

    const Launcher& launcher_;
    bool adopting_ = false;
    Serial last_serial_ = 0;
    std::map<pid_t, Leader> leaders_;
    std::map<pid_t, pid_t> claimed_;   ///< orphan to be → its leader
    std::map<pid_t, Serial> unknown_;  ///< orphan → the newest leader when it was first seen
    loop::Timer timer_;                ///< armed only while there are leaders
};

}  // namespace dormouse::handlers
