// Pool files: whatever is in one, there is a configuration or one line that says what is wrong and where.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "config/document.h"
#include "config/load.h"
#include "fuzz.h"

using namespace dormouse;
using namespace dormouse::config;
using fuzz::require;

namespace {

void check_error(const Error& error, const std::string& place) {
    require(error.message.find(place) != std::string::npos && error.message.find('\n') == std::string::npos);
    require(fuzz::is_plain(error.message));
}

int depth(const Value& value) {
    int deepest = 0;
    for (const Value& item : value.items) deepest = std::max(deepest, depth(item));
    for (const Entry& entry : value.entries) deepest = std::max(deepest, depth(entry.value));
    return deepest + 1;
}

/// A file without a name, where load() can find it.
std::string path_of(std::string_view text) {
    static const int file = ::memfd_create("pool", MFD_CLOEXEC);
    require(::ftruncate(file, 0) == 0 &&
            ::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return "/proc/self/fd/" + std::to_string(file);
}

void run(std::string_view bytes) {
    const auto document = parse_document(bytes, "the-file");
    if (!document) return check_error(document.error(), "the-file");
    require(depth(*document) <= 12);

    Sources sources;
    sources.pool = "day";
    sources.file = path_of(bytes);
    const auto loaded = load(sources);
    if (!loaded) return check_error(loaded.error(), "");
    require(!loaded->config.database.url.empty() && !loaded->config.worker.queues.empty());
    for (const std::string& warning : loaded->warnings) require(fuzz::is_plain(warning));
}

const fuzz::Target target("document", run);

}  // namespace
