// Runs that come as files: scans the pool's spool when something may be there, puts what is good into the next round,
// and removes a file once its run is committed. Tells by `on_change` that there may be
// something new.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "loop/loop.h"
#include "loop/watch.h"
#include "rounds/bisection.h"
#include "spool/spool.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class Imports : public Participant {
  public:
    /// Opens the pool's spool. `wanted`: it is to be emptied. `owner`: this is the pool's own worker, so it makes the
    /// spool if there is none, and logs why it cannot; a worker in the foreground takes what is there. Without a spool
    /// there is nothing to import. `on_change` comes from the loop.
    Imports(loop::Loop& loop, const config::Config& config, bool owner, bool wanted, std::function<void()> on_change);

    [[nodiscard]] const char* name() const override { return "imports"; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::import}); }
    /// Scans if something may be there, and puts what is good into `round`.
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    /// The files are still there and go again.
    void undone() override;
    /// Because of a file: by halves, until it is alone and put aside.
    Next refused(const store::Refused& refused) override;
    /// None: nothing waits, or an answer is awaited.
    [[nodiscard]] bool searching() const override { return search_.active(); }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;
    [[nodiscard]] bool quiet() const override { return sent_.empty(); }
    [[nodiscard]] bool keeps_session() const override { return busy(); }
    [[nodiscard]] bool opens_session() const override { return true; }

    /// Something waits here, so this worker must not leave: it would be started again at once.
    [[nodiscard]] bool busy() const { return wanted_ || !sent_.empty() || look_again_.has_value(); }
    /// There may be something to import now. Not so for a file that is left for its writer, or cannot be moved away.
    [[nodiscard]] bool at_work() const { return wanted_ || !sent_.empty(); }
    /// Before the decision to exit: true if a file has come that was not seen yet.
    bool anything_new();
    /// Files that can be neither imported nor moved away, for the status text; empty when there are none.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }

  private:
    bool choose(Time now);
    void hold_back(const std::string& name, Time now);
    void tell(const spool::Scan& scan);
    void finish(const spool::Entry& entry, const store::Imported& imported);

    std::function<void()> on_change_;
    spool::Terms terms_;
    std::optional<spool::Spool> spool_;
    std::unique_ptr<loop::Watch> watch_;
    bool wanted_ = false;  ///< something may be there
    std::vector<spool::Entry> sent_;
    std::optional<Time> look_again_;  ///< a truncated file is old enough then, or a stuck one is tried again
    int stuck_in_a_row_ = 0;
    Bisection<std::string> search_;  ///< by name of file
    /// Files whose key somebody holds in an open transaction, and when each is tried again, alone.
    struct HeldBack {
        std::string name;
        Time until;
        int times = 0;
    };
    std::vector<HeldBack> held_back_;
    std::string trouble_;
};

}  // namespace dormouse::worker
