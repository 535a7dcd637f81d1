// The end of the log that touches the world: stderr or the journal. Never waits for whoever reads there: a line that
// cannot be written now is kept, within bounds, and what does not fit is counted and said in one line when it goes
// again. Owned by the sinks of log.cpp.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace dormouse::log {

class LogOutput {
  public:
    /// `lost_line` makes the line that says how many were lost.
    using LostLine = std::function<std::string(std::size_t lost)>;

    explicit LogOutput(LostLine lost_line) : lost_line_(std::move(lost_line)) {}
    /// Leaves what nobody has read by then.
    virtual ~LogOutput() = default;
    LogOutput(const LogOutput&) = delete;
    LogOutput& operator=(const LogOutput&) = delete;

    /// Writes a whole line, or keeps it. `on_backlog` is called when it is the first one that waits.
    void add(std::string line, const std::function<void()>& on_backlog);
    /// Writes what waits, as far as it goes. True: nothing waits any more.
    bool drain();
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    /// Goes on with that for a moment: at the end of the program.
    void drain_at_the_end();

  protected:
    /// How much of `bytes` was written, all of it if it never can be; less: not now.
    virtual std::size_t write_some(std::string_view bytes) = 0;

  private:
    void say_what_was_lost();

    LostLine lost_line_;
    std::deque<std::string> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::size_t written_ = 0;  ///< of the first one
    std::size_t lost_ = 0;
};

/// Text, line after line.
class StandardError : public LogOutput {
  public:
    using LogOutput::LogOutput;

  protected:
    std::size_t write_some(std::string_view bytes) override;

  private:
    void look_at_it();

    enum class Way { plain, reopened, asked, socket };
    struct stat seen_{};
    Way way_ = Way::plain;
    UniqueFd reopened_;
};

/// Entries as journal_entry() makes them. Source: systemd's "Native Journal Protocol".
class Journal : public LogOutput {
  public:
    explicit Journal(LostLine lost_line);

  protected:
    std::size_t write_some(std::string_view bytes) override;

  private:
    bool send(std::string_view bytes, int attached);

    std::string path_;
    UniqueFd socket_;
};

/// One field of an entry; `name` in upper case.
void append_field(std::string& entry, std::string_view name, std::string_view value);

}  // namespace dormouse::log
