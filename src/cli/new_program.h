// dormouse new cpp: a program that is the worker of a pool, with the library, and what builds it; built at once where
// everything for that is there. Driven by new_handler.cpp.
#pragma once

#include "cli/new_handler.h"

namespace dormouse::cli {

/// DIRECTORY/NAME with NAME.cpp and CMakeLists.txt; no pool's file is changed, as a function needs no table. Says what
/// is missing for the build, or becomes it. Changes nothing if the directory is there already.
Outcome new_program(const NewOptions& options);

/// Where PATH has the program: in /usr/bin if it is there too. Empty: it is not here.
std::string path_of_program(const std::string& name);

}  // namespace dormouse::cli
