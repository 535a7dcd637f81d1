#include "handlers/message.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/deadline.h"
#include "handlers/json_text.h"
#include "handlers/text.h"

namespace dormouse::handlers {

namespace {

using nlohmann::json;

constexpr std::size_t client_bytes = 100;
constexpr std::size_t most_tasks = 10'000;
constexpr std::size_t envelope_bytes = 512;  // of a "run" without its payload: enough for most
constexpr int year_s = 365 * 24 * 3600;

struct Name {
    const char* name;
    Message::Type type;
};
constexpr std::array names{
    Name{"hello", Message::Type::hello},         Name{"completed", Message::Type::completed},
    Name{"failed", Message::Type::failed},       Name{"retry", Message::Type::retry},
    Name{"progress", Message::Type::progress},   Name{"log", Message::Type::log},
    Name{"heartbeat", Message::Type::heartbeat},
};
struct LevelName {
    const char* name;
    Level level;
};
constexpr std::array levels{
    LevelName{"debug", Level::debug},  LevelName{"info", Level::info},   LevelName{"warning", Level::warning},
    LevelName{"warn", Level::warning}, LevelName{"error", Level::error}, LevelName{"critical", Level::error},
};

/// The members of one message, read by the type that is expected of each.
class Members {
  public:
    explicit Members(std::vector<Member> members) : members_(std::move(members)) {}

    [[nodiscard]] std::string_view raw(std::string_view name) const {
        std::string_view found;
        for (const Member& member : members_)
            if (member.name == name && member.value != "null") found = member.value;
        return found;
    }
    [[nodiscard]] bool has(std::string_view name) const { return !raw(name).empty(); }

    /// Empty if it is not there.
    std::string text(std::string_view name, std::size_t most) {
        const std::string_view found = raw(name);
        if (found.empty()) return {};
        const auto text = text_of(found);
        if (!text) return wrong(name, "a string"), std::string();
        return clean_text(cut(*text, most));
    }
    std::optional<double> number(std::string_view name, int least, int most) {
        const std::string_view found = raw(name);
        if (found.empty()) return std::nullopt;
        const json value = json::parse(found, nullptr, false);
        if (!value.is_number() || !(value.get<double>() >= least && value.get<double>() <= most)) {
            wrong(name, "a number from " + std::to_string(least) + " to " + std::to_string(most));
            return std::nullopt;
        }
        return value.get<double>();
    }
    std::optional<Millis> seconds(std::string_view name) {
        const auto value = number(name, 0, year_s);
        if (!value) return std::nullopt;
        return Millis{std::llround(*value * 1000)};
    }
    bool boolean(std::string_view name) {
        const std::string_view found = raw(name);
        if (!found.empty() && found != "true" && found != "false") wrong(name, "true or false");
        return found == "true";
    }
    std::vector<std::string> texts(std::string_view name) {
        const json value = json::parse(raw(name), nullptr, false);
        if (!value.is_array() || value.size() > most_tasks)
            return wrong(name, "an array of strings"), std::vector<std::string>();
        std::vector<std::string> all;
        for (const json& one : value) {
            if (!one.is_string()) return wrong(name, "an array of strings"), std::vector<std::string>();
            all.push_back(one.get<std::string>());
        }
        return all;
    }

    std::vector<pid_t> pids(std::string_view name) {
        std::vector<pid_t> all;
        if (!has(name)) return all;
        const json value = json::parse(raw(name), nullptr, false);
        if (!value.is_array()) return wrong(name, "an array of process numbers"), all;
        for (const json& one : value) {
            if (!one.is_number_integer()) return wrong(name, "an array of process numbers"), all;
            all.push_back(one.get<pid_t>());
        }
        return all;
    }

    void wrong(std::string_view name, const std::string& expected) {
        if (problem.empty()) problem = "\"" + std::string(name) + "\" has to be " + expected;
    }

    std::string problem;  ///< the first

