// What an operation with a filter means, looked at before anything is changed: how many runs of which kind, and some of
// them. Private to operate*.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/operate.h"

namespace dormouse::cli {

struct Group {
    std::string status;
    std::string task;
    std::string queue;
    std::int64_t runs = 0;
    double oldest = 0;
};

struct SampleRun {
    std::string id;
    std::string status;
    std::string task;
    double created = 0;
    std::string error;  ///< empty: none
};

struct Meant {
    std::vector<Group> groups;
    std::vector<SampleRun> samples;
    std::int64_t runs = 0;
    bool all = true;  ///< false: there may be more, counting was given up
    double now = 0;
    double before = 0;  ///< runs that come in while this goes on are not meant
};

/// The age that the filter names, 0 for none. Fails with usage.
Try<Millis> check_filter(const Operation& operation, const RunFilter& filter);
/// Counts 100,000 runs at most, and for 2 s at most.
Try<Meant> find_meant(const Operation& operation, const RunFilter& filter, Millis older,
                      postgres::BlockingConnection& connection);
void show(const Meant& meant);
std::string runs_text(std::int64_t runs);
/// "100,000 or more"
std::string counted(const Meant& meant);

}  // namespace dormouse::cli
