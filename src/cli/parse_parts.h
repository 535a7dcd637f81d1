// What the files that declare the commands share: parse.cpp, parse_runs.cpp, parse_follow.cpp, parse_workers.cpp. CLI11
// itself stays out of here.
#pragma once

#include <functional>
#include <memory>

#include "cli/database.h"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace dormouse::cli {

/// Set by the command that was given, run after all of the line has been understood.
using Chosen = std::function<int()>;

/// Says what went wrong, flushes stdout, and makes the exit code of it.
int finish(const Outcome& outcome);

/// Registers what a command does.
void on_chosen(CLI::App& command, Chosen& chosen, std::function<int()> run_it);
/// The same; `options` lives as long as the parser.
template <typename Options>
void choose(CLI::App& command, Chosen& chosen, const std::shared_ptr<Options>& options,
            Outcome (*run_it)(const Options&)) {
    on_chosen(command, chosen, [options, run_it] { return finish(run_it(*options)); });
}

/// A range whose bounds do not crowd the help; an error names them.
CLI::Validator number(int low, int high);
void add_database(CLI::App& command, DatabaseOptions& options);
void add_json(CLI::App& command, bool& json, const char* form = "One JSON document, for programs");

// parse_runs.cpp
void add_enqueue(CLI::App& app, Chosen& chosen);
void add_runs(CLI::App& app, Chosen& chosen);
void add_show(CLI::App& app, Chosen& chosen);
void add_cancel(CLI::App& app, Chosen& chosen);
void add_retry(CLI::App& app, Chosen& chosen);
void add_archive(CLI::App& app, Chosen& chosen);
void add_history(CLI::App& app, Chosen& chosen);

// parse_follow.cpp
void add_watch(CLI::App& app, Chosen& chosen);
void add_logs(CLI::App& app, Chosen& chosen);

// parse_workers.cpp
void add_worker(CLI::App& app, Chosen& chosen);
void add_try(CLI::App& app, Chosen& chosen);
void add_new(CLI::App& app, Chosen& chosen);
void add_wake(CLI::App& app, Chosen& chosen);
void add_relay(CLI::App& app, Chosen& chosen);
void add_status(CLI::App& app, Chosen& chosen);
void add_workers(CLI::App& app, Chosen& chosen);
void add_reap(CLI::App& app, Chosen& chosen);
void add_forget(CLI::App& app, Chosen& chosen);
void add_scale(CLI::App& app, Chosen& chosen);
void add_doctor(CLI::App& app, Chosen& chosen);
void add_sandbox(CLI::App& app, Chosen& chosen);

}  // namespace dormouse::cli
