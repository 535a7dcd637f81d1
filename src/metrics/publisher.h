// A pool's metrics while it is awake: reads back what the last worker has left, counts on, writes it down and serves
// it. Files are read and written by a thread made for it, at most every 15 s and at the end; a disk that is full, slow
// or away costs one warning and no run. Nothing here keeps a worker awake: it has no timer while nothing changes. Made
// and driven by whoever owns the process's end.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "loop/background.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "metrics/server.h"
#include "metrics/tally.h"

namespace dormouse::metrics {

struct Places {
    std::string textfile;         ///< as configured: a file or a directory; empty: none
    std::string listen;           ///< empty: nowhere
    std::string state_directory;  ///< where totals are kept; empty: they are read back from the text file
};

/// dormouse_POOL.prom in `textfile`, unless that is the name of a file.
std::string textfile_of(const std::string& textfile, const std::string& pool);

class Publisher {
  public:
    /// `warn` takes a sentence for people.
    Publisher(loop::Loop& loop, const std::string& pool, Places places, std::function<void(const std::string&)> warn);

    /// A worker process has started, because of this doorbell: socket, path, timer or other. Once.
    /// Empty: none, but another process, which has ended with finish().
    void start(const std::string& doorbell);
    [[nodiscard]] Tally& tally() { return tally_; }

    /// What somebody must look at next, if it is known.
    struct Due {
        bool known = false;
        std::optional<Millis> in;  ///< none: nothing is due, ever
    };
    /// The worker has left. `done` is called when that is written, or after 2 s.
    void finish(const Due& due, std::function<void()> done);
    /// After finish(): it was not the end, all is as before.
    void go_on();
    /// After finish(): what is counted from here on is told to somebody else, as text.
    void begin_rest();
    [[nodiscard]] std::string rest() { return text(); }

  private:
    static constexpr Millis soon{1'000};
    static constexpr Millis between_writes{15'000};
    static constexpr Millis longest_finish{2'000};

    void serve();
    void read();
    void write();
    void arm();
    void warn_once(const std::string& path, const std::string& what);
    void finished();
    [[nodiscard]] std::string text();
    [[nodiscard]] std::string kept_in() const;

    loop::Loop& loop_;
    Places places_;
    std::string textfile_;
    std::function<void(const std::string&)> warn_;
    Tally tally_;
    std::map<std::string, std::string> warned_;  ///< by path
    bool read_ = false;                          ///< the totals of before are in the tally
    std::uint64_t written_ = 0;                  ///< Tally::changes() of what is written, or on its way
    std::function<void()> done_;
    bool finishing_ = false;
    std::optional<Server> server_;
    loop::Timer timer_;
    loop::Timer finish_timer_;
    loop::Background background_;
};

}  // namespace dormouse::metrics
