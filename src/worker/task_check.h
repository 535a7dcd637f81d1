// Whether the handlers of a pool could be started now, asked of the files on another thread: a disk that hangs is no
// reason to wait with everything else. Finds the files of warm handlers on the way, which their processes have read
// once. Made by Pool for each configuration.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "handlers/registry.h"
#include "loop/background.h"

namespace dormouse::worker {

class TaskCheck final : public loop::Job {
  public:
    struct Found {
        std::string problem;             ///< the first, in the order of names; empty: none
        std::vector<std::string> files;  ///< that the commands of warm handlers name, as absolute paths
    };
    using Done = std::function<void(const Found& found)>;

    TaskCheck(std::map<std::string, config::Task> tasks, const handlers::Handlers& handlers, Done done);
    void work() override;
    void done() override { done_(found_); }

  private:
    void look_for_files(const config::Task& task);

    std::map<std::string, config::Task> tasks_;
    std::map<std::string, std::string> functions_;  ///< what is known of those without a file
    Done done_;
    Found found_;
};

}  // namespace dormouse::worker
