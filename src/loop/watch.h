// Tells when a file may have changed, also when it is made or replaced: watches its directory by inotify.
#pragma once

#include <functional>
#include <string>

#include "loop/handle.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::loop {

class Watch {
  public:
    /// Calls `on_change` each time something happens to `path`, or to the "..data" beside it, through which Kubernetes
    /// replaces the files of a volume; it may destroy this watch. Where the kernel has no watch to give, that is told
    /// with the remedy, and `path` is looked at every 5 s until there is one. A directory that does not exist is
    /// neither watched nor looked at. Source: uv_fs_event_start, inotify(7).
    Watch(Loop& loop, const std::string& path, std::function<void()> on_change);
    /// Why nothing is watched, with the remedy; empty: it is.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }

  private:
    void start();
    void look();

    Turns& turns_;
    std::string path_;
    std::string directory_;
    std::string name_;
    std::function<void()> on_change_;
    std::string trouble_;
    std::string seen_;  ///< which file it was, and of when
    Timer again_;
    Handle<uv_fs_event_t> handle_;
};

}  // namespace dormouse::loop
