// What happened in a pool that a person may have to see to, and how often: what the worker hands to the program
// dormouse-alert, as JSON. Like things are one: their fingerprint is the kind, the task, the class of the error and its
// message without what differs from run to run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dormouse::alerts {

struct Notice {
    std::string fingerprint;
    std::string kind;  ///< "failed", "start", "database", "backlog", "lost", "worker"
    std::string task;
    std::string text;  ///< of the latest
    std::string run;   ///< the latest
    std::int64_t count = 1;
    std::int64_t first = 0;  ///< seconds since 1970
    std::int64_t last = 0;
    bool over = false;  ///< it is well again
};

/// Digits, ids and quoted values become *; at most 200 bytes.
std::string normalised(std::string_view message);
std::string fingerprint(std::string_view kind, std::string_view task = {}, std::string_view message = {});

std::string to_json(const std::vector<Notice>& notices);
/// Errors: empty for what is not such a text.
std::vector<Notice> notices_from(std::string_view json);

/// Seconds since 1970.
std::int64_t now_s();

}  // namespace dormouse::alerts
