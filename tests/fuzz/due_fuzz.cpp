// Due files, which root reads: digits or "none" and nothing else.
#include <algorithm>
#include <string>

#include "base/pool_name.h"
#include "fuzz.h"
#include "systemd/due_file.h"

using namespace dormouse;
using namespace dormouse::systemd;
using fuzz::require;

namespace {

void run(std::string_view bytes) {
    const Due due = parse_due(bytes);
    std::string_view line = bytes;
    if (line.ends_with('\n')) line.remove_suffix(1);
    const bool digits = !line.empty() && line.find_first_not_of("0123456789") == std::string_view::npos;
    require(std::holds_alternative<NothingDue>(due) == (line == "none"));
    if (const auto* const in = std::get_if<DueIn>(&due)) {
        require(digits && in->delay >= Millis{0} && in->delay <= longest_due);
        if (line.size() < 10) require(in->delay == Millis{std::stoll(std::string(line))});
    } else if (const auto* const unknown = std::get_if<DueUnknown>(&due)) {
        require((!digits || line.size() > 19) && fuzz::is_plain(unknown->reason));
    }
    if (valid_pool_name(bytes))
        require(bytes.find('/') == std::string_view::npos && bytes.size() < 64 && fuzz::is_plain(bytes));
}

const fuzz::Target target("due", run);

}  // namespace
