// dormouse new: a handler to begin with and its task in a pool's file, and a first try of it.
#pragma once

#include <string>

#include "cli/exit_code.h"

namespace dormouse::cli {

struct NewOptions {
    std::string kind;  ///< python, node, shell; cpp: a program that is the worker
    std::string name;  ///< of the task
    std::string pool = "default";
    std::string directory = "/srv/app";
    bool json = false;
};

/// Ends as `dormouse try` does. Changes nothing if the task or the handler's file is there already.
int new_handler(const NewOptions& options);

}  // namespace dormouse::cli
