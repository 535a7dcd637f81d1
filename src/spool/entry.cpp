#include "spool/entry.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace dormouse::spool {
namespace {

using Json = nlohmann::json;

constexpr std::string_view ending = ".json";
constexpr std::size_t longest_name = 255;

enum class ValueKind { text, whole_number, anything };
struct KnownMember {
    std::string_view name;
    ValueKind kind;
};
constexpr std::array members{
    KnownMember{"task", ValueKind::text},        KnownMember{"payload", ValueKind::anything},
    KnownMember{"queue", ValueKind::text},       KnownMember{"priority", ValueKind::whole_number},
    KnownMember{"run_at", ValueKind::text},      KnownMember{"key", ValueKind::text},
    KnownMember{"timeout", ValueKind::text},     KnownMember{"max_attempts", ValueKind::whole_number},
    KnownMember{"traceparent", ValueKind::text},
};

std::string known_members() {
    std::string names;
    for (const KnownMember& member : members) names += (names.empty() ? "" : ", ") + std::string(member.name);
    return names;
}

/// Names come from outside: a short one may be shown, in printable characters.
std::string shown(const std::string& name) {
    constexpr std::size_t most = 40;
    std::string out = "\"";
    for (const char c : name.substr(0, most)) out += c >= ' ' && c <= '~' ? c : '?';
    return out + (name.size() > most ? "…\"" : "\"");
}

std::string wrong_member(const std::string& name, const Json& value) {
    const auto* const member =
        std::find_if(members.begin(), members.end(), [&](const KnownMember& one) { return one.name == name; });
    if (member == members.end() && name == "id")
        return "the id of a run belongs into the name of its file: UUID.json or NAME.UUID.json";
    if (member == members.end()) return "unknown member " + shown(name) + "; there are " + known_members();
    if (value.is_null()) return "";
    if (member->kind == ValueKind::text && !value.is_string()) return name + " is not a string";
    if (member->kind == ValueKind::whole_number && !value.is_number_integer()) return name + " is not a whole number";
    return "";
}

Judged judge_object(const Json& run, const std::vector<std::string>& queues) {
    const auto wrong = [](std::string reason) { return Judged{Judged::Kind::wrong, std::move(reason)}; };
    if (!run.is_object()) return wrong("it is JSON, but not an object with a task");
    for (const auto& [name, value] : run.items())
        if (std::string reason = wrong_member(name, value); !reason.empty()) return wrong(std::move(reason));
    if (const auto task = run.find("task"); task == run.end() || task->is_null()) return wrong("it has no task");
    const auto queue = run.find("queue");
    if (queue == run.end() || queue->is_null()) return {};
    if (std::find(queues.begin(), queues.end(), queue->get<std::string>()) == queues.end())
        return wrong("its queue " + shown(queue->get<std::string>()) +
                     " is not one of this pool's; put it into the spool of a pool that serves it");
    return {};
}

}  // namespace

Judged judge(const std::string& text, const std::vector<std::string>& queues) {
    try {
        return judge_object(Json::parse(text), queues);
    } catch (const Json::parse_error& error) {
        if (error.byte > text.size())
            return {Judged::Kind::truncated, "it stops in the middle: not the whole of a JSON text"};
        return {Judged::Kind::wrong, "it stops being JSON at byte " + std::to_string(error.byte)};
    } catch (const Json::exception&) {
        return {Judged::Kind::wrong, "it has a number that is too large"};
    }
}

bool is_entry(std::string_view name) {
    return name.size() > ending.size() && name.front() != '.' && name.ends_with(ending);
}

std::optional<Uuid> id_of(std::string_view name) {
    constexpr std::size_t length = 36;
    if (!is_entry(name)) return std::nullopt;
    name.remove_suffix(ending.size());
    if (name.size() < length) return std::nullopt;
    if (name.size() > length && name[name.size() - length - 1] != '.') return std::nullopt;
    return Uuid::parse(name.substr(name.size() - length));
}

std::string with_id(std::string_view name, const Uuid& id) {
    const std::string tail = "." + id.to_string() + std::string(ending);
    name.remove_suffix(ending.size());
    return std::string(name.substr(0, longest_name - tail.size())) + tail;
}

}  // namespace dormouse::spool
