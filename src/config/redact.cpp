#include "config/redact.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <optional>

namespace dormouse::config {

namespace {

constexpr std::string_view stars = "***";

/// libpq parameters whose values help a reader and hold no secret. Everything else is hidden; `options` is,
/// because a setting of the server can be one.
constexpr std::string_view harmless[] = {
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "passfile",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "service",
    "servicefile",
    "ssl",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
};

struct Redacted {
    std::string text;     ///< to print
    bool secret = false;  ///< a password was hidden, or it cannot be told
};

bool is_harmless(std::string_view key) {
    return std::find(std::begin(harmless), std::end(harmless), key) != std::end(harmless);
}

int hex_digit(char character) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto at = digits.find(static_cast<char>(std::tolower(static_cast<unsigned char>(character))));
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

/// Percent-decoded; nothing if it is malformed.
std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

/// True if the text cannot be a nested connection string, a second parameter or a terminal's escape.
bool plain(std::string_view text, std::string_view also = "") {
    return std::all_of(text.begin(), text.end(), [also](char c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return letter || std::string_view("_-./,+@~").find(c) != std::string_view::npos ||
               also.find(c) != std::string_view::npos;
    });
}

std::string shown(std::string_view text, std::string_view also = "") {
    const auto clear = decoded(text);
    return std::string(clear && plain(*clear, also) ? text : stars);
}

/// What is left of a password with a raw "@" or ":", where a host or a port should be.
bool torn(std::string_view key, std::string_view value) {
    if (key == "port") return value.find_first_not_of("0123456789,") != std::string_view::npos;
    if (key != "host" && key != "hostaddr") return false;
    for (std::size_t at = value.find('@'); at != std::string_view::npos; at = value.find('@', at + 1))
        if (at > 0 && value[at - 1] != ',') return true;  // else an abstract socket
    return false;
}

/// One parameter; `raw` is its value as it was written, `value` what libpq makes of it.
Redacted hide_parameter(std::string key, std::string_view raw, std::string_view value) {
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool name =
        !key.empty() && key.size() <= 40 && key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    if (!name) return {std::string(stars), true};
    const bool known = is_harmless(key);
    const bool clear = known && !torn(key, value) && plain(value, key == "host" || key == "hostaddr" ? ":" : "");
    return {key + "=" + std::string(clear ? raw : stars), !clear && key != "options"};
}

Redacted hide_query(std::string_view query) {
    Redacted all;
    while (true) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        const std::size_t equals = pair.find('=');
        const auto key = decoded(pair.substr(0, equals));
        const auto value = equals == std::string_view::npos ? std::nullopt : decoded(pair.substr(equals + 1));
        const Redacted one =
            key && value ? hide_parameter(*key, pair.substr(equals + 1), *value) : Redacted{std::string(stars), true};
        all.text += one.text;
        all.secret = all.secret || one.secret;
        if (end == query.size()) return all;
        all.text += '&';
        query.remove_prefix(end + 1);
    }
}

bool is_port(std::string_view text) {
    unsigned port = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size() && port <= 65535;
}

/// True for name:port, [address]:port and lists of them: a colon before anything but a port may start a
/// password.
bool is_host_list(std::string_view hosts) {
    while (true) {
        const std::size_t end = std::min(hosts.find(','), hosts.size());
        std::string_view host = hosts.substr(0, end);
        if (host.starts_with('[')) {
            const std::size_t close = host.find(']');
            if (close == std::string_view::npos || !plain(host.substr(1, close - 1), ":")) return false;
            host.remove_prefix(close + 1);
        }
        const std::size_t colon = std::min(host.find(':'), host.size());
        const auto name = decoded(host.substr(0, colon));
        if (!name || !plain(*name)) return false;
        if (colon < host.size() && colon + 1 < host.size() && !is_port(host.substr(colon + 1))) return false;
        if (end == hosts.size()) return true;
        hosts.remove_prefix(end + 1);
    }
}

/// scheme://user:password@hosts/dbname?parameters. A password that should have been percent-encoded may hold
/// any of / ? @ and :, so it is taken to go from the first colon to the last at sign of the whole text.
Redacted hide_url(std::string_view url) {
    const std::size_t start = url.find("://") + 3;
    Redacted all{std::string(url.substr(0, start))};
    if (!plain(url.substr(0, start), ":")) return {std::string(stars), true};
    std::string_view rest = url.substr(start);
    const std::size_t at = rest.rfind('@');
    if (at != std::string_view::npos) {
        const std::size_t colon = rest.find(':');
        const bool password = colon < at;
        const std::string user = shown(rest.substr(0, password ? colon : at));
        all.secret = password || user == stars;
        all.text += user + (password ? ":***@" : "@");
        rest.remove_prefix(at + 1);
    }
    const std::size_t question = std::min(rest.find('?'), rest.size());
    const std::string_view where = rest.substr(0, question);
    const std::size_t slash = std::min(where.find('/'), where.size());
    const bool hosts = is_host_list(where.substr(0, slash));
    all.text += hosts ? where.substr(0, slash) : stars;
    all.secret = all.secret || !hosts;
    if (slash < where.size()) all.text.append("/").append(shown(where.substr(slash + 1)));
    if (question == rest.size()) return all;
    const Redacted query = hide_query(rest.substr(question + 1));
    return {all.text + "?" + query.text, all.secret || query.secret};
}

/// A value of a keyword string: '…' with backslashes, or up to a space. Nothing if a quote is not closed.
std::optional<std::string> take_value(std::string_view& rest) {
    std::string value;
    const bool in_quotes = rest.starts_with('\'');
    std::size_t i = in_quotes ? 1 : 0;
    for (; i < rest.size(); ++i) {
        const char c = rest[i];
        if (in_quotes ? c == '\'' : std::isspace(static_cast<unsigned char>(c)) != 0) break;
        if (c == '\\' && ++i == rest.size()) return std::nullopt;
        value += rest[i];
    }
    if (in_quotes && i == rest.size()) return std::nullopt;
    rest.remove_prefix(in_quotes ? i + 1 : i);
    return value;
}

/// key=value pairs. What follows a mistake is not looked at: the whole text is hidden.
Redacted hide_keywords(std::string_view text) {
    constexpr std::string_view space = " \t\n\r\f\v";
    Redacted nothing{std::string(stars), true};
    Redacted all;
    std::string_view rest = text;
    while (true) {
        rest.remove_prefix(std::min(rest.find_first_not_of(space), rest.size()));
        if (rest.empty()) return all;
        const std::size_t end = rest.find_first_of(" \t\n\r\f\v=");
        if (end == std::string_view::npos) return nothing;
        const std::string key(rest.substr(0, end));
        rest.remove_prefix(std::min(rest.find_first_not_of(space, end), rest.size()));
        if (!rest.starts_with('=')) return nothing;
        rest.remove_prefix(std::min(rest.find_first_not_of(space, 1), rest.size()));
        const auto value = take_value(rest);
        if (!value) return nothing;
        const Redacted one = hide_parameter(key, *value, *value);
        if (one.text == stars) return nothing;
        all.text += (all.text.empty() ? "" : " ") + one.text;
        all.secret = all.secret || one.secret;
    }
}

Redacted hide(std::string_view url) {
    const std::size_t scheme = url.find("://");
    const bool is_url = scheme != std::string_view::npos && url.find_first_of("= \t\n'") > scheme;
    return is_url ? hide_url(url) : hide_keywords(url);
}

}  // namespace

std::string redacted(std::string_view url) {
    return hide(url).text;
}

bool has_password(std::string_view url) {
    return hide(url).secret;
}

}  // namespace dormouse::config
