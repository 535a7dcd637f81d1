// The rounds between worker and database: composes each from what the participants want, in their order, and tells them
// what became of it. After an error that is about what was in a round, whoever is to blame travels alone until it
// passes, so that all others go on at once; an error about the session or the server is everybody's. Owns the wires:
// one for everything, and under load a second one for what attempts report.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "loop/loop.h"
#include "loop/timer.h"
#include "rounds/participant.h"
#include "rounds/second_wire.h"
#include "store/wire.h"

namespace dormouse::rounds {

class Rounds {
  public:
    struct Events {
        std::function<void()> on_open;                  ///< the first wire is
        std::function<void(const Error&)> on_lost;      ///< it is lost, or could not be opened
        std::function<void()> on_trouble;               ///< trouble() has changed
        std::function<void()> on_change;                ///< something was answered or undone: there may be more to do
        std::function<void(store::Round&)> on_compose;  ///< the last hand on a round before it is sent
    };
    /// Participants are named once, in the order in which they fill. `reports` may travel by the second wire.
    Rounds(loop::Loop& loop, const store::Wire::Terms& terms, store::Wire::Events notifications, int second_at,
           Events events);
    void add(Participant& participant, bool may_use_second = false);

    [[nodiscard]] store::Wire& wire() { return first_; }
    [[nodiscard]] const store::Wire& wire() const { return first_; }
    [[nodiscard]] SecondWire& second() { return second_; }
    /// Whose round is on it is told that it is lost.
    void close_second();

    /// Sends what can be sent.
    void send(const Moment& moment);
    /// A last round, of the worker itself, before the session is closed. Only while the first wire is open and idle.
    void send_last(const store::Round& round, store::Wire::Done done);
    /// Closes everything on purpose.
    void close();

    /// How long until somebody wants a round; none: nobody does. Without a session: until one is worth being opened.
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const;
    [[nodiscard]] std::optional<Millis> next_tick(Time now) const;
    void tick(Time now);
    /// Nobody has anything to do, and no answer is awaited.
    [[nodiscard]] bool quiet() const;
    /// Nothing needs the session, and nobody waits for its answer. Handlers may be at work.
    [[nodiscard]] bool may_close(const Moment& moment) const;
    /// Something other than a step of retention is on a wire.
    [[nodiscard]] bool awaits_answer() const;
    [[nodiscard]] std::vector<store::Held> held() const;

    /// The database is of no use. Told once for an outage, in whatever forms it comes: from the first thing that fails
    /// to the first round that passes.
    void tell_outage(const Error& error);
    /// Whoever waits for an answer waits for one that can come.
    [[nodiscard]] bool consistent() const {
        using State = store::Wire::State;
        return (trip_.seats.empty() || first_.state() == State::waiting) &&
               (second_trip_.seats.empty() || second_.wire().state() == State::waiting);
    }
    /// What is wrong with the database, for the status text; empty: nothing. In an outage it stays until a round
    /// passes.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }
    [[nodiscard]] bool outage() const { return outage_.has_value(); }

  private:
    struct Seat {
        Participant* who = nullptr;
        bool may_use_second = false;
        enum class Standing { together, alone, refusing } standing = Standing::together;
        Time not_before{};
        int tries = 0;  ///< refusals in a row
        std::string told;
    };
    /// A round on a wire: who has put something into it.
    struct Trip {
        std::vector<Seat*> seats;
        Time sent_at{};
        bool alone = false;
    };

    void send_over(store::Wire& wire, Trip& trip, const Moment& moment);
    [[nodiscard]] bool belongs(const Seat& seat, const store::Wire& wire) const;
    store::Round compose(const store::Wire& wire, Trip& trip, const Moment& moment);
    bool compose_alone(const store::Wire& wire, store::Round& round, Trip& trip, const Moment& moment);
    void compose_together(const store::Wire& wire, store::Round& round, Trip& trip, const Moment& moment);
    void find_empty_wishes(const store::Wire& wire, const Moment& moment);
    void on_done(Trip& trip, tl::expected<store::Answer, store::Refused> answer);
    void on_refused(Trip& trip, const store::Refused& refused);
    void blame(Seat& seat, const store::Refused& refused);
    void pause(Seat& seat, Millis pause);
    /// After so many refusals in a row. While something here has a lease, short enough for several tries before it
    /// ends.
    [[nodiscard]] Millis pause_after(int tries) const;
    static store::Refused with_remedy(store::Refused refused);
    void tell_refusal(Seat& seat, const store::Refused& refused);
    void passed(Seat& seat);

    Events events_;
    Millis lease_;
    Millis retry_max_;
    std::vector<Seat> seats_;
    Trip trip_;         ///< of the first wire
    Trip second_trip_;  ///< of the second
    store::Wire first_;
    SecondWire second_;
    std::optional<ErrorKind> outage_;  ///< what was told of it last; none: there is none
    std::string trouble_;
};

}  // namespace dormouse::rounds
