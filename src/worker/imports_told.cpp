// What is said of the spool's files: in the log, in the unit's status.
#include <string>
#include <utility>

#include "base/log.h"
#include "worker/imports.h"

namespace dormouse::worker {

void Imports::tell_closed(const Status& trouble, bool opened) {
    const std::string why = trouble ? std::string() : trouble.error().message;
    if (why == std::exchange(closed_, why) || why.empty() || (owner_ == SpoolOwner::nobody && !opened)) return;
    const bool wanted = owner_ == SpoolOwner::unit || opened;
    log::event(
        wanted ? log::Level::warning : log::Level::info, "spool_closed",
        (opened ? "files that come while a worker is awake wait for its end: " : "runs cannot be spooled: ") + why,
        {{"pool", pool_}});
}

void Imports::tell_left_behind(const ImportJob& job) {
    std::string text = "another file system is mounted over " + path() +
                       ", or it was made anew; from here on files are "
                       "taken from there";
    if (!job.lost.empty())
        text += "; " + std::to_string(job.lost.size()) +
                " files that lie below could not be imported: " + job.lost.front().name + ": " +
                job.lost.front().reason + "; umount " + path() + ", then dormouse wake " + pool_;
    log::event(log::Level::warning, "spool_replaced", text, {{"pool", pool_}});
}

void Imports::tell(const spool::Scan& scan) {
    for (const spool::Complaint& one : scan.rejected)
        log::event(log::Level::warning, "spool_rejected", one.name + ": " + one.reason);
    std::string trouble;
    if (!scan.stuck.empty()) {
        trouble = std::to_string(scan.stuck.size()) +
                  " spooled files can be neither imported nor moved away: " + path() + "/" + scan.stuck.front().name +
                  ": " + scan.stuck.front().reason;
        log::event(trouble == trouble_ ? log::Level::debug : log::Level::warning, "spool_stuck", trouble);
    }
    if (trouble == trouble_) return;
    trouble_ = std::move(trouble);
    events_.on_trouble();
}

void Imports::tell_slow() {
    slow_ = "the disk of " + path() + " has not answered for " + std::to_string(disk_takes.count() / 1'000) +
            " s; spooled runs wait for it, others do not";
    log::event(log::Level::warning, "spool_slow", slow_, {{"pool", pool_}});
    events_.on_trouble();
    events_.on_change();
}

void Imports::tell_answer() {
    if (slow_.empty()) return;
    slow_.clear();
    log::event(
        log::Level::info, "spool_back",
        "the disk of " + path() + " has answered after " + std::to_string(since(asked_at_).count() / 1'000) + " s",
        {{"pool", pool_}});
    events_.on_trouble();
}

}  // namespace dormouse::worker
