// Where the tree and the programs under test are. Defined in one source file, so that no other has to be compiled anew
// for a checkout elsewhere.
#pragma once

#include <string>
#include <vector>

namespace dormouse::testing {

extern const char* const source_directory;
extern const char* const dormouse_binary;
extern const char* const dormouse_due_binary;
extern const char* const embed_binary;    ///< tests/programs/embed_program.cpp
extern const char* const example_binary;  ///< examples/embed

/// The SQL blocks of a page, in order: "docs/runs.md".
std::vector<std::string> sql_of_page(const std::string& page);

}  // namespace dormouse::testing
