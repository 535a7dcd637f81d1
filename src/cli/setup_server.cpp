#include "cli/setup_server.h"

#include <libpq-fe.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "cli/database.h"
#include "config/options.h"
#include "config/redact.h"
#include "postgres/hosts.h"
#include "postgres/target.h"

namespace dormouse::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* usual_directory = "/var/run/postgresql";
constexpr const char* usual_port = "5432";
constexpr const char* socket_name = ".s.PGSQL.";

std::string part(const Parts& parts, const std::string& key) {
    const auto found = parts.find(key);
    return found == parts.end() ? "" : found->second;
}

Try<Parts> parse(const std::string& url, const std::string& origin) {
    Parts parts;
    char* error = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> list(PQconninfoParse(url.c_str(), &error),
                                                                            PQconninfoFree);
    PQfreemem(error);  // it repeats the string, which may hold a password
    if (!list)
        return give_up(Exit::usage,
                       origin + ": cannot be read as a connection string; postgresql://USER@HOST/DATABASE");
    for (const PQconninfoOption* one = list.get(); one->keyword != nullptr; ++one)
        if (one->val != nullptr && *one->val != '\0') parts[one->keyword] = one->val;
    if (parts.contains("service"))
        return give_up(Exit::usage, origin +
                                        ": a service file says where the server is only to libpq; name host, user "
                                        "and database in a URL");
    return parts;
}

struct Socket {
    std::string directory;
    std::string port;
};

/// Anybody may put a socket into /tmp, or a link to one, and wait there for root.
bool is_trusted(const std::string& directory, const fs::path& path) {
    if (directory != "/tmp") return true;
    const passwd* const postgres = ::getpwnam("postgres");
    struct stat own{};
    return ::lstat(path.c_str(), &own) == 0 && S_ISSOCK(own.st_mode) &&
           (own.st_uid == 0 || own.st_uid == ::getuid() || (postgres != nullptr && own.st_uid == postgres->pw_uid));
}

/// One for each server, however many names its directory has.
std::vector<Socket> sockets() {
    std::vector<Socket> found;
    std::set<std::pair<dev_t, ino_t>> seen;
    for (const char* const directory : {usual_directory, "/run/postgresql", "/tmp"}) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(directory, ignored)) {
            const std::string name = entry.path().filename();
            const std::string port = name.starts_with(socket_name) ? name.substr(std::string(socket_name).size()) : "";
            struct stat about{};
            if (port.empty() || port.find_first_not_of("0123456789") != std::string::npos ||
                ::stat(entry.path().c_str(), &about) != 0 || !S_ISSOCK(about.st_mode) ||
                !is_trusted(directory, entry.path()))
                continue;
            if (seen.emplace(about.st_dev, about.st_ino).second) found.push_back({directory, port});
        }
    }
    return found;
}

Try<void> find_socket(Parts& parts, const config::Environment& environment) {
    const auto variable = [&](const char* name) {
        const auto found = environment.find(name);
        return found == environment.end() ? std::string() : found->second;
    };
    if (part(parts, "port").empty() && !variable("PGPORT").empty()) parts["port"] = variable("PGPORT");
    if (!variable("PGHOST").empty()) {
        parts["host"] = variable("PGHOST");
        return {};
    }
    auto found = sockets();
    if (const std::string port = part(parts, "port"); !port.empty())
        std::erase_if(found, [&](const Socket& one) { return one.port != port; });
    if (found.empty())
        return give_up(Exit::unreachable,
                       std::string("no Postgres server runs on this machine: there is no socket in ") +
                           usual_directory +
                           "; apt install postgresql (installed and without a cluster: pg_createcluster VERSION main "
                           "--start), or name one elsewhere: dormouse setup postgresql://USER@HOST/DATABASE");
    if (found.size() > 1) {
        std::string list;
        for (const Socket& one : found)
            list += (list.empty() ? "" : ", ") + ("postgresql:///DATABASE?host=" + one.directory + "&port=" + one.port);
        return give_up(Exit::usage, "several Postgres servers run on this machine; name one: dormouse setup " + list);
    }
    if (found.front().port != usual_port) parts["port"] = found.front().port;
    if (found.front().directory == "/tmp") parts["host"] = "/tmp";
    return {};
}

std::string account_name(uid_t uid) {
    const passwd* const user = ::getpwuid(uid);
    return user == nullptr ? "" : user->pw_name;
}

/// As whom root asks a server that looks at who is at the other end of its socket (peer): the login's namesake, or the
/// server's own account.
std::string account_of(const Parts& parts) {
    if (::geteuid() != 0) return {};
    const std::string user = part(parts, "user");
    if (!user.empty()) return ::getpwnam(user.c_str()) != nullptr && user != "root" ? user : "";
    const std::string directory = part(parts, "host").empty() ? usual_directory : part(parts, "host");
    const std::string port = part(parts, "port").empty() ? usual_port : part(parts, "port");
    struct stat about{};
    if (::stat((directory + "/" + socket_name + port).c_str(), &about) != 0 || about.st_uid == 0) return {};
    return account_name(about.st_uid);
}

