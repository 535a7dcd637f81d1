// What dormouse status shows to people. Of many pools or queues those that need somebody or work come first, and the
// rest is a number, so that it stays one screen.
#pragma once

#include <string>
#include <vector>

#include "cli/attention.h"
#include "cli/overview.h"
#include "cli/text.h"

namespace dormouse::cli {

/// Where the pool is, and whether it can be woken.
Cell configured(const PoolSeen& pool);

struct PoolsShown {
    bool with_database = true;  ///< what the database knows of workers is known
    bool all = false;           ///< however many there are
    std::string pool{};         ///< this one whatever the others are; empty: none
};
void print_pools(const Overview& overview, const PoolsShown& which);
/// Pools, queues, what has ended, what fails, what needs attention, stuck runs.
void print_screen(const Overview& overview, const std::vector<Attention>& found, const PoolsShown& which);

}  // namespace dormouse::cli
