#include "support/paths.h"

#include <fstream>
#include <sstream>

namespace dormouse::testing {

const char* const source_directory = DORMOUSE_SOURCE_DIR;
const char* const dormouse_binary = DORMOUSE_BINARY;
const char* const dormouse_due_binary = DORMOUSE_DUE_BINARY;
const char* const embed_binary = DORMOUSE_EMBED_BINARY;
const char* const example_binary = DORMOUSE_EXAMPLE_BINARY;

std::vector<std::string> sql_of_page(const std::string& page) {
    std::ostringstream text;
    text << std::ifstream(std::string(source_directory) + "/" + page).rdbuf();
    const std::string whole = text.str(), fence = "```sql\n";
    std::vector<std::string> found;
    for (auto at = whole.find(fence); at != std::string::npos; at = whole.find(fence, at)) {
        at += fence.size();
        found.push_back(whole.substr(at, whole.find("```", at) - at));
    }
    return found;
}

}  // namespace dormouse::testing
