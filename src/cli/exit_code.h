// The exit codes of every command: one table, stable, also shown by `dormouse --help`. Scripts rely on the
// numbers; a code is never given a second meaning.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/error.h"
#include "base/limits.h"

namespace dormouse::cli {

enum class Exit : int {
    ok = 0,
    internal = 1,
    usage = 2,
    run_failed = 3,
    not_found = 4,
    timeout = 5,
    unreachable = 6,
    denied = 7,
    schema = 8,
    config = 9,
    nobody_answered = 10,
    run_canceled = 11,
    output = 12,
    attention = 13,
    not_told = 14,
    limit = too_few_exit_code,
    stopped = 16,
};

struct ExitRow {
    Exit exit;
    std::string_view meaning;
};

inline constexpr std::array exit_table{
    ExitRow{Exit::ok, "done"},
    ExitRow{Exit::internal, "an internal error of dormouse"},
    ExitRow{Exit::usage, "wrong usage, or input that is not accepted"},
    ExitRow{Exit::run_failed, "the run failed (enqueue --wait, watch, worker --run)"},
    ExitRow{Exit::not_found, "no such run; no such pool or worker (forget, scale)"},
    ExitRow{Exit::timeout, "timed out (enqueue --wait=DURATION, worker --timeout)"},
    ExitRow{Exit::unreachable, "the database cannot be reached, or cannot serve this now"},
    ExitRow{Exit::denied, "credentials or permissions"},
    ExitRow{Exit::schema, "the schema is missing, older or newer: dormouse migrate"},
    ExitRow{Exit::config, "the configuration is missing or invalid"},
    ExitRow{Exit::nobody_answered, "nobody answered the ring"},
    ExitRow{Exit::run_canceled, "the run was canceled (enqueue --wait, watch, worker --run)"},
    ExitRow{Exit::output, "done, but stdout is closed or cannot be written"},
    ExitRow{Exit::attention, "something needs attention (status, doctor)"},
    ExitRow{Exit::not_told, "a message was not accepted (alert --test)"},
    ExitRow{Exit::limit, "too few open files for a process of dormouse: LimitNOFILE=, ulimit -n"},
    ExitRow{Exit::stopped, "told to stop before it was done (worker --run, --drain, --max-runs, --timeout)"},
};

/// Why a command did not do what it was asked for: one line for stderr, and the code.
struct Failure {
    Exit exit = Exit::internal;
    std::string message;
};

/// What a command comes to.
using Outcome = tl::expected<Exit, Failure>;
template <typename T>
using Try = tl::expected<T, Failure>;

/// The code for an error of the database, by the reaction it calls for.
Failure from(const Error& error);
[[nodiscard]] inline tl::unexpected<Failure> give_up(Exit exit, std::string message) {
    return tl::unexpected<Failure>(Failure{exit, std::move(message)});
}
[[nodiscard]] inline tl::unexpected<Failure> give_up(const Error& error) {
    return tl::unexpected<Failure>(from(error));
}

/// `outcome`, unless all went well and stdout does not take what the command has to say. `done` is what has happened
/// all the same.
[[nodiscard]] Outcome if_told(const Outcome& outcome, const std::string& done);

}  // namespace dormouse::cli
