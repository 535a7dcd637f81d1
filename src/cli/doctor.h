// dormouse doctor: everything that can be looked at without running anything, one line a finding. With --idle instead
// whether a pool that sleeps costs nothing, and who else keeps its database awake.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct DoctorOptions {
    DatabaseOptions database;
    bool json = false;
    std::string idle;  ///< a duration; empty: not that
};

/// doctor_idle.cpp
Outcome examine_idle(const DoctorOptions& options);

/// Prints; returns the exit code: 0, or 13 if a finding is a warning or worse. As root it looks as the account of the
/// workers.
int doctor(const DoctorOptions& options);

}  // namespace dormouse::cli
