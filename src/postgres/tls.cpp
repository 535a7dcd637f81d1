#include "postgres/tls.h"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>

namespace dormouse::postgres {

namespace {

bool is_remote(const Endpoint& place) {
    const std::string& name = place.address.empty() ? place.host : place.address;
    return !(name.empty() || name[0] == '/' || name[0] == '@' || name == "localhost" || name == "::1" ||
             name.starts_with("127."));
}

std::string option(const Target& target, const std::string& key) {
    const auto found = target.options.find(key);
    return found == target.options.end() ? std::string() : found->second;
}

bool libpq_knows(const std::string& keyword) {
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> all(PQconndefaults(), PQconninfoFree);
    for (const PQconninfoOption* one = all.get(); one != nullptr && one->keyword != nullptr; ++one)
        if (keyword == one->keyword) return true;
    return false;
}

}  // namespace

std::string sslmode_of(const Target& target) {
    const std::string mode = option(target, "sslmode");
    const bool remote = std::any_of(target.places.begin(), target.places.end(), is_remote);
    return remote && (mode.empty() || mode == "prefer" || mode == "allow") ? "require" : mode;
}

std::string require_auth_of(const Target& target) {
    const std::string given = option(target, "require_auth");
    if (!given.empty() || sslmode_of(target) == "verify-full" || !libpq_knows("require_auth")) return given;
    return "!password";
}

std::string unproven(const Target& target) {
    const auto remote = std::find_if(target.places.begin(), target.places.end(), is_remote);
    const std::string mode = sslmode_of(target);
    if (remote == target.places.end() || mode == "verify-full") return {};
    return "database.url: " +
           (mode == "disable"
                ? "sslmode=disable sends password and payloads to " + remote->host + " for everybody in between to read"
                : "nothing proves that the server is " + remote->host +
                      ", so an attacker in between can impersonate it") +
           "; write ?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt (or the file of its authority)";
}

std::string tls_hint(const std::string& message) {
    if (message.find("requirement \"!password\" failed") != std::string::npos)
        return "; dormouse sends no password in clear to a server that has not proven who it is: let the server ask "
               "for scram-sha-256 (pg_hba.conf), or write sslmode=verify-full, or require_auth=password where that is "
               "meant";
    if (message.find("root certificate file") != std::string::npos)
        return "; write &sslrootcert=/etc/ssl/certs/ca-certificates.crt behind sslmode=verify-full (or the file of the "
               "server's own authority; from libpq 16 on also sslrootcert=system), and leave the verification on";
    if (message.find("certificate verify failed") != std::string::npos)
        return "; the server's certificate is of no authority in sslrootcert: name the file of its own one there";
    if (message.find("SSL") == std::string::npos || message.find("required") == std::string::npos) return {};
    return "; dormouse sends nothing to another host without TLS: enable ssl on the server, or write sslmode=disable "
           "where the network is trusted";
}

}  // namespace dormouse::postgres
