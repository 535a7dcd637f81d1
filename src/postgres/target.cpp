#include "postgres/target.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>

#include "postgres/readable.h"

namespace dormouse::postgres {
namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts(1);
    for (const char c : list) {
        if (c == ',') {
            parts.emplace_back();
        } else {
            parts.back().push_back(c);
        }
    }
    return parts;
}

std::string at(const std::vector<std::string>& list, std::size_t i) {
    return i < list.size() ? list[i] : list.size() == 1 ? list[0] : std::string();
}

void take(std::map<std::string, std::string>& into, const PQconninfoOption* list) {
    for (; list != nullptr && list->keyword != nullptr; ++list)
        if (list->val != nullptr && *list->val != '\0') into[list->keyword] = list->val;
}

/// PGSERVICE for as long as this lives: libpq reads a service file only for a service it is told of in the environment.
class ServiceInEnvironment {
  public:
    explicit ServiceInEnvironment(const std::string& name) {
        if (const char* before = std::getenv("PGSERVICE"); before != nullptr) before_ = before;
        setenv("PGSERVICE", name.c_str(), 1);
    }
    ~ServiceInEnvironment() { before_ ? setenv("PGSERVICE", before_->c_str(), 1) : unsetenv("PGSERVICE"); }
    ServiceInEnvironment(const ServiceInEnvironment&) = delete;
    ServiceInEnvironment& operator=(const ServiceInEnvironment&) = delete;

  private:
    std::optional<std::string> before_;
};

std::map<std::string, std::string> defaults() {
    std::map<std::string, std::string> all;
    const Options list(PQconndefaults(), PQconninfoFree);
    take(all, list.get());
    all.erase("service");
    return all;
}

std::string pop(std::map<std::string, std::string>& from, const std::string& key) {
    const auto found = from.find(key);
    if (found == from.end()) return {};
    std::string value = found->second;
    from.erase(found);
    return value;
}

}  // namespace

Result<Target> parse_target(const std::string& url, const std::string& passfile) {
    if (const Status right = readable(url); !right)
        return fail(right.error().kind, "database.url: " + right.error().message);
    const Options given(PQconninfoParse(url.c_str(), nullptr), PQconninfoFree);
    if (!given) return fail(ErrorKind::transient, "database.url: out of memory");
    std::map<std::string, std::string> own;
    take(own, given.get());
    Target target;
    if (const std::string service = pop(own, "service"); !service.empty()) {
        const ServiceInEnvironment named(service);
        target.options = defaults();
        const ServiceInEnvironment none("");
        // libpq says nothing about a service that it does not find.
        if (target.options == defaults())
            return fail(ErrorKind::invalid, "database.url names the service \"" + service +
                                                "\", which is in no service file (PGSERVICEFILE, ~/.pg_service.conf)");
    } else {
        target.options = defaults();
    }
    if (!passfile.empty()) target.options["passfile"] = passfile;
    for (const auto& [key, value] : own) target.options[key] = value;
    // Dead peers are found by TCP, without a statement; Kerberos encryption only when somebody asks for it.
    for (const auto& [key, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"keepalives_idle", "30"},
                                                                    {"keepalives_interval", "10"},
                                                                    {"keepalives_count", "3"},
                                                                    {"tcp_user_timeout", "30000"},
                                                                    {"gssencmode", "disable"}})
        if (!own.contains(key)) target.options[key] = value;

    const auto hosts = split(pop(target.options, "host"));
    const auto addresses = split(pop(target.options, "hostaddr"));
    const auto ports = split(pop(target.options, "port"));
    const std::size_t count = std::max(hosts.size(), addresses.size());
    for (std::size_t i = 0; i < count; ++i)
        target.places.push_back(Place{at(hosts, i), i < addresses.size() ? addresses[i] : "", at(ports, i)});
    return target;
}

bool needs_resolving(const Place& place) {
    if (!place.address.empty() || place.host.empty() || place.host[0] == '/' || place.host[0] == '@') return false;
    std::array<unsigned char, sizeof(in6_addr)> unused{};
    return inet_pton(AF_INET, place.host.c_str(), unused.data()) != 1 &&
           inet_pton(AF_INET6, place.host.c_str(), unused.data()) != 1;
}

}  // namespace dormouse::postgres
