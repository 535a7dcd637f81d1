// What the kernel refuses for want of open files or processes, told with whose limit that is and what raises it. Used
// by from_errno(), and by whoever makes processes, threads or a loop; a program that begins asks for room first.
#pragma once

#include <string>

#include "base/error.h"

namespace dormouse {

/// The exit code of a program that has too few open files to do anything at all.
inline constexpr int too_few_exit_code = 15;

/// Of "too many open files", with a bracket to put behind the message; empty for any other error.
std::string open_files_remedy(int error_number);
/// The same for a text of somebody else's that tells one of these errors by the system's words.
std::string open_files_remedy(const std::string& text);

/// A process or thread could not be made. Source: EAGAIN in clone(2), pthread_create(3).
Error no_process(int error_number, const std::string& what);

/// Whether `least` descriptors more can be opened by `who`, which is a program that begins.
Status room_for_files(int least, const std::string& who);

/// Ends this process: the kernel does not give `what`, without which nothing can be done or told.
[[noreturn]] void end_for_want_of(const char* what, int error_number);

}  // namespace dormouse
