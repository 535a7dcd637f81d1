// The one error type. Kinds are named by the reaction they call for, so that a caller can decide without
// knowing where the error came from; the message names the thing, the place and the remedy for a person.
// Everybody may use this; it uses nothing of ours. A run that fails is data, not an Error.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace dormouse {

/// What to do about an error.
enum class ErrorKind {
    transient,     ///< try the same again after a pause: disk full, too many connections, read-only
    disconnected,  ///< the session is gone: reconnect, then ask what became of the work
    conflict,      ///< somebody else was faster: repeat with a new snapshot
    invalid,       ///< the input is wrong and stays wrong: report it, never repeat it as it is
    denied,        ///< credentials or permissions: a person has to act
    incompatible,  ///< schema, server or pooler does not fit this release: a person has to act
    internal,      ///< a broken invariant of ours
};

struct Error {
    ErrorKind kind = ErrorKind::internal;
    std::string message;  ///< one line, without secrets
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// Shorthand for returning a failure from a function with a Result.
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
    return tl::unexpected<Error>(Error{kind, std::move(message)});
}

/// The stable lower-case name of a kind, for logs and --json.
const char* to_string(ErrorKind kind);

/// Maps an errno value to the kind of reaction it calls for. `what` names the thing and the place.
Error from_errno(int error_number, const std::string& what);

}  // namespace dormouse
