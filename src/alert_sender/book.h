// What a pool has told and what it could not tell yet: decides which notices become messages. Of one fingerprint there
// is at most one message of trouble in `repeat`; what comes meanwhile is counted, and told with the next. That
// something is well again is told of what was told. Pure: no clock, no file. Bounds: 200 fingerprints, 50 messages that
// wait; within an hour 20 of trouble, 10 of one task. Of what is beyond that one message says how many kinds there are,
// once in an hour for such a task and once for all others.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "alert_sender/message.h"

namespace dormouse::alert_sender {

inline constexpr std::int64_t longest_pause = 600;
/// In seconds, 10 and then doubling, before what has failed so often is tried again.
inline std::int64_t pause_after(int failures) {
    constexpr std::int64_t first = 10;
    return std::min(longest_pause, first << std::min(failures - 1, 10));
}

class Book {
  public:
    /// A message, and the ways on which it is still to go.
    struct Waiting {
        AlertMessage message;
        std::set<std::string> ways;
    };

    Book(std::string pool, std::int64_t repeat_s) : pool_(std::move(pool)), repeat_(repeat_s) {}
    /// What text() gave; anything else is an empty book.
    void read(const std::string& text);
    [[nodiscard]] std::string text() const;

    void take(const std::vector<alerts::Notice>& notices, const std::set<std::string>& ways, std::int64_t now);
    [[nodiscard]] std::deque<Waiting>& waiting() { return waiting_; }
    /// After a try: whether something still waits, which makes the pauses longer (10 s to 10 min).
    void tried(std::int64_t now);
    [[nodiscard]] std::set<std::string> open() const;
    /// When there is something to be done next, in seconds; none: never.
    [[nodiscard]] std::optional<std::int64_t> again_in(std::int64_t now) const;

  private:
    struct Trouble {
        alerts::Notice notice;  ///< count: since it was told
        std::int64_t told = 0;  ///< when; 0: never
        bool open = false;
        bool among = false;  ///< told as one of many, and may be forgotten
    };
    /// Kinds beyond what is told within an hour.
    struct Others {
        std::int64_t kinds = 0;  ///< since they were told
        alerts::Notice latest;   ///< count, first, last: of all of them
        std::int64_t told = 0;
    };
    /// One that was told, and of which task.
    struct Told {
        std::int64_t at = 0;
        std::string task;
    };
    void put_among_others(Trouble& trouble, const std::string& task, std::int64_t now);
    void tell_others(const std::set<std::string>& ways, std::int64_t now);
    [[nodiscard]] std::size_t told_lately(const std::string* task) const;
    void tell(Trouble& trouble, const std::set<std::string>& ways, std::int64_t now);
    void add(AlertMessage message, const std::set<std::string>& ways);
    void forget_old(std::int64_t now);

    std::string pool_;
    std::int64_t repeat_;
    std::map<std::string, Trouble> troubles_;
    std::map<std::string, Others> others_;  ///< by task; "": of all tasks
    std::vector<Told> told_;                ///< within the last hour
    std::deque<Waiting> waiting_;
    int failures_ = 0;
    std::int64_t next_try_ = 0;
};

}  // namespace dormouse::alert_sender
