// Places at which a test has the process die, as if by a power cut between two statements: the line names the moment
// after what stands above it. Compiled to nothing unless the CMake option DORMOUSE_CRASH_POINTS is on, which no release
// is built with. Each name is in src/ once and has a case in a test (scripts/check_crash.sh).
#pragma once

#include <string_view>

namespace dormouse {

#ifdef DORMOUSE_CRASH_POINTS
/// Sends SIGKILL to this process when DORMOUSE_CRASH_AT=NAME[:N] in its environment names this point and it is passed
/// for the N-th time (1). From any thread.
void crash_point(std::string_view name);
#else
inline void crash_point(std::string_view) {}
#endif

}  // namespace dormouse
