// The program's log: one call per event, with fields. It goes to stderr as text, one line each; on a terminal a text of
// several lines has its lines. When stderr is the journal, it goes there with each field as DORMOUSE_<FIELD>, so that
// `journalctl DORMOUSE_RUN_ID=…` is one run's story, and in the text as well. Only worker, relay and cli call it: code
// below them returns errors instead of logging.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace dormouse::log {

enum class Level { debug, info, warning, error };
/// "debug", "info", "warning", "error".
[[nodiscard]] const char* name_of(Level level);

struct Field {
    std::string_view name;  ///< lower_case; DORMOUSE_<NAME> in the journal
    std::string value;
};

/// Sets the sinks up. Call once, before the first event; without it events are dropped.
void start(Level least);

/// Takes one event instead of stderr or the journal. Called on the thread of event().
using Take = std::function<void(Level level, std::string_view event, std::string_view text,
                                std::initializer_list<Field> fields)>;

struct Sinks;

/// Sinks for the events of this thread alone, as long as this object lives: for a worker that is a guest in somebody's
/// process, beside others. Where they go is decided as by start(), unless `take` is given.
class OfThisThread {
  public:
    explicit OfThisThread(Level least, Take take = {});
    ~OfThisThread();
    OfThisThread(const OfThisThread&) = delete;
    OfThisThread& operator=(const OfThisThread&) = delete;

  private:
    std::unique_ptr<Sinks> sinks_;
    Sinks* before_;
};

/// Whoever has a loop: `call` is called when a line of this thread cannot be written because nobody reads. From then on
/// drain() is to be called now and then until it says true. An empty function takes it back.
void on_backlog(std::function<void()> call);
bool drain();
/// How many lines wait.
[[nodiscard]] std::size_t waiting();

/// Logs one event. Never waits: what nobody reads is kept, 4,000 lines or 1 MiB, and then counted as lost. `event` is
/// one of the stable names in ARCHITECTURE.md ("run_dispatched"); `text` is for people. Control characters, and those
/// that turn the direction of writing, are escaped in the text. From the loop's thread only.
void event(Level level, std::string_view event, std::string_view text, std::initializer_list<Field> fields = {});

}  // namespace dormouse::log
