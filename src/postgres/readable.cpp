#include "postgres/readable.h"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace dormouse::postgres {

namespace {

/// libpq quotes in its message what it could not read, which may be a piece of a password: nothing from the quote on.
tl::unexpected<Error> unreadable(const char* message) {
    std::string text = message == nullptr ? "" : message;
    text = text.substr(0, text.find_first_of("\"\n"));
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return fail(ErrorKind::invalid, "the connection string cannot be read" + (text.empty() ? "" : " (" + text + " …)") +
                                        "; expected postgresql://USER@HOST:PORT/DATABASE, special characters as %XX");
}

/// The rest of a password after a raw "@" or "/" is taken for a host, a port or a database.
bool torn(const std::string& url) {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string::npos) return false;
    const std::string_view rest = std::string_view(url).substr(scheme + 3);
    const std::string_view place = rest.substr(0, rest.find('?'));
    const std::size_t last = place.rfind('@');
    return last != std::string_view::npos && (place.find('@') != last || place.find('/') < last);
}

/// An "@" may only begin a host: that is an abstract socket.
bool may_be_named(std::string_view keyword, std::string_view value) {
    if (keyword == "port") return value.find_first_not_of("0123456789,") == std::string_view::npos;
    if (keyword != "host" && keyword != "hostaddr") return true;
    for (std::size_t at = value.find('@'); at != std::string_view::npos; at = value.find('@', at + 1))
        if (at > 0 && value[at - 1] != ',') return false;
    return true;
}

}  // namespace

Status readable(const std::string& url) {
    // libpq would take a string without "=" and scheme for a database's name, and "" for its defaults.
    if (url.find('=') == std::string::npos && url.find("://") == std::string::npos) return unreadable(nullptr);
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(url.c_str(), &message),
                                                                               PQconninfoFree);
    const std::unique_ptr<char, decltype(&PQfreemem)> freed(message, PQfreemem);
    if (!options || torn(url)) return unreadable(message);
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option)
        if (option->val != nullptr && !may_be_named(option->keyword, option->val)) return unreadable(nullptr);
    return {};
}

}  // namespace dormouse::postgres
