// Turns the bytes a handler wrote into text that may be stored: valid UTF-8 without NUL, within bounds. Used
// by exec and warm. Pure: no descriptor, no loop.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace dormouse::handlers {

/// What is kept of a handler's words, in bytes.
inline constexpr std::size_t class_bytes = 100;
inline constexpr std::size_t error_bytes = 8U << 10U;
inline constexpr std::size_t progress_bytes = 200;

/// The text with every invalid byte sequence and every NUL (which Postgres takes in no text) replaced by
/// U+FFFD.
std::string clean_text(std::string_view bytes);

/// The first `most` bytes of a text, or a little less: no character is cut.
std::string_view cut(std::string_view bytes, std::size_t most);

/// What stdout means as a result: empty for nothing but white space; unchanged when it is JSON; else a JSON
/// string of the text, without its last line break.
std::string result_of(const std::string& bytes);

/// How much of a log is kept, and how much of that is used up: for all that writes to one log.
struct LogBudget {
    std::size_t limit = std::string::npos;  ///< bytes; npos: no limit
    std::size_t used = 0;
    bool cut_said = false;
    std::size_t missed = 0;  ///< bytes, since that was said

    /// What to say at the end of what was missed; empty: nothing.
    [[nodiscard]] std::string rest() const;
};

/// The last lines of a stream, about 2 KiB.
class Tail {
  public:
    void add(std::string_view piece);
    /// Clean; without empty lines at its end.
    [[nodiscard]] std::string text() const;

  private:
    std::string bytes_;
};

/// Cuts a stream of bytes into lines, with bounds: a line is cut at 8 KiB, and when the budget is used up
/// no more lines are given. Both cuts are said, in the line itself or where the log ends. A carriage return ends a line
/// that the next one overwrites, as progress bars do: of those about one in a second is given. The tail is kept
/// whatever was dropped.
class Lines {
  public:
    using Take = std::function<void(std::string_view line)>;

    /// `budget` outlives this.
    Lines(LogBudget& budget, Take take) : budget_(budget), take_(std::move(take)) {}

    void add(std::string_view piece);
    /// Gives out a last line that has no line break. At the end of the stream, or of what belongs together in it.
    void finish();
    [[nodiscard]] std::string tail() const { return tail_.text(); }

  private:
    void append(std::string_view part);
    void give();
    void overwrite();

    LogBudget& budget_;
    Take take_;
    bool long_line_ = false;
    bool returned_ =
        false;  ///< behind a carriage return: a line break belongs to it, anything else overwrites the line
    BootClock::time_point last_overwritten_{};
    std::string line_;
    Tail tail_;
};

}  // namespace dormouse::handlers
