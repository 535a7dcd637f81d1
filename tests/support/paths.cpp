#include "support/paths.h"

namespace dormouse::testing {

const char* const source_directory = DORMOUSE_SOURCE_DIR;
const char* const dormouse_binary = DORMOUSE_BINARY;
const char* const dormouse_due_binary = DORMOUSE_DUE_BINARY;

}  // namespace dormouse::testing
