// Which workers before this one have died without saying good-bye, so that their runs can be taken back at once
// instead of when their leases end. Made by Pool; asked by Worker.
//
// Known to be dead is who wrote its name into the unit's StateDirectory and has not taken it out, if all of this holds:
// it was a worker of this very unit (the cgroup's word, which cannot be forged by an environment), in this boot and
// this PID namespace, the directory is the same (its random instance id), and we hold the directory's lock, which its
// holder keeps until it is dead. Everybody else's runs wait for their leases. Source: flock(2), StateDirectory= in
// systemd.exec(5), cgroups(7).
//
// A worker in the foreground has that too, in STATE_DIRECTORY if somebody gives it one: the volume of a container, say.
// Several may share it: each takes the first of worker-1, worker-2, … that nobody holds. Containers have a PID
// namespace each, so what tells a directory from its copy is its inode.
//
// Its small files are read and written by the loop itself: before the worker is registered, when its predecessors' runs
// have been taken back, and when it leaves; never while it only executes runs. A state directory that hangs does hold
// those steps up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "base/uuid.h"
#include "store/identity.h"

namespace dormouse::worker {

class Predecessors {
  public:
    enum class Of { unit, foreground };
    /// Takes the lock and reads who was here; `who` is this process's first worker. Without a state directory, without
    /// a unit where it is one's, or while somebody else holds the lock nobody of another process is known to be dead.
    /// Errors of the file system mean the same. Adds that worker, as arrive() does.
    Predecessors(const std::string& state_directory, store::Identity& identity, Of of = Of::unit);
    /// Goes on with the locked directory of a process that has taken this one for its successor, whose workers
    /// `living` are not dead yet.
    Predecessors(UniqueFd directory, store::Identity& identity, const std::vector<Uuid>& living);

    [[nodiscard]] const std::vector<Uuid>& dead() const { return dead_; }
    /// Of this process, and of those that finish beside it.
    [[nodiscard]] const std::vector<Uuid>& alive() const { return alive_; }
    /// Its descriptor; -1: none.
    [[nodiscard]] int directory() const { return directory_.get(); }
    /// Another process has it, with its lock: here nobody is known to be dead from now on.
    void give_away();
    /// Another worker of this process: writes the instance id into its identity, and its name among those that live.
    void arrive(store::Identity& who);
    /// The runs of these have been taken back: they are forgotten.
    void settled(const std::vector<Uuid>& dead);
    /// A worker of this process has left and holds nothing: there is nothing to take back.
    void leave(const Uuid& worker);
    /// A worker of this process has ended and may have left something: whoever lives takes it back.
    void died(const Uuid& worker);

  private:
    void take(UniqueFd directory, store::Identity& who, Of of);
    void write() const;

    UniqueFd directory_;  ///< locked; none: nothing is known
    std::string place_;   ///< boot, PID namespace or inode, instance and unit, as they are written
    std::optional<Uuid> instance_;
    std::vector<Uuid> alive_;  ///< of this process
    std::vector<Uuid> dead_;
};

}  // namespace dormouse::worker
