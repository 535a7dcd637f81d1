// One session of the worker with its database, and the round that is on it: opening, the longest that is waited for an
// answer, the pause before the next try, closing on purpose. The only caller of an exchange. Driven by worker/rounds.h.
//
//   closed ──► opening ──► open ⇄ waiting ──► closed
//     ▲           │          │       │
//     └── lost ◄──┴──────────┴───────┘        lost opens again by itself after a pause, if its Terms say so
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "loop/loop.h"
#include "loop/timer.h"
#include "postgres/listening_session.h"
#include "store/parts.h"

namespace dormouse::store {

/// Where the database is.
struct Place {
    std::string url;
    std::string passfile;  ///< empty: none
    Millis connect_timeout{10'000};
    bool hears_of_ends = false;  ///< of watched runs, too: on_queue
};

/// Why a round was undone.
struct Refused : Error {
    std::optional<Part> part;  ///< the one that was refused; none: the commit, so it may be any of them
    std::string sqlstate;
    bool of_a_function = false;  ///< of somebody's: a trigger
};

class Wire {
  public:
    enum class State {
        closed,   ///< there is no session, and none is wanted
        opening,  ///< connecting, checking, LISTENing
        open,     ///< and nothing is on the wire
        waiting,  ///< a round is on the wire
        lost,     ///< there is none although one is wanted: the next try comes after a pause
    };
    struct Terms {
        Place place;
        Identity identity;
        Millis lease{300'000};
        bool listens = true;      ///< false: it hears of nothing
        bool opens_again = true;  ///< false: what is lost is closed
        Millis retry_max{300'000};
        bool suspends = false;                                  ///< the server suspends itself when nobody talks to it
        std::function<bool()> in_haste = [] { return false; };  ///< something has a lease: short pauses
    };
    struct Events {
        std::function<void()> on_open = [] {};                     ///< LISTEN has taken effect: now look
        std::function<void(const Error&)> on_lost = [](auto&) {};  ///< no session; a round on the wire gets no answer
        std::function<void()> on_queue = [] {};       ///< NOTIFY for one of our queues: there may be something to claim
        std::function<void()> on_taken_away = [] {};  ///< NOTIFY for this worker: somebody may have taken a run away
        std::function<void()> on_scaled = [] {};      ///< NOTIFY for this pool: it may have been scaled
    };
    using Done = std::function<void(tl::expected<Answer, Refused>)>;

    Wire(loop::Loop& loop, Terms terms, Events events);

    /// Then on_open or on_lost, never from inside this call.
    void open();
    /// Closes whatever there is; no event follows.
    void close();
    /// Gives up the session and what is on it, as if it had been lost just now.
    void give_up(const Error& error);
    /// Somebody is in a hurry: a pause that has lasted for some seconds ends now.
    void hurry();
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool is_open() const { return state_ == State::open || state_ == State::waiting; }

    /// Sends one round as one transaction; only while State::open. `done` comes once, unless the session is lost first.
    void exchange(const Round& round, Done done);
    /// What is on the wire; its parts are empty when nothing is.
    [[nodiscard]] const Parts& on_wire() const { return on_wire_; }

    [[nodiscard]] std::string where() const { return session_.where(); }
    /// What to be told of the server's version; mostly empty.
    [[nodiscard]] std::string untested_server() const { return session_.untested_server(); }
    [[nodiscard]] std::uint64_t statements_sent() const { return session_.statements_sent(); }

  private:
    void enter(State state);
    void on_session_open();
    void on_gone(const Error& error);
    void on_replies(postgres::Replies replies);
    [[nodiscard]] Status check_schema(const Result<postgres::Reply>& reply);
    using Reading = std::function<Status(postgres::Replies& replies, Refused& told)>;
    void ask_about(const Refused& refused, const char* sql, const Done& done, const Reading& read);
    void name_rules(const Refused& refused, const Done& done);
    void read_columns_again(const Refused& refused, const Done& done);
    void await_answer();
    void on_notification(const std::string& topic);
    [[nodiscard]] Millis longest_answer() const;

    Terms terms_;
    Events events_;
    State state_ = State::closed;
    Columns columns_;  ///< of this session's database
    bool columns_changed_ = false;
    postgres::ListeningSession session_;
    Parts on_wire_;
    Done done_;
    int tries_ = 0;  ///< that failed, since the last answer
    BootClock::time_point lost_at_{};
    BootClock::time_point last_try_{};
    loop::Timer answer_timer_;
    loop::Timer retry_timer_;
};

/// Whether `url` names a host of a provider that suspends databases (postgres/hosts.h).
bool known_to_suspend(const std::string& url);

}  // namespace dormouse::store
