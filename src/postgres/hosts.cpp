#include "postgres/hosts.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace dormouse::postgres {
namespace {

/// Neon, and those who resell it under names of their own.
constexpr std::array<std::string_view, 4> suspending{".neon.tech", ".neon.build", ".postgres.vercel-storage.com",
                                                     ".pg.koyeb.app"};

/// Lakebase: NAME.database.cloud.databricks.com, or with a region before cloud.
bool is_lakebase(std::string_view name) {
    const std::size_t at = name.find(".database.");
    return at != std::string_view::npos && at > 0 && name.substr(at).ends_with(".cloud.databricks.com");
}

}  // namespace

bool known_to_suspend(std::string_view host) {
    std::string name(host);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name.ends_with('.')) name.pop_back();
    return is_lakebase(name) || std::any_of(suspending.begin(), suspending.end(), [&](std::string_view tail) {
               return name.size() > tail.size() && name.ends_with(tail);
           });
}

std::string direct_host_for(const std::string& pooler_host) {
    const auto at = pooler_host.find("-pooler.");
    if (at != std::string::npos) return pooler_host.substr(0, at) + pooler_host.substr(at + 7);
    return {};
}

}  // namespace dormouse::postgres
