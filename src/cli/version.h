// What this build is: its release and the migrations it carries. Used by the commands that look at the
// schema.
#pragma once

#include <span>
#include <string_view>

#include "cli/exit_code.h"
#include "postgres/migrator.h"

namespace dormouse::cli {

/// "0.1.0".
std::string_view release();

/// sql/migrations, in order.
std::span<const postgres::Migration> migrations();

struct VersionOptions {
    bool json = false;
};

/// dormouse version.
Outcome version(const VersionOptions& options);

}  // namespace dormouse::cli
