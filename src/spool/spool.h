// A pool's spool: a directory of files that each say a run, written by anybody who is let in, without a database at
// hand. Scanned and emptied by the worker's Imports. Every byte in it is hostile: no link is followed, nothing is
// waited for but the disk, no more is read than a run may have. Logs nothing; tells what it did.
//
//   DIRECTORY/                   mode 2755: its set-group-ID bit is inherited, so that what is put in belongs to the
//                                worker's group
//     POOL/                      the spool (paths.spool_directory), mode 0770: the worker's, and its group may put
//                                files in
//       NAME.json                a run
//       .NAME                    being written: not looked at
//     POOL.rejected/             what was wrong, each with NAME.reason beside it
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "base/uuid.h"

namespace dormouse::spool {

struct Terms {
    std::vector<std::string> queues;    ///< what the pool serves
    std::int64_t file_bytes = 0;        ///< a larger file is wrong
    std::size_t most_files = 20'000;    ///< for one scan
    std::size_t most_bytes = 64 << 20;  ///< for one scan, unless a single file is larger
    Millis patience{60'000};            ///< how long a truncated file is left for its writer
};

/// A run to be imported.
struct SpoolFile {
    Uuid id;
    std::string name;
    std::string text;
};
/// A file and what was, or is, wrong with it.
struct Complaint {
    std::string name;
    std::string reason;
};
struct Scan {
    std::vector<SpoolFile> entries;
    bool more = false;                 ///< there are more than fit
    std::optional<Millis> look_again;  ///< a truncated file is old enough then
    std::vector<Complaint> rejected;   ///< moved away by this scan
    std::vector<Complaint> stuck;      ///< can be neither imported nor moved
};

class Spool {
  public:
    using Time = BootClock::time_point;

    /// Whether to make a spool where there is none, on a thread that from then on has a umask and a working directory
    /// for itself.
    enum class Make {
        no,
        yes,
        if_ours,  ///< root makes none in somebody's directory: that one's worker could remove no file from it
    };

    /// Opens the spool of `pool` in `directory`. Errors: from mkdir(2) and open(2), with the path.
    static Result<Spool> open(const std::string& directory, const std::string& pool, Make make);

    /// Reads what is there, in the order of names. A good file without an id is renamed to carry one; a wrong one is
    /// moved away.
    Scan scan(const Terms& terms, Time now);
    /// The run of that file is committed: removes it. Errors: it is still there, and will not be imported again by this
    /// object.
    Status remove(const std::string& name);
    /// Moves a file away, with the reason beside it: into POOL.rejected, or else to NAME.rejected in the spool, which
    /// nobody looks at. Returns where it is now. Errors: it is still there.
    Result<std::string> reject(const std::string& name, const std::string& reason);
    /// Whether its path leads elsewhere by now: something is mounted over it, or it was removed.
    [[nodiscard]] bool is_left_behind() const;
    /// Writes into the file `note` on which file system it is. True if that was another one; false as well where `note`
    /// cannot be read or written.
    [[nodiscard]] bool note_place(const std::string& note) const;
    /// Whether there is anything that scan() would look at.
    [[nodiscard]] bool has_entries() const;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    Spool(std::string path, UniqueFd directory) : path_(std::move(path)), directory_(std::move(directory)) {}
    void examine(const std::string& name, const Terms& terms, Time now, Scan& scan);
    void take(const std::string& name, std::string text, Scan& scan);
    void leave(const std::string& name, Millis age, const Terms& terms, Time now, Scan& scan);
    Result<std::string> move(const std::string& name, int directory, const std::string& wanted,
                             const std::string& reason);
    void refuse(const std::string& name, const std::string& reason, Scan& scan);

    std::string path_;
    UniqueFd directory_;
    std::map<std::string, Time> truncated_;  ///< until when each is left for its writer
    std::set<std::string> imported_;         ///< committed, but not removable so far
};

}  // namespace dormouse::spool
