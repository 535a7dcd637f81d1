#include "support/paths.h"

namespace dormouse::testing {

const char* const source_directory = DORMOUSE_SOURCE_DIR;
const char* const dormouse_binary = DORMOUSE_BINARY;
const char* const dormouse_due_binary = DORMOUSE_DUE_BINARY;
const char* const embed_binary = DORMOUSE_EMBED_BINARY;
const char* const example_binary = DORMOUSE_EXAMPLE_BINARY;

}  // namespace dormouse::testing
