#include "cli/run_status.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "config/text.h"

namespace dormouse::cli {

namespace {

constexpr std::array<std::string_view, 7> statuses{"queued",    "running", "retry",   "blocked",
                                                   "completed", "failed",  "canceled"};

/// What others call them.
constexpr std::array<std::pair<std::string_view, const char*>, 25> words_of_others{
    {{"error", "failed"},       {"errored", "failed"},     {"failure", "failed"},     {"dead", "failed"},
     {"discarded", "failed"},   {"exception", "failed"},   {"cancelled", "canceled"}, {"aborted", "canceled"},
     {"revoked", "canceled"},   {"done", "completed"},     {"success", "completed"},  {"succeeded", "completed"},
     {"complete", "completed"}, {"finished", "completed"}, {"pending", "queued"},     {"available", "queued"},
     {"waiting", "queued"},     {"new", "queued"},         {"scheduled", "queued"},   {"delayed", "queued"},
     {"retryable", "retry"},    {"active", "running"},     {"executing", "running"},  {"processing", "running"},
     {"started", "running"}}};

}  // namespace

std::vector<std::string> statuses_of(const std::string& text) {
    std::vector<std::string> all;
    for (std::size_t at = 0; at <= text.size() && !text.empty();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        all.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return all;
}

Try<void> check_status(const std::string& status) {
    if (status.empty() || std::find(statuses.begin(), statuses.end(), status) != statuses.end()) return {};
    const std::vector<std::string> known(statuses.begin(), statuses.end());
    std::string meant = config::nearest(status, known);
    for (const auto& [foreign, ours] : words_of_others)
        if (status == foreign) meant = ours;
    const std::string more = status == "archived" ? "; `dormouse runs --archived` shows those that were archived" : "";
    std::string all;
    for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
    return give_up(Exit::usage, "--status: " + config::quote(status) + " is no status" +
                                    (meant.empty() || !more.empty() ? "" : "; did you mean " + meant + "?") + more +
                                    " (there are " + all + ")");
}

}  // namespace dormouse::cli