std::string encoded(const std::string& text, std::string_view also) {
    std::string all;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view("-._~").find(c) != std::string_view::npos ||
                           also.find(c) != std::string_view::npos;
        char hex[4] = {c, 0, 0, 0};
        if (!plain) {
            hex[0] = '%';
            hex[1] = "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4];
            hex[2] = "0123456789ABCDEF"[static_cast<unsigned char>(c) & 15];
        }
        all += hex;
    }
    return all;
}

}  // namespace

Try<SetupServer> find_setup_server(const SetupOptions& options, const config::Environment& environment) {
    SetupServer server;
    server.origin = "the Postgres of this machine";
    std::string url = "postgresql://";
    if (!options.url.empty()) {
        if (config::has_password(options.url))
            return give_up(Exit::usage,
                           "a password on the command line can be seen in ps, or this cannot be read as a connection "
                           "string; leave the password out and use PGPASSWORD, DATABASE_URL or a passfile");
        url = options.url;
        server.origin = "URL";
    } else {
        for (const std::string& name : config::database_variables()) {
            const auto found = environment.find(name);
            if (found == environment.end() || found->second.empty()) continue;
            url = found->second;
            server.origin = name;
            break;
        }
    }
    auto parts = parse(url, server.origin);
    if (!parts) return tl::unexpected(parts.error());
    if (part(*parts, "host").empty() && part(*parts, "hostaddr").empty())
        if (const auto found = find_socket(*parts, environment); !found) return tl::unexpected(found.error());
    if (!options.create_database.empty()) (*parts)["dbname"] = options.create_database;
    const std::string host = part(*parts, "host");
    if (const std::string direct = postgres::direct_host_for(host); !direct.empty())
        return give_up(Exit::usage,
                       host + " is a pooler, which hands sessions around; a worker needs the server itself: " + direct);
    server.local = part(*parts, "hostaddr").empty() && (host.empty() || host.starts_with('/'));
    server.parts = std::move(*parts);
    if (server.local) server.account = account_of(server.parts);
    return server;
}

Try<postgres::BlockingConnection> connect(const SetupServer& server, const std::string& database) {
    Parts parts = server.parts;
    if (!database.empty()) parts["dbname"] = database;
    DatabaseChoice choice;
    choice.database.url = url_of(parts);
    choice.origin = server.origin;
    const AsAccount acting(server.account);
    auto opened = open_database(choice, "setup", postgres::Act::administers);
    if (!opened) return tl::unexpected(opened.error());
    return std::move(opened->connection);
}

std::string url_of(const Parts& parts) {
    Parts rest = parts;
    const auto take = [&rest](const char* key) {
        const std::string value = part(rest, key);
        rest.erase(key);
        return value;
    };
    std::string url = "postgresql://";
    const std::string user = take("user");
    const std::string password = take("password");
    if (!user.empty()) url += encoded(user, "") + (password.empty() ? "" : ":" + encoded(password, "")) + "@";
    const std::string host = part(rest, "host");
    const bool simple = !host.empty() && host.find_first_of("/,:@") == std::string::npos;
    if (simple) {
        url += encoded(take("host"), "");
        if (const std::string port = take("port"); !port.empty()) url += ":" + port;
    }
    url += "/" + encoded(take("dbname"), "");
    char separator = '?';
    for (const auto& [key, value] : rest) {
        url += separator + key + "=" + encoded(value, "/,:");
        separator = '&';
    }
    if (user.empty() && !password.empty()) url += separator + ("password=" + encoded(password, ""));
    return url;
}

std::string admin_url(const SetupServer& server, const std::string& database) {
    Parts parts = server.parts;
    parts.erase("password");
    if (!database.empty()) parts["dbname"] = database;
    return url_of(parts);
}

std::string pool_url(const SetupServer& server, const std::string& login, const std::string& passfile) {
    Parts parts = server.parts;
    for (const char* const own : {"password", "passfile", "options", "application_name", "fallback_application_name"})
        parts.erase(own);
    parts["user"] = login;
    if (!server.local) parts["passfile"] = passfile;
    return url_of(parts);
}

bool same_database(const std::string& url, const std::string& account, const std::string& other) {
    auto parts = parse(url, "");
    if (!parts) return false;
    parts->emplace("user", account);
    const std::string one = url_of(*parts);
    const auto login = [](const std::string& of) {
        auto target = postgres::parse_target(of, "");
        return target ? target->options["user"] : std::string();
    };
    return login(one) == login(other) && postgres::same_database(one, other);
}

std::string sql_name(const std::string& name) {
    const bool plain = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                       name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (plain) return name;
    std::string quoted = "\"";
    for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string as_admin(const SetupServer& server, const std::string& words) {
    return (server.account.empty() ? "" : "sudo -u " + shell_word(server.account) + " ") + words;
}

std::string psql(const SetupServer& server, const std::vector<std::string>& statements, const std::string& database) {
    std::string words = "psql " + shell_word(admin_url(server, database));
    for (const std::string& one : statements) words += " -c " + shell_word(one);
    return as_admin(server, words);
}

}  // namespace dormouse::cli
