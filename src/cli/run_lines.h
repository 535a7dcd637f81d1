// Runs as lines of JSON, as `dormouse enqueue --from` reads them: one object a line, with the members of a spool file,
// `in` and `at` besides. Pure but for the descriptor it reads. Keeps one line in memory, whatever the size of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

/// One run, as text that Postgres takes.
struct RunLine {
    std::string task;
    std::string payload = "{}";  ///< as it stood in the line: a number of any size stays what it is
    std::string queue;
    int priority = 0;
    std::string run_at = "now";
    std::string key;  ///< empty: none
    std::optional<std::int64_t> max_attempts;
    std::optional<std::int64_t> timeout_ms;
    std::string traceparent;  ///< empty: none
};

/// `queue` is that of a line which names none; `now` the database's time, in seconds since 1970, for `in`. Fails with
/// what is wrong, without the place.
Try<RunLine> parse_run_line(const std::string& line, const std::string& queue, double now, std::int64_t payload_limit);

/// Reads lines from a descriptor that somebody else owns.
class RunLines {
  public:
    RunLines(int fd, std::size_t longest) : fd_(fd), longest_(longest) {}

    /// The next line that is not blank, or none at the end. Errors: the reading fails, or a line is longer than it may
    /// be.
    Try<bool> next(std::string& line);
    /// Of the last one, from 1.
    [[nodiscard]] std::int64_t number() const { return number_; }

  private:
    int fd_;
    std::size_t longest_;
    std::int64_t number_ = 0;
    std::string buffer_;
    std::size_t at_ = 0;
    bool ended_ = false;
};

}  // namespace dormouse::cli
