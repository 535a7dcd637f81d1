// The alerts of a pool, in its worker: hears the log's events, gathers them, and has the program dormouse-alert tell
// people, and fetch the URLs that say that all is well. Made by Pool if the configuration names somebody to tell or
// such a URL. All that can wait (disk, network, somebody's
// program) is done by that program, which a thread of its own waits for: no run waits for it, and the worker's exit 10
// s at most. It sends nothing to the database.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "alerts/alive.h"
#include "alerts/observer.h"
#include "config/load.h"
#include "loop/background.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::alerts {

class Desk {
  public:
    /// `state_directory`: where dormouse-alert remembers what it has told; empty: in this process.
    Desk(loop::Loop& loop, const config::Config& config, const config::Sources& sources, std::string state_directory);
    ~Desk();
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;

    /// Whether there is something to do for one.
    [[nodiscard]] static bool wanted(const config::Config& config);
    /// Whether it does what that configuration says.
    [[nodiscard]] bool fits(const config::Config& config) const;
    /// What it has not handed on yet, for the one that takes its place, which take_over() gives it to.
    [[nodiscard]] std::vector<Notice> give_up();
    void take_over(std::vector<Notice> notices);
    /// The worker has ended. What is left is told; then, or after 10 s, `on_told` is called, perhaps from in here.
    void leave(bool graceful, std::function<void()> on_told);
    /// While it leaves: what is not sent by now is kept, where there is a state directory.
    void hurry();

  private:
    struct Answer;
    class Sending;

    /// `news`: what was observed, too; else the URLs alone.
    void send(bool news);
    void arm_alive();
    void on_answer(const std::string& text, std::vector<Notice> notices);
    void on_database(bool away);
    void tell_failure(const std::string& why);
    void call_again(Millis delay);
    void finish();

    config::Alerts terms_;
    AliveUrls urls_;
    std::string pool_;
    std::vector<std::string> command_;
    std::vector<std::string> environment_;
    bool remembers_;  ///< there is a state directory
    Observer observer_;
    Alive alive_;
    loop::Background background_;
    loop::Timer gather_;
    loop::Timer again_;
    loop::Timer fetch_;
    loop::Timer database_;
    loop::Timer well_;
    loop::Timer limit_;
    std::string memory_;                      ///< of dormouse-alert, without a state directory
    std::string told_failure_;                ///< normalised()
    std::set<std::string> told_unreachable_;  ///< so, of the URLs; until none is waited for
    bool told_last_ = false;                  ///< what was left on the way out
    std::function<void()> on_told_;
};

}  // namespace dormouse::alerts
