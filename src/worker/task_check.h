// Whether the handlers of a pool could be started now, asked of the files on another thread: a disk that hangs is no
// reason to wait with everything else. Made by Pool for each configuration.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "config/config.h"
#include "handlers/registry.h"
#include "loop/background.h"

namespace dormouse::worker {

class TaskCheck final : public loop::Job {
  public:
    /// `problem` is the first, in the order of names; empty: none.
    using Done = std::function<void(const std::string& problem)>;

    TaskCheck(std::map<std::string, config::Task> tasks, const handlers::Handlers& handlers, Done done);
    void work() override;
    void done() override { done_(problem_); }

  private:
    std::map<std::string, config::Task> tasks_;
    std::map<std::string, std::string> functions_;  ///< what is known of those without a file
    Done done_;
    std::string problem_;
};

}  // namespace dormouse::worker
