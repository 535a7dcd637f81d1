// The handler protocol, version 1: one JSON object a line, between worker and handler. What handlers say is parsed
// here, without trust; it is the same on exec's control descriptor and on the socket of a warm process. What the worker
// says is written here. docs/handlers.md is the text for those who write handlers. Pure: no descriptor, no loop.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "handlers/handler.h"

namespace dormouse::handlers {

inline constexpr int protocol_version = 1;

/// The longest message a handler may say.
[[nodiscard]] inline std::size_t message_bytes(const config::Limits& limits) {
    return static_cast<std::size_t>(limits.result_bytes) + (64U << 10U);
}

/// What a handler says. Members that its type does not have are as they are here.
struct Message {
    enum class Type { hello, completed, failed, retry, progress, log, heartbeat };

    Type type = Type::log;
    std::optional<Uuid> id;          ///< which run is meant; not needed where there is only one
    std::string result;              ///< completed: JSON text as it was written; empty: none
    std::string enqueue;             ///< completed: a JSON array as it was written; empty: none
    std::string error_class;         ///< failed
    std::string text;                ///< failed, retry, log: clean text
    bool permanent = false;          ///< failed
    std::vector<pid_t> keep;         ///< completed, failed, retry: processes that are not the run's
    std::optional<Millis> in;        ///< retry: when; heartbeat: the next one comes within that time, 0: none will
    Progress progress;               ///< progress
    Level level = Level::info;       ///< log
    int protocol = 0;                ///< hello
    std::vector<std::string> tasks;  ///< hello: what it serves
    int concurrency = 1;             ///< hello: how many runs at once, 1 to 10,000
    std::string client;              ///< hello: name and version of the client, for people
};

/// Reads one line without its line break. Members and types that are not known here are passed over and refused,
/// respectively. Errors: invalid, with what was expected.
Result<Message> parse_message(std::string_view line);

/// "run": the attempt that is to be executed. Ends with a line break.
std::string run_message(const RunSpec& spec);
/// "cancel": this attempt is to end soon; `reason` is "timeout" or that of a StopReason.
std::string cancel_message(const Uuid& id, std::string_view reason);

/// Cuts a stream into lines, of at most `most` bytes each.
class Frames {
  public:
    explicit Frames(std::size_t most) : most_(most) {}

    /// Gives every line that is complete now to `take`. False: a line is too long, and the stream of no use any more.
    [[nodiscard]] bool add(std::string_view piece, const std::function<void(std::string_view line)>& take);
    /// What has come after the last line break.
    [[nodiscard]] const std::string& rest() const { return rest_; }

  private:
    std::size_t most_;
    std::string rest_;
};

}  // namespace dormouse::handlers
