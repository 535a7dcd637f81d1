// The warm kind: processes that stay while there is work, and take runs as messages on a socket. One handler for each
// task; those that share their processes share a WarmGroup. Made by Handlers, driven by the worker through Handler.
#pragma once

#include <string>

#include "config/config.h"
#include "handlers/handler.h"
#include "handlers/warm_group.h"

namespace dormouse::handlers {

class WarmHandler : public Handler {
  public:
    /// `group` outlives the handler.
    WarmHandler(config::Task task, WarmGroup& group) : task_(std::move(task)), group_(group) {}

    [[nodiscard]] std::string check() const override;
    void start(RunSpec spec, RunListener& listener) override { group_.start(std::move(spec), listener); }
    void stop(const Uuid& id, StopReason reason, Millis patience) override { group_.stop(id, reason, patience); }

  private:
    config::Task task_;
    WarmGroup& group_;
};

}  // namespace dormouse::handlers
