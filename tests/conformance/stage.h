// The ways to write a handler, on one stage: the same task names, the same payloads, the same expectations. exec
// and warm are real processes, in-process is functions of this test. Used by conformance_test.cpp.
#pragma once

#include <boost/test/unit_test.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "handlers/in_process.h"
#include "handlers/registry.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::conformance {

enum class Kind { exec, warm_python, warm_node, warm_ruby, warm_php, warm_go, in_process };
std::ostream& operator<<(std::ostream& out, Kind kind);
/// Those that this machine can run: without node there is no warm_node, and that is said.
std::vector<Kind> kinds();
/// The others.
std::vector<Kind> missing_kinds();
/// Of them, those whose handlers are processes.
std::vector<Kind> process_kinds();
/// Of those, the ones whose language has a client: exec hands over JSON that it has made itself.
std::vector<Kind> client_kinds();

/// A task of that kind, which is one of those in exec_tasks.py and its like.
config::Task task_of(Kind kind, const std::string& name);

/// What one attempt said and came to.
struct Heard {
    std::vector<std::pair<handlers::Level, std::string>> lines;
    std::vector<handlers::Progress> progress;
    std::optional<handlers::Outcome> outcome;

    [[nodiscard]] bool has_line(handlers::Level level, const std::string& text) const;
};

class Stage : private handlers::RunListener {
  public:
    /// `arguments` are what the command of the task "arguments" has more than those of the others.
    explicit Stage(Kind kind, config::Limits limits = {}, const std::vector<std::string>& arguments = {});

    /// Starts an attempt of `task`.
    Uuid start(const std::string& task, std::string payload = "null", Millis timeout = Millis{0});
    void stop(const Uuid& id, handlers::StopReason reason, Millis patience);
    /// Waits for its end.
    const Heard& wait(const Uuid& id);
    /// Waits until it has said `began`.
    void until_began(const Uuid& id);
    /// Waits for its first line.
    const std::string& until_line(const Uuid& id);
    /// Waits until it is so.
    void until_so(const std::function<bool()>& happened);
    /// It has ended.
    [[nodiscard]] bool is_over(const Uuid& id) { return heard_[id].outcome.has_value(); }
    /// All of it.
    Heard run(const std::string& task, std::string payload = "null", Millis timeout = Millis{0});
    /// Ends the handlers with whatever they still do, as a worker does that goes.
    void close();

    /// Of the attempts that are started from now on, which are the second ones.
    int max_attempts = 5;

  private:
    void on_line(const Uuid& id, const handlers::Line& line) override;
    void on_progress(const Uuid& id, handlers::Progress progress) override;
    void on_done(const Uuid& id, handlers::Outcome outcome) override;
    template <typename Happened>
    void until(const Happened& happened);

    std::map<Uuid, Heard> heard_;
    loop::Loop loop_;
    loop::Timer ticker_;
    std::map<std::string, config::Task> tasks_;
    std::unique_ptr<handlers::InProcess> in_process_;
    std::unique_ptr<handlers::Handlers> handlers_;
};

/// The tasks as functions of this program.
handlers::Functions functions();

}  // namespace dormouse::conformance
