// Which pools of this machine a database on this machine would wake: those whose files name it. Used by
// `dormouse migrate --local-wake`.
#pragma once

#include <string>
#include <vector>

#include "cli/local_wake.h"

namespace dormouse::cli {

struct LeftOut {
    std::string pool;
    std::string reason;
};

struct WokenPools {
    std::vector<WokenPool> pools;
    std::vector<LeftOut> left_out;  ///< pools whose file cannot be read or names another database
};

/// The pools of the configuration directory that name the database of this session, by their files alone. A file that
/// names none counts: then a variable of its unit does. Users are not compared: who migrates is not who works.
WokenPools find_woken_pools(const postgres::BlockingConnection& connection, const config::Environment& environment);

/// This one, whatever database it names. Fails when its file cannot be used.
Try<WokenPool> find_woken_pool(const std::string& name, const config::Environment& environment);

}  // namespace dormouse::cli
