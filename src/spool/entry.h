// What a spool file says: one run, as a JSON object. Pure: judges a text and a name, touches no file. Driven by Spool
// and by whoever writes spool files. The text goes on to the database as it is; nothing here has to understand a
// payload.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace dormouse::spool {

struct Judged {
    enum class Kind {
        good,
        truncated,  ///< stops in the middle: may still be being written
        wrong,      ///< stays wrong
    };
    Kind kind = Kind::good;
    std::string reason;  ///< for a person; without the content of the file
};

/// Judges the text of a spool file: an object with `task`, and if wanted `payload`, `queue`, `priority`, `run_at`,
/// `key`, `max_attempts`, `timeout`, `traceparent`; anything else is wrong. A queue must be one of `queues`, since this
/// pool is the one that wakes for it. Ranges are the database's business.
Judged judge(const std::string& text, const std::vector<std::string>& queues);

/// Whether the path unit wakes for it, and the worker reads it: *.json without a dot in front.
bool is_entry(std::string_view name);

/// The run's id: of UUID.json or NAME.UUID.json. None: the file does not say.
std::optional<Uuid> id_of(std::string_view name);

/// `name` with that id in it, cut so that it stays a file name.
std::string with_id(std::string_view name, const Uuid& id);

}  // namespace dormouse::spool
