// A pool whose worker processes die at a named point (src/base/crash_point.h) with runs in flight, and the ordinary one
// that comes after them. Each life finds more to do of every kind: runs, spooled files good and bad, a ring, a wake
// file, a stale due file. check() compares what is in the database with the marks that handlers leave outside of it.
// Used by tests.
#pragma once

#include <boost/test/tree/test_unit.hpp>
#include <iosfwd>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/process.h"

namespace dormouse::testing {

/// What goes on around the worker that dies.
enum class Scene {
    held,        ///< the long runs go on until it is dead
    released,    ///< they end, and the worker leaves by itself
    terminated,  ///< it is told to leave while they go on
    cut_off,     ///< its session is terminated while they go on
};

/// A point, and what is true there besides what always is.
struct Moment {
    std::string name;  ///< as DORMOUSE_CRASH_AT takes it
    Scene scene = Scene::held;
    bool nobody_started = false;    ///< no handler of a run in flight has been started
    bool nobody_in_flight = false;  ///< no run is in flight
    bool waits_for_lease = false;   ///< the leases of the dead end in their own time, instead of at once
};
std::ostream& operator<<(std::ostream& out, const Moment& moment);

/// For suites: they are skipped, by name, in a build without crash points.
boost::test_tools::assertion_result has_crash_points(boost::unit_test::test_unit_id);

class CrashBench {
  public:
    explicit CrashBench(Moment moment);

    /// A worker that has to die at the point.
    void dies();
    /// An ordinary worker, until everything is completed; then it is told to leave.
    void lives();
    /// What must hold after all: nothing lost, nothing twice, every start recorded. Prints a line of what was seen.
    void check();

  private:
    struct Attempt {
        std::string run, fence, outcome;
    };

    void write_scripts() const;
    void write_config(const std::string& name, const std::string& worker) const;
    void stock();
    void put(const std::string& name, const std::string& text);
    void release_long_runs() const;
    [[nodiscard]] Program worker(const std::string& config, const std::string& crash_at) const;
    void wait_for_its_session();
    void disturb(Process& process);
    void count_in_flight();
    std::vector<std::string> rows(const std::string& sql);
    [[nodiscard]] std::vector<std::string> lines(const std::string& name) const;
    void check_runs(const std::vector<Attempt>& attempts);
    void check_starts(const std::vector<Attempt>& attempts);
    void check_said();
    void check_files();

    Moment moment_;
    TestDatabase database_;
    TemporaryDirectory directory_;
    UniqueFd listener_;
    UniqueFd gate_;
    int lives_ = 0;
    int good_files_ = 0;
    int bad_files_ = 0;
    int deaths_ = 0;
    std::map<std::string, std::set<std::string>> in_flight_;  ///< of each run, the fences with which it was at a death
};

}  // namespace dormouse::testing
