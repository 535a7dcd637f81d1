// Writes the spans of a pool to a file, a line for those of about a second. A thread made for it writes, so that a disk
// that is full or hangs and a FIFO that nobody reads hold up nothing: what cannot be written is dropped and counted.
// The file is opened by its name each time: whoever rotates it need tell nobody. Memory: 4 MiB. Nothing here keeps a
// worker awake. Made and driven by Pool.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "loop/background.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "traces/span.h"

namespace dormouse::traces {

class Tracer {
  public:
    /// `tell` takes a sentence for people; `is_trouble`: and not that there is none any more.
    using Tell = std::function<void(bool is_trouble, const std::string& text)>;
    Tracer(loop::Loop& loop, Source source, Tell tell);

    /// From now on.
    void write_to(std::string path) { path_ = std::move(path); }
    void add(const Context& context, const Attempt& attempt);
    /// The worker has left. `done` is called when all is written, or after 1 s.
    void finish(std::function<void()> done);

  private:
    /// Lines of at most so much: a collector cuts longer ones.
    static constexpr std::size_t most_in_a_line = 256 << 10;
    static constexpr std::size_t most_waiting = 4 << 20;
    static constexpr Millis gather{1'000};
    static constexpr Millis longest_finish{1'000};
    static constexpr Millis between_warnings{600'000};

    struct Line {
        std::string text;
        std::size_t spans = 0;
    };
    class Writing;

    void write();
    void on_written(std::size_t dropped, const std::string& why, bool cut);
    void drop(std::size_t spans, const std::string& why);
    void tell_dropped();
    void finished();

    Source source_;
    Tell tell_;
    std::string path_;
    std::vector<std::string> waiting_;
    std::size_t bytes_ = 0;
    bool cut_ = false;  ///< the last line was written in part
    bool failing_ = false;
    std::size_t dropped_ = 0;  ///< and not told yet
    std::string why_;          ///< they were, the last time
    BootClock::time_point told_at_{};
    std::string told_;
    loop::Background background_;
    loop::Timer gather_;
    loop::Timer limit_;
    std::function<void()> done_;
};

}  // namespace dormouse::traces
