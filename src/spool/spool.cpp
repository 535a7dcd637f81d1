#include "spool/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/crash_point.h"
#include "spool/entry.h"
#include "spool/file.h"

namespace dormouse::spool {
namespace {

constexpr mode_t spool_mode = 01770;    ///< sticky: nobody takes away or replaces what another one has put there
constexpr mode_t rejected_mode = 0700;  ///< not for the spool's group: nobody looks after payloads of others there
constexpr std::size_t names_at_once = 40'000;  ///< of files that need not wait; more than fit into one scan

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

DirectoryStream stream_of(int directory) {
    // A descriptor of its own: reading moves a position that dup(2) would share.
    return DirectoryStream(::fdopendir(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
}

/// The first `most` in order. A spool that nobody has emptied for days may hold more names than memory does.
struct Names {
    std::vector<std::string> first;
    bool more = false;
};
Names names_in(int directory, std::size_t most) {
    Names names;
    const auto keep_the_first = [&] {
        if (names.first.size() <= most) return;
        const auto last = names.first.begin() + static_cast<std::ptrdiff_t>(most);
        std::nth_element(names.first.begin(), last, names.first.end());
        names.first.erase(last, names.first.end());
        names.more = true;
    };
    const DirectoryStream stream = stream_of(directory);
    while (const dirent* const entry = stream ? ::readdir(stream.get()) : nullptr) {
        if (is_entry(entry->d_name)) names.first.emplace_back(entry->d_name);
        if (names.first.size() >= 2 * most) keep_the_first();
    }
    keep_the_first();
    std::sort(names.first.begin(), names.first.end());
    return names;
}

/// The mode as it is said; the set-group-ID bit comes from the directory above, a sandbox may forbid to set it. The
/// mask is the whole process's, which makes files meanwhile, unless this thread has one for itself.
int make_directory(const std::string& path) {
    const bool own_mask = ::unshare(CLONE_FS) == 0;
    const mode_t mask = own_mask ? ::umask(0) : 0;
    const int failed = ::mkdir(path.c_str(), spool_mode) == 0 ? 0 : errno;
    if (own_mask) ::umask(mask);
    return failed;
}

bool is_somebody_elses(const std::string& directory) {
    struct stat seen{};
    return ::geteuid() == 0 && ::stat(directory.c_str(), &seen) == 0 && seen.st_uid != 0;
}

}  // namespace

Result<Spool> Spool::open(const std::string& directory, const std::string& pool, Make make) {
    const std::string path = directory + "/" + pool;
    if (make == Make::yes || (make == Make::if_ours && !is_somebody_elses(directory))) {
        if (const int failed = make_directory(path); failed != 0 && failed != EEXIST)
            return tl::unexpected(from_errno(failed, path));
        crash_point("spool.made");
    }
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return tl::unexpected(from_errno(errno, path));
    return Spool(path, std::move(fd));
}

bool Spool::is_left_behind() const {
    struct stat here{};
    struct stat there{};
    if (::fstat(directory_.get(), &here) != 0) return false;
    if (::lstat(path_.c_str(), &there) != 0) return errno == ENOENT;
    return here.st_dev != there.st_dev || here.st_ino != there.st_ino;
}

bool Spool::note_place(const std::string& note) const {
    struct stat here{};
    if (::fstat(directory_.get(), &here) != 0) return false;
    const std::string now = std::to_string(here.st_dev) + " " + std::to_string(here.st_ino) + "\n";
    char text[64];
    // the directory is the handlers' too: of a FIFO that one of them has put there, the opening would wait for ever
    const UniqueFd old(::open(note.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    const ssize_t size = old.valid() ? ::read(old.get(), text, sizeof text) : 0;
    const std::string before(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    if (before == now) return false;
    ::unlink(note.c_str());
    const UniqueFd file(::open(note.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    const bool written =
        file.valid() && ::write(file.get(), now.data(), now.size()) == static_cast<ssize_t>(now.size());
    // the same file system with another directory is one that somebody has made anew
    return written && !before.empty() && before.substr(0, before.find(' ')) != now.substr(0, now.find(' '));
}

bool Spool::has_entries() const {
    const DirectoryStream stream = stream_of(directory_.get());
    while (const dirent* const entry = stream ? ::readdir(stream.get()) : nullptr)
        if (is_entry(entry->d_name)) return true;
    return false;
}

Scan Spool::scan(const Terms& terms, Time now) {
    Scan scan;
    const auto is_gone = [&](const std::string& name) {
        return ::faccessat(directory_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    };
    std::erase_if(truncated_, [&](const auto& one) { return is_gone(one.first); });
    std::erase_if(imported_, is_gone);
    // Those that have to wait do not count, so that they hold up nobody.
    const Names names = names_in(directory_.get(), names_at_once + truncated_.size() + imported_.size());
    const std::size_t waited = truncated_.size();
    std::size_t bytes = 0;
    for (const std::string& name : names.first) {
        if (scan.entries.size() >= terms.most_files || bytes >= terms.most_bytes) {
            scan.more = true;
            break;
        }
        const std::size_t before = scan.entries.size();
        examine(name, terms, now, scan);
        if (scan.entries.size() > before) bytes += scan.entries.back().text.size();
    }
    // Not when all of these are stuck: the same ones would be looked at for ever.
    if (names.more && (!scan.entries.empty() || !scan.rejected.empty() || truncated_.size() > waited)) scan.more = true;
    return scan;
}

void Spool::examine(const std::string& name, const Terms& terms, Time now, Scan& scan) {
    if (imported_.contains(name)) {
        if (const Status removed = remove(name); !removed) scan.stuck.push_back({name, removed.error().message});
        return;
    }
    auto content = read_file(directory_.get(), name, terms.file_bytes);
    if (!content) {
        if (content.error().kind == ErrorKind::disconnected) return;  // somebody has taken it away meanwhile
        if (content.error().kind == ErrorKind::invalid) return refuse(name, content.error().message, scan);
        scan.stuck.push_back({name, content.error().message});
        return;
    }
    const Judged judged = judge(content->text, terms.queues);
    switch (judged.kind) {
        case Judged::Kind::good:
            return take(name, std::move(content->text), scan);
        case Judged::Kind::truncated:
            leave(name, content->age, terms, now, scan);
            if (truncated_.at(name) <= now) refuse(name, judged.reason, scan);
            return;
        case Judged::Kind::wrong:
            return refuse(name, judged.reason, scan);
    }
}

void Spool::take(const std::string& name, std::string text, Scan& scan) {
    truncated_.erase(name);
    if (const auto id = id_of(name)) {
        scan.entries.push_back({*id, name, std::move(text)});
        return;
    }
    const Uuid id = Uuid::time_ordered();
    const std::string named = with_id(name, id);
    if (::renameat2(directory_.get(), name.c_str(), directory_.get(), named.c_str(), RENAME_NOREPLACE) != 0) {
        if (errno != ENOENT) scan.stuck.push_back({name, from_errno(errno, "cannot be given an id").message});
        return;
    }
    crash_point("import.renamed");
    scan.entries.push_back({id, named, std::move(text)});
}

/// Counts from when the file was last written, but never longer than from when it was first seen: its time is its
/// writer's to set.
void Spool::leave(const std::string& name, Millis age, const Terms& terms, Time now, Scan& scan) {
    const Millis rest = std::clamp(terms.patience - age, Millis{0}, terms.patience);
    const Time until = truncated_.try_emplace(name, now + rest).first->second;
    const Millis wait = std::chrono::ceil<Millis>(until - now);
    if (wait > Millis{0} && (!scan.look_again || wait < *scan.look_again)) scan.look_again = wait;
}

void Spool::refuse(const std::string& name, const std::string& reason, Scan& scan) {
    truncated_.erase(name);
    if (const auto place = reject(name, reason)) {
        scan.rejected.push_back({name, reason + "; it is now " + *place});
    } else {
        scan.stuck.push_back({name, reason + "; and it cannot be moved away: " + place.error().message});
    }
}

Status Spool::remove(const std::string& name) {
    if (::unlinkat(directory_.get(), name.c_str(), 0) == 0 || errno == ENOENT) {
        imported_.erase(name);
        crash_point("import.removed");
        return {};
    }
    imported_.insert(name);
    return tl::unexpected(from_errno(errno, "imported, but it cannot be removed"));
}

Result<std::string> Spool::reject(const std::string& name, const std::string& reason) {
    const std::string path = path_ + ".rejected";
    ::mkdir(path.c_str(), rejected_mode);
    crash_point("reject.made");
    const UniqueFd rejected(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat is{};
    if (rejected.valid() && ::fstat(rejected.get(), &is) == 0 && is.st_uid == ::geteuid() && (is.st_mode & 0077) != 0)
        static_cast<void>(::fchmod(rejected.get(), rejected_mode));  // made by an older release, or by somebody for us
    if (rejected.valid())
        if (const auto there = move(name, rejected.get(), name, reason)) return path + "/" + *there;
    // Somebody else's directory may not change its parent, and a mounted spool is another file system: out of the path
    // unit's sight is enough.
    const auto here = move(name, directory_.get(), name + ".rejected", reason);
    if (!here) return tl::unexpected(here.error());
    return path_ + "/" + *here;
}

/// The file's new name. A name that is taken gets an id: nothing is overwritten, and each file is there once. The
/// reason comes first: whoever finds the file finds it, however the worker ends.
Result<std::string> Spool::move(const std::string& name, int directory, const std::string& wanted,
                                const std::string& reason) {
    const auto move_to = [&](const std::string& there) {
        // Best effort: on a full disk the file is out of the way all the same, and the log has the reason.
        ::unlinkat(directory, ("." + there + ".reason").c_str(), 0);  // half written, by a worker that was killed
        static_cast<void>(write_file(directory, there + ".reason", reason + "\n", 0600));
        crash_point("reject.explained");
        return ::renameat2(directory_.get(), name.c_str(), directory, there.c_str(), RENAME_NOREPLACE) == 0;
    };
    const bool taken = ::faccessat(directory, wanted.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    std::string there = taken ? Uuid::time_ordered().to_string() + "." + wanted : wanted;
    if (!move_to(there) && errno != ENOENT) {
        const auto failed = [&] {
            const Error error = from_errno(errno, there);
            ::unlinkat(directory, (there + ".reason").c_str(), 0);
            return tl::unexpected(error);
        };
        if (errno != EEXIST) return failed();
        there = Uuid::time_ordered().to_string() + "." + wanted;
        if (!move_to(there)) return failed();
    }
    crash_point("reject.moved");
    return there;
}

}  // namespace dormouse::spool
