// Ends what a run of a warm process has left behind: of the tree of that process, who began since the run was given.
// Made and driven by WarmProcess, which knows whose that is. It must not know a run.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "handlers/child.h"
#include "loop/timer.h"

namespace dormouse::handlers {

class Leftovers {
  public:
    explicit Leftovers(loop::Loop& loop) : timer_(loop, "warm.leftovers") {}

    /// Who is there now is the process's own, and is left alone from then on.
    void keep_present(Child& child);
    /// Whether somebody is there who began since then and is neither one of `others` nor below one.
    [[nodiscard]] bool any_since(Child& child, std::uint64_t since, const std::vector<pid_t>& others);
    /// Asks all who began since then to end, SIGTERM, and ends them after two seconds, SIGKILL: also those whose
    /// parents have ended meanwhile, and who came meanwhile. Leaves out `kept`, and whom we may not kill. `done` is
    /// called when they are gone, at once if there are none. Takes the place of an end_between() that is at work.
    /// `child` outlives this.
    void end(Child& child, std::uint64_t since, const std::vector<pid_t>& kept, std::function<void()> done);
    /// The same of who began from `since` to `until`, in ticks, while the run still goes on.
    void end_between(Child& child, std::uint64_t since, std::uint64_t until);
    /// Whether the last of these has asked anybody.
    [[nodiscard]] bool has_asked() const { return !asked_.empty(); }
    [[nodiscard]] bool at_work() const { return child_ != nullptr; }

  private:
    [[nodiscard]] bool is_own(const Child::Member& member) const;
    void begin(Child& child, std::uint64_t since, std::uint64_t until, std::set<pid_t> spared,
               std::function<void()> done);
    void look();

    std::map<pid_t, std::uint64_t> own_;
    Child* child_ = nullptr;  ///< while somebody has to end
    std::uint64_t since_ = 0;
    std::uint64_t until_ = 0;
    std::set<pid_t> spared_;  ///< kept, or not ours to kill
    std::set<pid_t> asked_;
    BootClock::time_point kill_at_{};
    Millis pause_{1};
    std::function<void()> done_;
    loop::Timer timer_;
};

}  // namespace dormouse::handlers
