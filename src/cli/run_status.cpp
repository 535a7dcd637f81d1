#include "cli/run_status.h"

#include <algorithm>
#include <array>
#include <vector>

#include "config/text.h"

namespace dormouse::cli {

namespace {

constexpr std::array<std::string_view, 7> statuses{"queued",    "running", "retry",   "blocked",
                                                   "completed", "failed",  "canceled"};

}  // namespace

Try<void> check_status(const std::string& status) {
    if (status.empty() || std::find(statuses.begin(), statuses.end(), status) != statuses.end()) return {};
    const std::vector<std::string> known(statuses.begin(), statuses.end());
    std::string meant = config::nearest(status, known);
    if (status == "error") meant = "failed";
    std::string all;
    for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
    return give_up(Exit::usage, "--status: " + config::quote(status) + " is no status" +
                                    (meant.empty() ? "" : "; did you mean " + meant + "?") + " (there are " + all +
                                    ")");
}

}  // namespace dormouse::cli
