// Whoever takes part in rounds. Rounds walks an ordered list of participants: asks each what it has for the next round,
// and tells each what became of it. A new mechanism is a new participant; no other place has to hear of it.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"
#include "store/parts.h"
#include "store/wire.h"

namespace dormouse::rounds {

using Time = BootClock::time_point;

struct Moment {
    Time now;
    bool open = true;         ///< there is a session
    bool leaving = false;     ///< nothing new is taken on
    bool first_look = false;  ///< no look has been answered yet: whoever rang waits for a handler, not for the registry
};

/// What a participant says when its part was refused.
enum class Next {
    again,     ///< it sends something else: at once, and alone until that passes
    later,     ///< after a pause that grows, and alone
    everyone,  ///< the statement is refused whatever is in it: an outage
};

class Participant {
  public:
    Participant() = default;
    virtual ~Participant() = default;
    Participant(const Participant&) = delete;
    Participant& operator=(const Participant&) = delete;

    [[nodiscard]] virtual const char* name() const = 0;
    /// With whom it shares rounds.
    enum class Company {
        any,
        none,    ///< each of its rounds is its own
        others,  ///< never travels alone
    };
    [[nodiscard]] virtual Company company() const { return Company::any; }
    /// The parts that fill() may use: whose fault a refused part is.
    [[nodiscard]] virtual store::Parts parts() const = 0;

    /// A session is open; LISTEN has taken effect.
    virtual void opened(Time) {}
    /// It is closed, on purpose.
    virtual void closed() {}
    /// Time has passed: for what needs no database.
    virtual void tick(Time) {}
    /// When tick() has something to do next, whether there is a session or not; none: nothing is waited for.
    [[nodiscard]] virtual std::optional<Millis> next_tick(Time) const { return std::nullopt; }

    /// Puts what it wants now into `round`; false: nothing. What it has put there stays its own until it is told.
    virtual bool fill(store::Round& round, const Moment& moment) = 0;
    /// The round has something of others: what goes along with it, but is worth no round of its own.
    virtual bool fill_along(store::Round&, const Moment&) { return false; }
    /// The round was committed; it was sent at `sent_at`. Only when fill() has put something into it.
    virtual void answered(store::Answer& answer, Time sent_at) = 0;
    /// The round was undone through no fault of this participant.
    virtual void undone() = 0;
    /// The round was undone because somebody had a lock or was faster; it is tried again at once.
    virtual void conflicted() { undone(); }
    /// … unless it can be found out at once whom that was about: then it was refused().
    [[nodiscard]] virtual bool seeks(const store::Refused&) const { return false; }
    /// The session is gone: it is not known what became of the round, if one was on the wire.
    virtual void lost() { undone(); }
    /// The round was undone because of this participant's part.
    virtual Next refused(const store::Refused&) { return Next::later; }

    /// It looks for whom a statement was refused: what passes meanwhile says nothing of the whole.
    [[nodiscard]] virtual bool searching() const { return false; }
    /// When fill() has something that makes a round worth while; 0 or less: now. None: nothing. Whoever says "now" has
    /// to put something into the next round.
    [[nodiscard]] virtual std::optional<Millis> wait(const Moment&) const = 0;
    /// Nothing here keeps the worker from being idle.
    [[nodiscard]] virtual bool quiet() const { return true; }
    /// Something here keeps the session from being closed by a worker whose database is to sleep.
    [[nodiscard]] virtual bool keeps_session() const { return !quiet(); }
    /// Whether wait() is worth a session being opened, while there is none on purpose.
    [[nodiscard]] virtual bool opens_session() const { return false; }
    /// Runs that this worker holds and this participant knows of.
    virtual void add_held(std::vector<store::Held>&) const {}
};

}  // namespace dormouse::rounds