  private:
    std::vector<Member> members_;
};

void read_level(Members& members, Message& message) {
    const std::string name = members.text("level", class_bytes);
    if (name.empty()) return;
    for (const LevelName& level : levels) {
        if (name != level.name) continue;
        message.level = level.level;
        return;
    }
    members.wrong("level", "debug, info, warning or error");
}

void read_enqueue(Members& members, Message& message) {
    const std::string_view runs = members.raw("enqueue");
    if (!runs.empty() && runs.front() != '[') return members.wrong("enqueue", "an array of runs");
    message.enqueue = runs;
}

void read_members(Members& members, Message& message) {
    switch (message.type) {
        case Message::Type::hello:
            message.protocol = static_cast<int>(members.number("protocol", 1, 1'000'000).value_or(0));
            if (message.protocol == 0) members.wrong("protocol", "a number");
            message.tasks = members.texts("tasks");
            message.concurrency = static_cast<int>(members.number("concurrency", 1, 10'000).value_or(1));
            message.client = members.text("client", client_bytes);
            return;
        case Message::Type::completed:
            message.result = members.raw("result");
            message.keep = members.pids("keep");
            return read_enqueue(members, message);
        case Message::Type::failed:
            message.error_class = members.text("class", class_bytes);
            message.text = members.text("message", error_bytes);
            message.permanent = members.boolean("permanent");
            message.keep = members.pids("keep");
            message.in = members.seconds("in");
            return;
        case Message::Type::retry:
            message.in = members.seconds("in");
            message.text = members.text("message", error_bytes);
            message.keep = members.pids("keep");
            return;
        case Message::Type::progress:
            message.progress.fraction = members.number("fraction", 0, 1);
            message.progress.text = members.text("text", progress_bytes);
            return;
        case Message::Type::log:
            message.text = members.text("text", std::string::npos);
            return read_level(members, message);
        case Message::Type::heartbeat:
            message.in = members.seconds("within");
            if (!message.in) members.wrong("within", "a number of seconds");
            return;
    }
}

void append_seconds_since_1970(std::string& line, Millis from_now) {
    const auto moment = after(std::chrono::system_clock::now(), from_now);
    const auto then = std::chrono::duration_cast<Millis>(moment.time_since_epoch());
    const std::string thousandths = std::to_string(1000 + then.count() % 1000);
    line.append(std::to_string(then.count() / 1000)).append(1, '.').append(thousandths, 1);
}

}  // namespace

Result<Message> parse_message(std::string_view line) {
    if (!is_json(line)) return fail(ErrorKind::invalid, "it is not JSON");
    Members members(members_of(line));
    const std::string type = members.text("type", class_bytes);
    Message message;
    bool known = false;
    for (const Name& name : names) {
        if (type != name.name) continue;
        message.type = name.type;
        known = true;
    }
    if (!known) {
        if (!members.problem.empty() || type.empty())
            return fail(ErrorKind::invalid, R"(it is no object with a "type", such as {"type":"completed"})");
        return fail(ErrorKind::invalid, "\"type\" is " + json(type).dump() +
                                            ", and not hello, completed, failed, retry, progress, log or heartbeat");
    }
    if (members.has("id")) {
        const std::string id = members.text("id", class_bytes);
        message.id = Uuid::parse(id);
        if (!message.id) members.wrong("id", "the run's id");
    }
    read_members(members, message);
    if (!members.problem.empty()) return fail(ErrorKind::invalid, type + ": " + members.problem);
    return message;
}

std::string run_message(const RunSpec& spec) {
    std::string line;
    line.reserve(envelope_bytes + spec.payload.size());
    line.append(R"({"type":"run","id":")").append(spec.id.to_string()).append(R"(","task":)");
    append_json_string(line, spec.task);
    line += R"(,"queue":)";
    append_json_string(line, spec.queue);
    line.append(R"(,"attempt":)").append(std::to_string(spec.attempt));
    line.append(R"(,"max_attempts":)").append(std::to_string(spec.max_attempts)).append(R"(,"fence":)");
    append_json_string(line, spec.fence);
    if (spec.timeout > Millis{0}) append_seconds_since_1970(line.append(R"(,"deadline":)"), spec.timeout);
    if (is_traceparent(spec.traceparent)) append_json_string(line.append(R"(,"traceparent":)"), spec.traceparent);
    line += R"(,"payload":)";
    const std::size_t payload_at = line.size();
    line += spec.payload.empty() ? "null" : spec.payload;
    // Postgres writes no raw line break, but a person does; in JSON it is white space, never part of a string.
    std::replace_if(
        line.begin() + static_cast<std::ptrdiff_t>(payload_at), line.end(),
        [](char c) { return c == '\n' || c == '\r'; }, ' ');
    line += "}\n";
    return line;
}

std::string cancel_message(const Uuid& id, std::string_view reason) {
    return R"({"type":"cancel","id":")" + id.to_string() + R"(","reason":")" + std::string(reason) + "\"}\n";
}

bool Frames::add(std::string_view piece, const std::function<void(std::string_view)>& take) {
    while (!piece.empty()) {
        const std::size_t end = piece.find('\n');
        const std::string_view part = piece.substr(0, end);
        if (rest_.size() + part.size() > most_) return false;
        if (end == std::string_view::npos) {
            rest_.append(part);
            return true;
        }
        piece.remove_prefix(end + 1);
        if (rest_.empty()) {
            take(part);
        } else {
            rest_.append(part);
            const std::string line = std::exchange(rest_, {});
            take(line);
        }
    }
    return true;
}

}  // namespace dormouse::handlers
