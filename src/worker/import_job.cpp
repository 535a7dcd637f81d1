#include "worker/import_job.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace dormouse::worker {
namespace {

/// Whose worker is to empty a spool there: ours, unless we are root in somebody's directory.
std::string account_for(const std::string& directory) {
    struct stat seen{};
    const uid_t uid = ::geteuid() == 0 && ::stat(directory.c_str(), &seen) == 0 ? seen.st_uid : ::geteuid();
    const passwd* const user = ::getpwuid(uid);
    return user != nullptr ? user->pw_name : std::to_string(uid);
}

}  // namespace

void ImportJob::work() {
    if (!spool) open(makes);
    if (!spool) return;
    switch (kind) {
        case Kind::open:
            return;
        case Kind::look:
            found = spool->has_entries() || spool->is_left_behind();
            return;
        case Kind::scan:
            return scan();
        case Kind::finish:
            for (Finished& one : files) finish(one);
            return;
    }
}

/// What lies in a directory that has something mounted over it only this process can still reach: it goes first.
void ImportJob::scan() {
    scanned = spool->scan(terms, now);
    left_behind = spool->is_left_behind();
    if (!left_behind) return;
    files_left = !scanned.entries.empty() || scanned.more || scanned.look_again.has_value();
    if (files_left) return;
    lost = std::move(scanned.stuck);
    spool.reset();
    // Whoever removes all of it, with us in the foreground, does not find it there again while he is at it.
    open(makes == spool::Spool::Make::if_ours ? spool::Spool::Make::no : makes);
    moved = false;  // that it was replaced is told anyway
    if (spool) scanned = spool->scan(terms, now);
}

void ImportJob::open(spool::Spool::Make make) {
    auto made = spool::Spool::open(directory, pool, make);
    if (!made) {
        awaited = spool::await(directory + "/" + pool);
        made = spool::Spool::open(directory, pool, make);  // it may have come before the watch
    }
    if (!made) {
        Error error = made.error();
        if (makes == spool::Spool::Make::if_ours)
            error.message += "; where they are to be, make it: install -d -m 1770 -o " + account_for(directory) + " " +
                             directory + "/" + pool;
        opened = tl::unexpected(std::move(error));
        return;
    }
    awaited = {};
    spool = std::move(*made);
    moved = !note.empty() && spool->note_place(note);
    mounts = spool::watch_mounts();
    auto descriptor = spool::watch(spool->path());
    if (descriptor)
        watch = std::move(*descriptor);
    else
        watched = tl::unexpected(descriptor.error());
}

void ImportJob::finish(Finished& file) {
    if (!file.refused) {
        file.still_there = !spool->remove(file.name);
        return;
    }
    const auto place = spool->reject(file.name, *file.refused);
    file.still_there = !place;
    if (place) file.place = *place;
}

}  // namespace dormouse::worker
