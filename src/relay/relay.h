// One pool's relay from start to end: keeps one silent LISTEN session and rings the pool's doorbell at each
// notification, and once after each LISTEN, for what was committed while nobody listened. Nothing that is wrong with
// configuration, database or doorbell ends it: it stays, says why in its status text, and tries again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/load.h"
#include "loop/log_drain.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "loop/timer.h"
#include "loop/watch.h"
#include "relay/listener.h"
#include "relay/ringer.h"

namespace dormouse::relay {

class Relay {
  public:
    Relay(loop::Loop& loop, config::Sources sources);

    /// Announces readiness and starts; the loop stops at SIGTERM or SIGINT.
    void start();
    [[nodiscard]] const Ringer& ringer() const { return ringer_; }
    [[nodiscard]] const Listener& listener() const { return listener_; }

  private:
    void load();
    void use(config::Config config);
    void connect();
    void on_listening();
    void on_trouble(const Error& error);
    void on_rung(const Status& rung);
    void on_kept_out(const std::string& by);
    void on_signal();
    void tell_status() const;

    config::Sources sources_;
    std::optional<config::Config> config_;
    std::string file_trouble_;  ///< the file cannot be used; what was read before it goes on
    std::string trouble_;       ///< why there is no session, as status text; empty: none is known
    std::string bell_trouble_;
    std::string untested_;  ///< and of its version
    std::string unproven_;  ///< what was told of the server last
    std::string kept_out_;  ///< who holds a lock that he should not
    int tries_ = 0;
    BootClock::time_point lost_at_{};  ///< the first of those tries
    BootClock::time_point listening_since_{};
    Ringer ringer_;
    Listener listener_;
    loop::Signal on_sigterm_;
    loop::Signal on_sigint_;
    loop::LogDrain log_drain_;
    loop::Timer watchdog_;
    loop::Timer retry_;
    loop::Timer reload_;
    std::unique_ptr<loop::Watch> watch_;
    loop::Loop& loop_;
};

/// Why a relay of this configuration would do harm; empty when it would not.
std::string why_refused(const postgres::Target& target);

}  // namespace dormouse::relay
