// The parts of `dormouse doctor`. Each only looks, adds what it has found, and says so if it could not look.
#pragma once

#include <string>

#include "cli/database.h"
#include "cli/finding.h"
#include "cli/overview.h"

namespace dormouse::cli {

/// doctor_pool.cpp: what `worker --check` tries, the files it names and who may read them, the spool's disk.
void look_at_pool(Findings& findings, const std::string& pool, const config::Environment& environment);

/// doctor_units.cpp: what systemd says of these pools, and their doorbells.
void look_at_units(Findings& findings, const Overview& overview);

/// doctor_database.cpp: the server, the schema and who is in their way. What it knows of pools and queues goes into
/// `overview`.
void look_at_database(Findings& findings, Overview& overview, const DatabaseOptions& options);

/// Whether none is a warning or worse.
bool is_well(const Findings& findings);
void print_lines(const Findings& findings);
/// `document` is a JSON object, to which the findings come.
void print_json(const Findings& findings, const std::string& document);

}  // namespace dormouse::cli
