// Descriptors 0, 1 and 2, for whoever is started without some of them. Everybody's main() calls it first: otherwise the
// next file or socket that is opened gets one of these numbers, and what is printed goes into it.
#pragma once

namespace dormouse {

/// Opens /dev/null where one of them is closed, the wrong way round: reading or writing there fails with EBADF, as it
/// would with a closed one.
void open_standard_files();

}  // namespace dormouse
