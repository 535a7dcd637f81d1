// What the targets of libFuzzer share. Each *_fuzz.cpp is one target: a function that is given bytes, and aborts if
// something that has to hold does not. fuzz.cpp runs the one that DORMOUSE_FUZZ_TARGET names; run.sh makes and drives
// the program.
#pragma once

#include <string_view>

namespace dormouse::fuzz {

/// Registers a target. `name` is that of its dictionary and its seeds, too.
struct Target {
    Target(const char* name, void (*run)(std::string_view bytes));
};

/// Aborts unless it holds.
void require(bool holds);

/// UTF-8 without control characters but line break and tab: what may be shown and stored.
bool is_plain(std::string_view text);

}  // namespace dormouse::fuzz
