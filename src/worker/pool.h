// One pool's process from start to end: answers the doorbell before anything else, reads the configuration, makes the
// Worker, writes the due file when it has left. Nothing that is wrong with configuration or database ends it (W7): it
// stays, says why in its status text, and tries again, at once when the configuration changes; only an errand ends when
// it has none that it can use.
//
// A configuration that changes under a worker at work gets a worker of its own, in this process: the one before
// executes what it has, however long that takes, and claims nothing more; its runs take slots of the new one until they
// are over. So does the file of a warm handler that changes, and a reload that somebody asks for. When the program on
// disk is another one at a reload, that is a process of its own, which takes over from this one: see new_program.h.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alerts/desk.h"
#include "base/clock.h"
#include "config/load.h"
#include "handlers/registry.h"
#include "loop/background.h"
#include "loop/log_drain.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "loop/timer.h"
#include "loop/watch.h"
#include "metrics/publisher.h"
#include "worker/doorbell.h"
#include "worker/new_program.h"
#include "worker/old_program.h"
#include "worker/supervision.h"
#include "worker/worker.h"

namespace dormouse::worker {

/// What a program of its own, one that links libdormouse, brings along.
struct Program {
    handlers::Functions functions;
    /// Beside another main loop, on a thread of its own: signals, systemd's sockets, files and messages are for
    /// whoever's process it is, and it never leaves by itself.
    bool guest = false;
};

/// A configuration, with the worker that was made for it.
struct Generation {
    config::Loaded loaded;
    std::unique_ptr<handlers::Handlers> handlers;
    std::unique_ptr<Worker> worker;
};

class Pool {
  public:
    Pool(loop::Loop& loop, config::Sources sources, Errand errand = {}, Program program = {});

    /// Announces readiness and starts; the loop stops when the pool has ended.
    void start();
    /// 0 after every end that was decided here; systemd restarts after any other.
    [[nodiscard]] int exit_code() const { return exit_code_; }
    [[nodiscard]] ErrandEnd errand_end() const { return errand_end_; }
    /// As Worker::leave_within(), also without a worker.
    void leave_within(Leaving::Times times);
    /// Functions of the program that have not returned; one that was given up may never. While there are any, the end
    /// of a Pool waits for them: a process that wants to end must do so without it.
    [[nodiscard]] std::size_t functions_at_work() const { return in_process_ ? in_process_->at_work() : 0; }
    /// For tests: the worker, once the configuration could be read.
    [[nodiscard]] Worker* worker() { return present_ ? present_->worker.get() : nullptr; }

  private:
    void on_signal();
    void on_hangup();
    void on_function_returned(const Uuid& id, const std::string& task);
    void begin();
    void on_gone(Generation& whose, Farewell farewell);
    void add_farewell(const Farewell& farewell);
    void on_predecessor_gone(Generation& whose, const Farewell& farewell);
    void end(const Farewell& farewell);
    void write_due(const Farewell& farewell, Millis passed) const;
    void start_watchdog();

    // pool_configuration.cpp: what is read, and the worker that is made of it
    void load();
    void employ(config::Loaded loaded);
    std::unique_ptr<Generation> make(config::Loaded loaded);
    [[nodiscard]] Circumstances circumstances_of(Generation& generation);
    [[nodiscard]] Elsewhere elsewhere();
    void know_predecessors(store::Identity& who);
    /// Logs tasks_loaded when it is known, and watches what it has found.
    void check_tasks(const Generation& generation);
    void configuration_failed(const Error& error);
    [[nodiscard]] Errand rest_of_errand() const;
    void on_configuration_changed(bool renew);
    void watch_configuration();
    void start_metrics(const config::Config& config);
    void start_alerts(const config::Config& config);
    void start_traces(const config::Config& config, const store::Identity& who);
    /// The last of what waits to be written, then `end`.
    void finish_traces(std::function<void()> end) { tracer_ ? tracer_->finish(std::move(end)) : end(); }
    [[nodiscard]] std::string what_woke_us() const;

    // pool_program.cpp: another program takes over, and this one took over from another
    void start_new_program();
    void on_new_program_ready();
    void on_new_program_failed(const std::string& why);
    void give_way();
    [[nodiscard]] bool is_leaving() const;
    [[nodiscard]] bool gave_way() const { return new_program_ && new_program_->has_taken_over(); }
    void end_if_given_way();
    [[nodiscard]] std::map<std::string, int> runs_at_work() const;
    void on_room();
    void terminate_what_is_left();
    void meet_old_program();
    void tell_old_program();
    void try_schema(const config::Config& config);
    void tell_old_program(const std::string& refusal);
    void on_given_way();
    void on_old_program_gone(const OldProgram::Gone& gone);

    loop::Loop& loop_;
    config::Sources sources_;
    Errand errand_;
    ErrandEnd errand_end_ = ErrandEnd::none;
    bool guest_;
    std::optional<Supervision> supervision_;
    bool hung_up_ = false;
    bool told_to_stop_ = false;
    int failures_ = 0;
    int exit_code_ = 0;
    std::unique_ptr<Inheritance> inheritance_;
    Doorbell doorbell_;
    std::optional<loop::Signal> on_sigterm_;
    std::optional<loop::Signal> on_sigint_;
    std::optional<loop::Signal> on_sighup_;
    loop::LogDrain log_drain_;
    loop::Background check_;  ///< of the tasks' programs and files
    loop::Timer watchdog_;
    loop::Timer retry_;
    loop::Timer ring_;  ///< while the last alerts are sent
    BootClock::time_point started_ = BootClock::now();
    int failed_loads_ = 0;
    std::string last_failure_;
    std::vector<std::unique_ptr<loop::Watch>> watches_;  ///< the configuration
    std::vector<std::unique_ptr<loop::Watch>> handler_watches_;
    bool renew_ = false;    ///< the next reading makes a new worker though the configuration is the same
    std::string woken_by_;  ///< socket, path, timer or other
    std::optional<metrics::Publisher> metrics_;
    std::optional<traces::Tracer> tracer_;
    std::unique_ptr<alerts::Desk> alerts_;  ///< none: nobody is to be told
    bool stopping_ = false;                 ///< the last alerts are on their way
    std::unique_ptr<Predecessors> predecessors_;
    std::unique_ptr<handlers::InProcess> in_process_;  ///< stays when the configuration is read anew
    std::shared_ptr<handlers::Processes> processes_;   ///< stay, too
    std::unique_ptr<Generation> present_;
    std::vector<std::unique_ptr<Generation>> before_;  ///< they finish what they have
    std::vector<std::unique_ptr<Generation>> gone_;    ///< their warm processes are ending
    std::optional<Farewell> farewell_;                 ///< the present worker has gone, and others have not
    std::unique_ptr<NewProgram> new_program_;          ///< which is to take over, or has
    std::unique_ptr<OldProgram> old_program_;          ///< it finishes what it has
    std::unique_ptr<store::Wire> trial_;               ///< whether the schema fits, before this one takes over
    loop::Timer clear_;                                ///< of gone_
};

}  // namespace dormouse::worker
