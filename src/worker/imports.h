// Runs that come as files: scans the pool's spool when something may be there, puts what is good into the next round,
// and removes a file once its run is committed. All that a disk may take its time for is done by another thread, one
// job at a time (import_job.h); this thread only waits for the answer. Tells by `on_change` that there may be something
// new.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "loop/background.h"
#include "loop/loop.h"
#include "loop/poll.h"
#include "loop/timer.h"
#include "rounds/bisection.h"
#include "rounds/round_portion.h"
#include "spool/spool.h"
#include "worker/circumstances.h"
#include "worker/import_job.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class Imports : public Participant {
  public:
    struct Events {
        std::function<void()> on_change;   ///< from the loop
        std::function<void()> on_trouble;  ///< trouble() has changed
    };
    /// Opens the pool's spool. `wanted`: it is to be emptied. `owner`: who makes it if there is none, and logs why it
    /// cannot. Without a spool there is nothing to import until there is one.
    Imports(loop::Loop& loop, const config::Config& config, SpoolOwner owner, bool wanted, Events events);

    [[nodiscard]] const char* name() const override { return "imports"; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::import}); }
    /// Has the spool scanned if something may be there, and puts what a scan has found good into `round`.
    bool fill(store::Round& round, const Moment& moment) override;
    void answered(store::Answer& answer, Time sent_at) override;
    /// The files are still there and go again.
    void undone() override;
    void lost() override;
    /// Because of a file: by halves, until it is alone and put aside.
    Next refused(const store::Refused& refused) override;
    /// None: nothing waits, or an answer is awaited, of the database or of the disk.
    [[nodiscard]] bool searching() const override { return search_.active(); }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;
    [[nodiscard]] bool quiet() const override { return state_ != State::sent; }
    /// Not while the disk is waited for, which may take for ever.
    [[nodiscard]] bool keeps_session() const override {
        return wanted_ || look_again_ || state_ == State::scanned || state_ == State::sent;
    }
    [[nodiscard]] bool opens_session() const override { return true; }

    /// Something waits here, so this worker must not leave: it would be started again at once.
    [[nodiscard]] bool busy() const { return at_work() || look_again_.has_value(); }
    /// There may be something to import now. Not so for a file that is left for its writer, or cannot be moved away.
    [[nodiscard]] bool at_work() const { return wanted_ || (state_ != State::closed && state_ != State::idle); }
    /// Before the decision to exit, while not busy(): calls `on_nothing` if no file is there, at once or when the disk
    /// has answered. Otherwise there is something new.
    void look(std::function<void()> on_nothing);
    /// Files are being removed whose runs are committed; false as well when that takes long, since the next worker can
    /// do it.
    [[nodiscard]] bool is_finishing() const { return state_ == State::finishing && slow_.empty(); }
    /// Waits for no disk any more, and does nothing from here on.
    void abandon();
    /// A disk that does not answer, or files that can be neither imported nor moved away, for the status text; empty
    /// when there are none.
    [[nodiscard]] const std::string& trouble() const { return slow_.empty() ? trouble_ : slow_; }

  private:
    static constexpr Millis disk_takes{5'000};  ///< longer is worth a line in the log

    // closed ⇠ opening → idle → scanning → scanned → sent → finishing → idle, and idle → looking → idle. Whoever has
    // nothing to do in a state goes back to idle from it; abandon() leads from everywhere to closed, and a spool that
    // comes from there to opening.
    enum class State { closed, opening, idle, looking, scanning, scanned, sent, finishing };

    void enter(State state);
    [[nodiscard]] static bool may_follow(State from, State to);
    void start(State state, std::vector<ImportJob::Finished> files = {}, Time now = {});
    void come_back(ImportJob& job);
    void watch(ImportJob& job);
    void await(ImportJob& job);
    void tell_closed(const Status& trouble, bool opened);
    void watch_mounts(UniqueFd mounts);
    void tell_left_behind(const ImportJob& job);
    void scanned(ImportJob& job);
    void finished(const std::vector<ImportJob::Finished>& files);
    bool choose(Time now);
    void hold_back(const std::string& name, Time now);
    void look_again_at(Time time);
    void tell(const spool::Scan& scan);
    void tell_slow();
    void tell_answer();
    [[nodiscard]] std::string path() const { return directory_ + "/" + pool_; }

    loop::Loop& loop_;
    Events events_;
    std::string directory_;
    std::string pool_;
    SpoolOwner owner_;
    spool::Spool::Make makes_;
    std::string note_;  ///< see ImportJob
    spool::Terms terms_;
    State state_ = State::closed;
    bool wanted_ = false;                ///< something may be there
    std::optional<spool::Spool> spool_;  ///< none: there is no spool, or a job has it
    UniqueFd watch_;
    std::unique_ptr<loop::Poll> on_watch_;
    spool::Awaited awaited_;  ///< while there is no spool
    std::unique_ptr<loop::Poll> on_awaited_;
    std::string closed_;  ///< why there was none, as it was told last
    UniqueFd mounts_;
    std::unique_ptr<loop::Poll> on_mounts_;
    std::vector<spool::SpoolFile> entries_;    ///< scanned or sent
    rounds::RoundPortion portion_{1'000'000};  ///< files; a scan brings fewer
    std::function<void()> on_nothing_;         ///< while looking
    std::optional<Time> look_again_;           ///< a truncated file is old enough then, or a stuck one is tried again
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
    Time asked_at_{};   ///< the job that is at work
    std::string slow_;  ///< the disk does not answer; empty: it does, or has time
    loop::Timer slow_timer_;
    loop::Background background_;
};

}  // namespace dormouse::worker
