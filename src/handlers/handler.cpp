#include "handlers/handler.h"

#include <algorithm>

namespace dormouse::handlers {

const char* to_string(StopReason reason) {
    switch (reason) {
        case StopReason::canceled:
            return "canceled";
        case StopReason::leaving:
            return "leaving";
        case StopReason::lease_lost:
            return "lease_lost";
    }
    return "canceled";
}

const char* stopped_text(StopReason reason) {
    switch (reason) {
        case StopReason::canceled:
            return "stopped: the run was canceled";
        case StopReason::leaving:
            return "stopped: the worker is leaving";
        case StopReason::lease_lost:
            return "stopped: the lease was lost";
    }
    return "stopped";
}

bool is_traceparent(std::string_view text) {
    constexpr std::string_view form = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    const auto fits = [](char wanted, char found) {
        if (wanted == '-') return found == '-';
        return (found >= '0' && found <= '9') || (found >= 'a' && found <= 'f');
    };
    if (!std::equal(form.begin(), form.end(), text.begin(), text.end(), fits)) return false;
    const auto is_zero = [](std::string_view id) { return id.find_first_not_of('0') == std::string_view::npos; };
    return !text.starts_with("ff") && !is_zero(text.substr(3, 32)) && !is_zero(text.substr(36, 16));
}

Outcome result_too_large(const std::string& what, std::int64_t limit) {
    Outcome outcome;
    outcome.error_class = "result_too_large";
    outcome.permanent = true;
    outcome.error_message = what + " is larger than " + std::to_string(limit) + " bytes (limits.result_bytes)";
    return outcome;
}

}  // namespace dormouse::handlers
