#include "cli/run_lines.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/payload.h"
#include "cli/when.h"
#include "config/duration.h"
#include "config/size.h"
#include "config/text.h"
#include "handlers/json_text.h"

namespace dormouse::cli {
namespace {

constexpr const char* members =
    "task, payload, queue, priority, run_at, at, in, key, max_attempts, timeout, traceparent";

/// The value as it is written: Postgres shall have the payload so, and a parser gives its numbers as doubles. Of
/// several of one name the last counts, as in jsonb.
std::string raw_member(std::string_view object, std::string_view name) {
    std::string_view found;
    object.remove_prefix(std::min(object.find('{'), object.size()));  // a byte order mark
    for (const auto& member : handlers::members_of(object))
        if (member.name == name) found = member.value;
    return std::string(found);
}

/// One member into its place; what is wrong, or "".
class Filling {
  public:
    Filling(RunLine& run, double now) : run_(run), now_(now) {}

    std::string take(const std::string& name, const nlohmann::json& value) {
        if (name == "payload") return "";  // as it was written, by raw_member
        if (value.is_null()) return "";
        if (name == "task") return text(name, value, run_.task);
        if (name == "queue") return text(name, value, run_.queue);
        if (name == "key") return text(name, value, run_.key);
        if (name == "traceparent") return text(name, value, run_.traceparent);
        if (name == "priority" || name == "max_attempts") return number(name, value);
        if (name == "run_at" || name == "at" || name == "in" || name == "timeout") return time(name, value);
        return "unknown member " + config::quote(name) + "; there are " + members;
    }

  private:
    static std::string text(const std::string& name, const nlohmann::json& value, std::string& into) {
        if (!value.is_string()) return name + " is not a string";
        into = value.get<std::string>();
        if (into.find('\0') != std::string::npos) return name + " has a character that Postgres does not know (NUL)";
        return "";
    }
    std::string number(const std::string& name, const nlohmann::json& value) {
        const std::int64_t least = name == "priority" ? -100 : 1;
        const std::int64_t most = name == "priority" ? 100 : 1'000;
        if (!value.is_number_integer() || value > most || value < least)
            return name + " is not a whole number from " + std::to_string(least) + " to " + std::to_string(most);
        if (name == "priority")
            run_.priority = value.get<int>();
        else
            run_.max_attempts = value.get<std::int64_t>();
        return "";
    }
    std::string time(const std::string& name, const nlohmann::json& value) {
        std::string said;
        if (std::string wrong = text(name, value, said); !wrong.empty()) return wrong;
        if (name == "at") {
            const auto at = parse_time(said);
            return at ? due(iso(*at)) : name + ": " + at.error().message;
        }
        if (name == "run_at") return due(said);
        const auto duration = config::parse_duration(said);
        if (!duration) return name + ": " + duration.error().message;
        if (name == "in") return due(iso(now_ + std::chrono::duration<double>(*duration).count()));
        run_.timeout_ms = duration->count();
        return "";
    }
    std::string due(const std::string& time) {
        if (std::exchange(due_, true)) return "run_at, at and in exclude each other";
        run_.run_at = time;
        return "";
    }

    RunLine& run_;
    double now_;
    bool due_ = false;
};

}  // namespace

Try<RunLine> parse_run_line(const std::string& line, const std::string& queue, double now, std::int64_t payload_limit) {
    const auto wrong = [](std::string why) { return give_up(Exit::usage, std::move(why)); };
    RunLine run;
    run.queue = queue;
    try {
        const nlohmann::json object = nlohmann::json::parse(line);
        if (!object.is_object()) return wrong("it is JSON, but not an object with a task");
        Filling filling(run, now);
        for (const auto& [name, value] : object.items())
            if (std::string why = filling.take(name, value); !why.empty()) return wrong(std::move(why));
        if (run.task.empty()) return wrong("it has no task");
        if (object.contains("payload")) {
            run.payload = raw_member(line, "payload");
            if (std::string why = nul_in_payload(run.payload); !why.empty()) return wrong(std::move(why));
        }
    } catch (const nlohmann::json::parse_error& error) {
        if (is_half_a_pair(error.what()))
            return wrong("it has half a surrogate pair at byte " + std::to_string(error.byte) + half_a_pair_remedy);
        return wrong("it stops being JSON at byte " + std::to_string(error.byte));
    } catch (const nlohmann::json::exception&) {
        return wrong("it has a number that is too large");
    }
    if (static_cast<std::int64_t>(run.payload.size()) > payload_limit)
        return wrong("its payload is larger than the limit of " + config::size_text(payload_limit) +
                     " (limits.payload_bytes)");
    return run;
}

Try<bool> RunLines::next(std::string& line) {
    while (true) {
        const std::size_t end = buffer_.find('\n', at_);
        if (end != std::string::npos || (ended_ && at_ < buffer_.size())) {
            ++number_;
            line.assign(buffer_, at_, (end == std::string::npos ? buffer_.size() : end) - at_);
            at_ = end == std::string::npos ? buffer_.size() : end + 1;
            if (line.find_first_not_of(" \t\r") != std::string::npos) return true;
            continue;
        }
        if (ended_) return false;
        buffer_.erase(0, at_);
        at_ = 0;
        if (buffer_.size() > longest_) {
            ++number_;
            return give_up(Exit::usage, "it is longer than any line with a payload within the limit");
        }
        constexpr std::size_t chunk = 262'144;
        const std::size_t had = buffer_.size();
        buffer_.resize(had + chunk);
        const ssize_t got = ::read(fd_, buffer_.data() + had, chunk);
        const int reason = errno;
        buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && reason != EINTR) return give_up(Exit::usage, from_errno(reason, "reading it").message);
        ended_ = got == 0;
    }
}

}  // namespace dormouse::cli
