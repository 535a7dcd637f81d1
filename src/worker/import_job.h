// What Imports has done to its spool by another thread: nothing that a disk does stops the loop. Made by Imports, one
// at a time; the spool belongs to it meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "loop/background.h"
#include "spool/spool.h"
#include "spool/watch.h"

namespace dormouse::worker {

struct ImportJob final : loop::Job {
    enum class Kind { open, look, scan, finish };
    /// A file whose round is answered: it is removed, or put aside with the reason.
    struct Finished {
        std::string name;
        std::optional<std::string> refused;  ///< why; none: it is imported
        bool still_there = false;            ///< neither was possible
        std::string place = {};              ///< where it was put
    };

    Kind kind = Kind::open;
    std::optional<spool::Spool> spool;  ///< none: it is opened first
    std::string directory;
    std::string pool;
    spool::Spool::Make makes = spool::Spool::Make::no;
    std::string
        note;  ///< the file that says on which file system the spool was when it was opened last; empty: none does
    spool::Terms terms;
    BootClock::time_point now;
    std::vector<Finished> files;
    std::function<void(ImportJob&)> on_done;

    // what comes back besides
    Status opened;
    spool::Awaited awaited;  ///< not opened: when to try again
    UniqueFd watch;          ///< of a spool that was opened; none: see `watched`
    UniqueFd mounts;         ///< the same
    Status watched;
    bool moved = false;        ///< it was opened, and is on another file system than the note said
    bool left_behind = false;  ///< the path leads elsewhere; a new spool was opened there, unless `files_left`
    bool files_left = false;   ///< the one before has to be emptied first
    std::vector<spool::Complaint> lost;  ///< what could not be taken out of the one before
    bool found = false;                  ///< a look has found something
    spool::Scan scanned;

    void work() override;
    void done() override { on_done(*this); }

  private:
    void open(spool::Spool::Make make);
    void scan();
    void finish(Finished& file);
};

}  // namespace dormouse::worker
