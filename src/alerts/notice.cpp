#include "alerts/notice.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <nlohmann/json.hpp>

namespace dormouse::alerts {
namespace {

constexpr std::size_t longest_fingerprint = 200;

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// A number, an id, a hash, a time: a word with a digit in it.
bool differs(std::string_view word) {
    return std::any_of(word.begin(), word.end(), is_digit);
}

}  // namespace

std::string normalised(std::string_view message) {
    std::string text;
    for (std::size_t at = 0; at < message.size() && text.size() < longest_fingerprint;) {
        std::size_t end = at;
        while (end < message.size() && is_word(message[end])) ++end;
        const std::string_view word = message.substr(at, std::max<std::size_t>(end - at, 1));
        text += differs(word) ? "*" : word;
        at += word.size();
    }
    return text.substr(0, longest_fingerprint);
}

std::string fingerprint(std::string_view kind, std::string_view task, std::string_view message) {
    return std::string(kind) + "|" + std::string(task) + "|" + normalised(message);
}

std::string to_json(const std::vector<Notice>& notices) {
    nlohmann::json all = nlohmann::json::array();
    for (const Notice& one : notices)
        all.push_back({{"fingerprint", one.fingerprint},
                       {"kind", one.kind},
                       {"task", one.task},
                       {"text", one.text},
                       {"run", one.run},
                       {"count", one.count},
                       {"first", one.first},
                       {"last", one.last},
                       {"over", one.over}});
    return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<Notice> notices_from(std::string_view json) {
    const auto all = nlohmann::json::parse(json, nullptr, false);
    std::vector<Notice> notices;
    if (!all.is_array()) return notices;
    try {
        for (const auto& one : all)
            notices.push_back({one.at("fingerprint"), one.at("kind"), one.at("task"), one.at("text"), one.at("run"),
                               one.at("count"), one.at("first"), one.at("last"), one.at("over")});
    } catch (const nlohmann::json::exception&) {
        return {};
    }
    return notices;
}

std::int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace dormouse::alerts
