// The helper's side of the due file, in which a worker that exits cleanly says when its pool must look again,
// and of the two small state files beside it. dormouse-due drives it, as root, and must not trust a byte that
// the worker can write; the worker's side is wake_files.h. Nothing here logs or starts a program.
//
//   /run/dormouse/              root's
//     POOL/                     the worker's (RuntimeDirectory=)
//       due                     one line: "none", or decimal milliseconds from now ("0" is allowed)
//     POOL.failures             root's: ends in a row without a good due file; the worker reads it
//     POOL.timer                root's: number of the armed timer, dormouse-due-POOL-N.timer
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

/// Nothing is due, ever, unless somebody rings.
struct NothingDue {};
/// The pool must look again after this time.
struct DueIn {
    Millis delay;
};
/// Nobody knows; `reason` is for a person.
struct DueUnknown {
    std::string reason;
};
using Due = std::variant<NothingDue, DueIn, DueUnknown>;

/// A later due time is cut to this; the worker then looks, finds nothing and writes the rest.
inline constexpr Millis longest_due{std::chrono::hours(24 * 366)};

/// What the text of a due file means: none, or digits that fit 64 bits (a run may wait for the year 294276).
/// Anything else, also a sign or a blank, is unknown.
[[nodiscard]] Due parse_due(std::string_view text);

/// Reads `directory`/due and removes it, whatever it is. Takes only a small regular file with one link;
/// follows no link and waits for nobody. Every defect, also a missing file, is DueUnknown.
[[nodiscard]] Due take_due(int directory_fd);

/// How long to wait when nobody knows: 10 s the first time in a row, doubling to 10 min.
[[nodiscard]] Millis unknown_delay(std::uint64_t failures);

/// The one decimal number in `directory`/`name`. Missing, linked, not a plain number or too long: nullopt.
[[nodiscard]] std::optional<std::uint64_t> read_number(int directory_fd, const std::string& name);

/// Writes a number for everybody to read, through a new file and a rename. Errors: from the file system.
[[nodiscard]] Status write_number(int directory_fd, const std::string& name, std::uint64_t number);

}  // namespace dormouse::systemd
