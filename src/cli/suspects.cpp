#include "cli/suspects.h"

#include <algorithm>

#include "base/process.h"
#include "handlers/proc.h"

namespace dormouse::cli {

namespace {

std::string held_text(std::int64_t runs) {
    return runs == 0 ? "holds no run" : "holds " + std::to_string(runs) + (runs == 1 ? " run" : " runs");
}

/// Whoever opened the session that the process is in: a shell, a login. A process in one of its own needs nobody.
bool starter_is_gone(const handlers::ProcessStat& stat, pid_t pid) {
    if (stat.session == 0 || stat.session == pid) return false;
    const auto leader = handlers::stat_of(stat.session);
    return !leader || leader->state == 'Z';
}

std::string only_run(const WorkerRow& row) {
    return "executes run " + row.run + " alone, " +
           (row.run_status == "gone" ? "which is there no more" : "which is " + row.run_status);
}

Suspect gone(const WorkerRow& row, double now) {
    if (row.presence.unseen && row.condition != "dead" && row.condition != "left")
        return {SuspectKind::active,
                row.presence.evidence + ", or it is on another host of the same name, and alive: " + row.evidence, row,
                0};
    const bool lease_stands = row.lease_until && *row.lease_until > now;
    if (row.presence.unseen && lease_stands)
        return {SuspectKind::active,
                row.presence.evidence +
                    ", or it is on another host of the same name: its leases are still valid; its runs return to the "
                    "queue when they expire",
                row, 0};
    return {SuspectKind::stale, row.presence.evidence + "; " + held_text(row.runs), row, 0};
}

Suspect there(const WorkerRow& row) {
    const pid_t pid = row.presence.pid;
    const std::string unit = row.unit.empty() ? unit_of(pid) : row.unit;
    if (!unit.empty()) return {SuspectKind::production, "belongs to " + unit, row, pid};
    if (!is_worker(pid))
        return {SuspectKind::active, "is not a `dormouse worker`, whatever the registry says", row, pid};
    const auto stat = handlers::stat_of(pid);
    if (row.run_is_over() && row.runs == 0) return {SuspectKind::stale, only_run(row), row, pid};
    if (stat && stat->state == 'T' && row.ended == "abandoned")
        return {SuspectKind::stale, "is stopped, and " + row.evidence, row, pid};
    if (stat && row.state == "left" && starter_is_gone(*stat, pid))
        return {SuspectKind::stale, "has left the database, and the session that started it is gone", row, pid};
    if (row.state == "left") return {SuspectKind::active, "has left the database, its process is still here", row, pid};
    return {SuspectKind::active, "in the foreground, " + held_text(row.runs), row, pid};
}

Suspect stranger(pid_t pid) {
    const std::string unit = unit_of(pid);
    Suspect suspect{unit.empty() ? SuspectKind::active : SuspectKind::production,
                    (unit.empty() ? "" : "belongs to " + unit + "; ") + "not registered in this database",
                    {},
                    pid};
    suspect.row.mark.pid = pid;
    return suspect;
}

}  // namespace

std::vector<Suspect> suspects_of(const WorkerRows& workers) {
    std::vector<Suspect> all;
    const auto is_awake_too = [&](pid_t pid) {  // a worker that has read its file anew has a row for each time
        return std::any_of(workers.rows.begin(), workers.rows.end(), [&](const WorkerRow& row) {
            return row.state != "left" && row.presence.alive == Liveness::yes && row.presence.pid == pid;
        });
    };
    const auto is_listed = [&](pid_t pid) {
        return std::any_of(all.begin(), all.end(), [&](const Suspect& suspect) { return suspect.pid == pid; });
    };
    for (const WorkerRow& row : workers.rows) {
        const bool left = row.state != "awake" && row.runs == 0;
        if (row.presence.alive == Liveness::elsewhere) {
            if (row.run_is_over() && row.condition != "left")
                all.push_back({SuspectKind::elsewhere, "on " + row.mark.host + ": " + only_run(row), row, 0});
            continue;
        }
        if (row.presence.alive == Liveness::no) {
            if (!left) all.push_back(gone(row, workers.now));
        } else if (!is_listed(row.presence.pid) && (!left || !is_awake_too(row.presence.pid))) {
            all.push_back(there(row));
        }
    }
    for (const pid_t pid : worker_processes())
        if (!is_listed(pid)) all.push_back(stranger(pid));
    return all;
}

const char* to_string(SuspectKind kind) {
    switch (kind) {
        case SuspectKind::production:
            return "production";
        case SuspectKind::active:
            return "active";
        case SuspectKind::stale:
            return "stale";
        case SuspectKind::elsewhere:
            return "elsewhere";
    }
    return "";
}

}  // namespace dormouse::cli
