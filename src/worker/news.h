// What attempts say on the way, on its way to the database: log lines and the latest progress. Collects until a round
// goes; alone it makes one owed once a second at most, however much is said. What an attempt has left goes with its
// ending, in one transaction. Driven by Reports, filled by Flights; no loop, no session.
//
// Memory: of each attempt the lines of limits.log_bytes at most wait to be written; what does not fit is counted, and
// the log says so. As JSON a line takes about 30 bytes more than its text.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "handlers/handler.h"
#include "rounds/bisection.h"
#include "store/round.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class News {
  public:
    using Time = BootClock::time_point;

    /// `on_first` is called when something waits where nothing did: from inside of line() and progress().
    News(std::int64_t bytes_of_attempt, std::function<void()> on_first)
        : most_(static_cast<std::size_t>(bytes_of_attempt)), on_first_(std::move(on_first)) {}

    void line(const store::Held& held, const handlers::Line& line);
    void progress(const store::Held& held, const handlers::Progress& progress);
    /// How many bytes of this attempt wait.
    [[nodiscard]] std::size_t bytes_of(const store::Held& held) const;
    /// The attempt is over and its ending settled, or it is somebody else's: nothing of it will be taken any more.
    void forget(const store::Held& held);
    /// The attempt is over, and its run was ended by somebody else: what waits is still written, where it was canceled.
    void let_go(const store::Held& held);

    /// Puts into `round` what belongs to its endings; and everything else if a second has passed, or if `all`. While
    /// somebody is being looked for, only what the search wants.
    bool fill(store::Round& round, Time now, bool all = false);
    /// Puts what belongs to the endings of `round` into it.
    void fill_endings(store::Round& round);
    /// Somebody has locked the table of lines: until then nothing is put into rounds. Null: nobody, or for one try.
    [[nodiscard]] std::optional<Time> locked_until(Time now) const;
    /// The lock may be gone: the next round tries whether the statement is taken at all.
    void try_lock(Time now);
    /// Something of this attempt waits, and would be lost if its ending went first.
    [[nodiscard]] bool waits_for(const store::Held& held) const;
    void answered();
    /// The round was undone, or its answer is lost: all of it goes again. What was written after all is known by its
    /// numbers.
    void again();
    /// The round was undone because of a value in it. It is found out by halves whose value it is; the lines of that
    /// attempt give way to one that says so, or else to nothing.
    Next refused(const store::Refused& refused);
    [[nodiscard]] bool is_on_wire() const { return !wire_.empty(); }
    /// The next round is for news alone, before the endings that they belong to.
    [[nodiscard]] bool searching() const { return bisection_.active(); }

    /// When something here makes a round owed; none: nothing waits.
    [[nodiscard]] std::optional<Millis> wait(Time now) const;
    /// Something is left of an attempt that is over, and nothing else will make a round for it.
    [[nodiscard]] bool has_last_words(Time now) const;

  private:
    static constexpr Millis least_between{1'000};
    static constexpr std::size_t most_bytes_in_a_round = 16 << 20;

    /// Lines that were closed together stay together, so that their number tells whether they have been written.
    struct Portion {
        int first_line = 1;
        std::string json;  ///< without the brackets around it
    };
    struct Attempt {
        store::Held held;
        std::optional<handlers::Progress> progress;
        std::optional<handlers::Progress> progress_on_wire;
        std::deque<Portion> closed;
        bool is_on_wire = false;
        std::size_t on_wire = 0;  ///< so many of `closed`
        Portion open;
        int next_line = 1;
        std::size_t bytes = 0;  ///< of text, waiting
        std::size_t bytes_on_wire = 0;
        int missing = 0;  ///< lines that did not fit
        bool replaced = false;
        bool over = false;  ///< forgotten once nothing of it waits
        Time not_before{};  ///< its row was locked
        Millis pause{0};    ///< the last one, for that
        [[nodiscard]] bool waits() const { return progress || !closed.empty() || !open.json.empty() || missing > 0; }
    };

    Attempt& attempt_of(const store::Held& held);
    static void append(Attempt& attempt, const char* level, std::string_view text);
    bool put(store::Round& round, Attempt& attempt);
    bool fill_group(store::Round& round);
    void replace_lines(Attempt& attempt, const std::string& why);
    static void put_off(Attempt& attempt);
    void wait_for_lock(const std::string& why);
    void something_waits();

    std::size_t most_;
    std::function<void()> on_first_;
    std::unordered_map<Uuid, Attempt> attempts_;
    std::vector<Uuid> wire_;  ///< whose news are on the wire
    Bisection<Uuid> bisection_;
    bool waits_ = false;
    Time next_{};
    Time locked_until_{};
    Millis lock_pause_{0};  ///< the last one; 0: the table is not locked
};

}  // namespace dormouse::worker
