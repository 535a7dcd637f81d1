#include "handlers/warm.h"

#include "handlers/command.h"

namespace dormouse::handlers {

std::string WarmHandler::check() const {
    const auto fine = check_command(task_);
    return fine ? std::string() : fine.error().message;
}

}  // namespace dormouse::handlers
