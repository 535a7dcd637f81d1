// The command line: which command with which options. The only file that knows the library for it; everything
// else sees plain structs. Driven by main().
#pragma once

namespace dormouse::cli {

/// Runs the command and returns the exit code. Never throws.
int run(int argc, char** argv);

}  // namespace dormouse::cli
