// What cancel, retry and archive have in common: runs by id, or many by a filter, in portions, so that no lock is held
// for long. The rules themselves are in the database (sql/migrations/0001_baseline/09_operations.sql).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/database.h"

namespace dormouse::cli {

struct RunFilter {
    std::string status;  ///< several are separated by commas
    std::string task;
    std::string queue;
    std::string key;
    std::string error;   ///< a part of "CLASS: MESSAGE"
    std::string worker;  ///< id of the one that has it, or had it last
    std::string older;   ///< a duration: created longer ago than that
    [[nodiscard]] bool empty() const { return (status + task + queue + key + error + worker + older).empty(); }
};

struct OperateOptions {
    DatabaseOptions database;
    std::vector<std::string> runs;  ///< ids or the starts of ids; excludes the filter
    RunFilter filter;
    std::optional<int> limit;  ///< with a filter: at most so many are changed
    std::string reason;
    std::optional<int> per_minute;  ///< with a filter, retry: so many are due a minute
    bool dry_run = false;
    bool yes = false;
    bool json = false;
};

struct Operation {
    const char* name;                   ///< "cancel"
    const char* done;                   ///< "canceled"
    const char* one;                    ///< the query for one run
    const char* many;                   ///< and for a filter
    std::vector<std::string> known;     ///< statuses that --status may name
    std::vector<std::string> statuses;  ///< those meant without --status
    bool rings;                         ///< afterwards there is something to do for a pool
};

/// With ids: tells what became of each. With a filter: shows what it means, asks (or wants --yes), then goes through
/// it. Exits: not_found, usage (refused, or --yes is missing), unreachable (rows that are locked by somebody were left
/// alone).
Outcome operate(const Operation& operation, const OperateOptions& options);

}  // namespace dormouse::cli
