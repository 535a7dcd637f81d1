#include "fuzz.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "handlers/text.h"

namespace dormouse::fuzz {
namespace {

using Run = void (*)(std::string_view);

std::map<std::string, Run>& targets() {
    static std::map<std::string, Run> all;
    return all;
}

Run chosen() {
    const char* const name = std::getenv("DORMOUSE_FUZZ_TARGET");
    const auto found = targets().find(name == nullptr ? "" : name);
    if (found != targets().end()) return found->second;
    std::fputs("DORMOUSE_FUZZ_TARGET has to be one of", stderr);
    for (const auto& [known, run] : targets()) std::fprintf(stderr, " %s", known.c_str());
    std::fputs("\n", stderr);
    std::exit(2);
}

}  // namespace

Target::Target(const char* name, void (*run)(std::string_view bytes)) {
    targets()[name] = run;
}

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_plain(std::string_view text) {
    const auto control = [](char c) { return (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == '\x7F'; };
    return handlers::clean_text(text) == text && std::none_of(text.begin(), text.end(), control);
}

}  // namespace dormouse::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto run = dormouse::fuzz::chosen();
    run(std::string_view(reinterpret_cast<const char*>(data), size));
    return 0;
}
