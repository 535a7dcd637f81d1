// dormouse doctor: everything that can be looked at without running anything, one line a finding.
#pragma once

#include "cli/database.h"

namespace dormouse::cli {

struct DoctorOptions {
    DatabaseOptions database;
    bool json = false;
};

/// Prints; returns the exit code: 0, or 13 if a finding is a warning or worse. As root it looks as the account of the
/// workers.
int doctor(const DoctorOptions& options);

}  // namespace dormouse::cli
