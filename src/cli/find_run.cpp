#include "cli/find_run.h"

#include <algorithm>
#include <cctype>

#include "base/uuid.h"
#include "config/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {

Try<IdRange> ids_from(const std::string& prefix) {
    std::string digits;
    bool right = prefix.size() <= 36;
    const bool hyphens = prefix.find('-') != std::string::npos;
    for (std::size_t i = 0; i < prefix.size() && right; ++i) {
        const bool place_of_hyphen = hyphens && (i == 8 || i == 13 || i == 18 || i == 23);
        right = place_of_hyphen ? prefix[i] == '-' : std::isxdigit(static_cast<unsigned char>(prefix[i])) != 0;
        if (!place_of_hyphen) digits += prefix[i];
    }
    if (!right || digits.size() < 8 || digits.size() > 32)
        return give_up(Exit::usage,
                       "run: found " + config::quote(prefix) +
                           ", expected an id or its first 8 or more characters, as `dormouse runs` shows them");
    const auto filled = [&](char with) {
        return Uuid::parse(digits + std::string(32 - digits.size(), with)).value_or(Uuid{});
    };
    return IdRange{filled('0').to_string(), filled('f').to_string()};
}

Try<FoundRun> find_run(postgres::BlockingConnection& connection, const std::string& prefix) {
    const auto range = ids_from(prefix);
    if (!range) return tl::unexpected(range.error());
    const auto found = connection.ask("find", sql::cli::find, {range->low, range->high});
    if (!found) return give_up(found.error());
    if (found->rows() == 0)
        return give_up(Exit::not_found, "run " + prefix + ": no such run (any more); `dormouse runs` lists runs");
    if (found->rows() == 1) return FoundRun{std::string(found->text(0, 0)), std::string(found->text(0, 1))};
    std::string several;
    for (int row = 0; row < std::min(found->rows(), 3); ++row)
        several += (row == 0 ? "" : ", ") + std::string(found->text(row, 0));
    return give_up(Exit::usage, "run " + prefix + ": several begin like this (" + several +
                                    (found->rows() > 3 ? ", …" : "") + "); give more of the id");
}

}  // namespace dormouse::cli
