// Where the tree and the programs under test are. Defined in one source file, so that no other has to be compiled anew
// for a checkout elsewhere.
#pragma once

namespace dormouse::testing {

extern const char* const source_directory;
extern const char* const dormouse_binary;
extern const char* const dormouse_due_binary;
extern const char* const embed_binary;    ///< tests/programs/embed_program.cpp
extern const char* const example_binary;  ///< examples/embed

}  // namespace dormouse::testing
