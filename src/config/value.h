// One value on its way into the configuration: what was written, what kind of thing is expected there, and
// the one function that turns the first into the second. Driven by the tables in options.h and tasks.h; knows
// no file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "config/config.h"

namespace dormouse::config {

struct Entry;

/// What somebody wrote, with the line it stands on. A flag or an environment variable is a text that is
/// `loose`: numbers and lists come as text there.
struct Value {
    enum class Kind { text, integer, real, boolean, date, list, table };
    Kind kind = Kind::text;
    std::string text;  ///< of a text; of a real or boolean as written for people
    std::int64_t integer = 0;
    std::vector<Value> items;    ///< of a list
    std::vector<Entry> entries;  ///< of a table, in the order of their lines
    int line = 0;                ///< of the key, from 1; 0: not from a file
    bool loose = false;

    /// As from a flag or a variable.
    [[nodiscard]] static Value typed(std::string_view text);
};

/// One key of a table.
struct Entry {
    std::string key;
    Value value;
};

/// What a key takes.
enum class Type {
    duration,   ///< Millis; Key::min and max in milliseconds
    integer,    ///< int
    bytes,      ///< std::int64_t; Key::min and max in bytes
    names,      ///< list of distinct names; Key::max is the longest name in bytes
    arguments,  ///< list of texts, the first not empty
    path,       ///< absolute path
    listen,     ///< absolute path, or a loopback address with a port
    text,       ///< one line
    secret,     ///< connection string; its value is never in an error
    url,        ///< of http or https; a secret, too
    handler,    ///< HandlerKind
    boolean,    ///< bool
    promise,    ///< bool: "when_needed" is true
    output,     ///< Output
    name,       ///< text
    umask,      ///< int, from octal digits
    paths,      ///< list of distinct absolute paths
    devices,    ///< list of distinct paths below /dev, or groups of devices
    home,       ///< Home
};

/// The place in a Config or a Task that a key fills.
using Slot = std::variant<Millis*, int*, std::int64_t*, std::string*, std::vector<std::string>*, HandlerKind*, bool*,
                          Output*, Home*>;

/// One key of the file, as far as it does not matter where it stands.
struct Key {
    std::string_view name;      ///< "worker.idle_exit"; of a task's keys without the task: "backoff.base"
    Type type = Type::integer;  ///< decides which alternative of Slot fits
    std::string_view fallback;  ///< the default, as it would be typed in a flag; empty: none
    std::string_view help;      ///< one sentence: what it is, and who should leave it alone
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::string_view zero = {};  ///< the word for 0 of a duration ("never"), which `min` does not refuse
};

/// Whether its value is never shown, and not taken from a command line.
constexpr bool is_secret(Type type) {
    return type == Type::secret || type == Type::url;
}

/// What the key accepts, for people: "a whole number from 1 to 10000".
std::string expected(const Key& key);

/// Checks `value` against the key and puts it into `slot`, which is left alone on failure.
/// Errors: invalid, "found …, expected …" without place and key, which the caller knows.
[[nodiscard]] Status assign(const Key& key, Slot slot, const Value& value);

/// The value in the slot as text that assign() takes from a flag. Secrets are redacted.
std::string shown(const Key& key, Slot slot);

}  // namespace dormouse::config
