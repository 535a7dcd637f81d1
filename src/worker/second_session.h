// A second session with the database, for endings alone: while one claim after the other comes back full, Postgres
// writes what has ended at the same time as it finds what comes next. Opened under load, closed after a quiet while,
// and given up at the first trouble: the other session can do everything that this one does, and says what the trouble
// is. Half of what waits, sent with the claims while this one is at work, was tried and is no faster: 0.98 of the rate
// (0.72–1.10 in 7 rounds of 200,000 runs). Driven by Worker.
#pragma once

#include <functional>

#include "loop/loop.h"
#include "loop/timer.h"
#include "store/database.h"

namespace dormouse::worker {

class SecondSession {
  public:
    struct Events {
        std::function<void()> on_open;
        std::function<void(const store::Answer&)> on_answer;
        std::function<void(const Error&)> on_given_up;  ///< what was on the wire gets no answer
    };
    /// `worth_it`: opened after some claims in a row that each brought at least so many; 0: never.
    SecondSession(loop::Loop& loop, store::Database::Place place, const store::Identity& identity, Millis lease,
                  int worth_it, Events events);

    /// A claim was answered.
    void claimed(int runs);
    /// Nothing is to do: it is closed in a while, unless a claim brings something meanwhile.
    void quiet();
    /// No event follows.
    void close();
    [[nodiscard]] bool is_open() const { return database_.is_open(); }
    /// It is open, and nothing is on its wire.
    [[nodiscard]] bool is_ready() const { return is_open() && !on_wire_; }
    /// An answer that takes longer than `longest` will not come. Only while is_ready().
    void exchange(store::Round round, Millis longest);

  private:
    static constexpr int in_a_row = 3;
    static constexpr Millis quiet_while{5'000};
    static constexpr Millis pause_after_trouble{30'000};

    void give_up(const Error& error);

    int worth_it_;
    Events events_;
    store::Database database_;
    bool on_wire_ = false;
    int large_claims_ = 0;
    loop::Timer answer_timer_;
    loop::Timer quiet_timer_;
    loop::Timer trouble_timer_;  ///< armed: it was given up a while ago
};

}  // namespace dormouse::worker
