#include "postgres/target.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "postgres/readable.h"
#include "postgres/tls.h"

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

std::string pop(std::map<std::string, std::string>& from, const std::string& key) {
    const auto found = from.find(key);
    if (found == from.end()) return {};
    std::string value = found->second;
    from.erase(found);
    return value;
}

std::map<std::string, std::string> defaults() {
    std::map<std::string, std::string> all;
    const Options list(PQconndefaults(), PQconninfoFree);
    take(all, list.get());
    all.erase("service");
    return all;
}

/// The defaults with those of a service in a file. Only a connection has libpq read that file, so one is begun that
/// libpq refuses before it connects, by an option that is set anew below. (PGSERVICE is no way: who changes the
/// environment must be alone in the process.)
Result<std::map<std::string, std::string>> defaults_of_service(const std::string& service) {
    constexpr const char* refused_value = "none";
    const std::array<const char*, 3> names{"service", "gssencmode", nullptr};
    const std::array<const char*, 3> values{service.c_str(), refused_value, nullptr};
    const std::unique_ptr<PGconn, decltype(&PQfinish)> refused(PQconnectStartParams(names.data(), values.data(), 0),
                                                               PQfinish);
    const Options list(refused ? PQconninfo(refused.get()) : nullptr, PQconninfoFree);
    if (!list) return fail(ErrorKind::transient, "database.url: out of memory");
    std::map<std::string, std::string> all;
    take(all, list.get());
    if (pop(all, "gssencmode") != refused_value) {  // so it got no further than the service
        std::string why = PQerrorMessage(refused.get());
        while (!why.empty() && why.back() == '\n') why.pop_back();
        return fail(ErrorKind::invalid, "database.url names the service \"" + service +
                                            "\", which cannot be read (PGSERVICEFILE, ~/.pg_service.conf): " + why);
    }
    return all;
}

constexpr const char* usual_directory = "/var/run/postgresql";
constexpr const char* usual_port = "5432";

bool is_socket(const std::string& host) {
    return host.empty() || host[0] == '/' || host[0] == '@';
}

/// libpq takes the user's name where the database has none.
std::string database_of(const Target& target) {
    for (const char* const key : {"dbname", "user"})
        if (const auto found = target.options.find(key); found != target.options.end()) return found->second;
    return {};
}

std::string where(const Endpoint& place) {
    std::string host = place.address.empty() ? place.host : place.address;
    if (host == "localhost" || host == "::1" || host.starts_with("127.")) host = "localhost";
    if (host.empty()) host = usual_directory;
    std::error_code failed;
    if (host[0] == '/')
        if (const auto real = std::filesystem::weakly_canonical(host, failed); !failed) host = real.string();
    return host + " " + (place.port.empty() ? usual_port : place.port);
}

/// The servers of a list, in any order.
std::set<std::string> wheres(const Target& target) {
    std::set<std::string> all;
    for (const Endpoint& place : target.places) all.insert(where(place));
    return all;
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
        auto all = defaults_of_service(service);
        if (!all) return tl::unexpected(all.error());
        target.options = std::move(*all);
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
        target.places.push_back(Endpoint{at(hosts, i), i < addresses.size() ? addresses[i] : "", at(ports, i)});
    if (std::string mode = sslmode_of(target); !mode.empty()) target.options["sslmode"] = std::move(mode);
    if (std::string auth = require_auth_of(target); !auth.empty()) target.options["require_auth"] = std::move(auth);
    return target;
}

bool same_database(const std::string& url, const std::string& other) {
    const auto one = parse_target(url, "");
    const auto two = parse_target(other, "");
    return one && two && database_of(*one) == database_of(*two) && wheres(*one) == wheres(*two);
}

bool may_be_one_database(const std::string& url, const std::string& other) {
    const auto one = parse_target(url, "");
    const auto two = parse_target(other, "");
    const auto here = [](const Target& target) {
        return std::ranges::all_of(wheres(target), [](const std::string& where) {
            return is_socket(where) || where.starts_with("localhost ");
        });
    };
    return one && two && database_of(*one) == database_of(*two) && here(*one) && here(*two);
}

bool by_socket(const Target& target) {
    return std::all_of(target.places.begin(), target.places.end(),
                       [](const Endpoint& place) { return place.address.empty() && is_socket(place.host); });
}

std::string socket_of(const Endpoint& place) {
    return (place.host.empty() ? usual_directory : place.host) + "/.s.PGSQL." +
           (place.port.empty() ? usual_port : place.port);
}

bool says(const std::string& url, const std::string& option) {
    const Options given(PQconninfoParse(url.c_str(), nullptr), PQconninfoFree);
    std::map<std::string, std::string> own;
    take(own, given.get());
    return own.contains(option);
}

std::string with_user(const std::string& url, const std::string& user) {
    const Options given(PQconninfoParse(url.c_str(), nullptr), PQconninfoFree);
    std::map<std::string, std::string> own;
    take(own, given.get());
    own["user"] = user;
    std::string text;
    for (const auto& [key, value] : own) {
        text += key + "='";
        for (const char c : value) text += c == '\\' || c == '\'' ? std::string("\\") + c : std::string(1, c);
        text += "' ";
    }
    return text;
}

bool needs_resolving(const Endpoint& place) {
    if (!place.address.empty() || is_socket(place.host)) return false;
    std::array<unsigned char, sizeof(in6_addr)> unused{};
    return inet_pton(AF_INET, place.host.c_str(), unused.data()) != 1 &&
           inet_pton(AF_INET6, place.host.c_str(), unused.data()) != 1;
}

}  // namespace dormouse::postgres
