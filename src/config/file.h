// The text of a configuration file, read without trusting what lies at the path. Driven by load.h.
#pragma once

#include <string>

#include "base/error.h"

namespace dormouse::config {

inline constexpr std::size_t largest_file = 1 << 20;

struct FileText {
    std::string text;
    bool world_readable = false;
};

/// Reads a regular file of at most 1 MiB. A pipe, device or directory is refused, without blocking on it.
/// Links are followed. Errors: denied, transient; invalid for what is missing (see is_missing) or no such
/// file. All name the path and, where there is one, the remedy.
Result<FileText> read_file(const std::string& path);

/// True if nothing is at that path.
bool is_missing(const std::string& path);

}  // namespace dormouse::config
