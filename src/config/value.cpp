#include "config/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "config/document.h"
#include "config/duration.h"
#include "config/redact.h"
#include "config/size.h"
#include "config/text.h"

namespace dormouse::config {

namespace {

/// The value as a message may show it.
std::string described(const Value& value) {
    switch (value.kind) {
        case Value::Kind::text:
            return quote(value.text);
        case Value::Kind::integer:
            return std::to_string(value.integer);
        case Value::Kind::real:
        case Value::Kind::boolean:
            return value.text;
        case Value::Kind::date:
            return "a date or time";
        case Value::Kind::list:
            return "a list";
        case Value::Kind::table:
            return "a table";
    }
    return "something else";
}

tl::unexpected<Error> refused(const Key& key, const std::string& found) {
    return fail(ErrorKind::invalid, "found " + found + ", expected " + expected(key));
}

Result<Millis> to_duration(const Key& key, const Value& value) {
    if (value.kind != Value::Kind::text && value.kind != Value::Kind::integer) return refused(key, described(value));
    if (value.kind == Value::Kind::text && !key.zero.empty())
        for (const std::string_view word : {key.zero, std::string_view("never"), std::string_view("off")})
            if (trimmed(value.text) == word) return Millis{0};
    if (value.kind == Value::Kind::integer && value.integer < 0) return refused(key, described(value));
    const auto read = parse_duration(value.kind == Value::Kind::text ? value.text : std::to_string(value.integer));
    if (!read) {
        const std::string word = key.zero.empty() ? "" : ", or " + quote(key.zero);
        return fail(ErrorKind::invalid, read.error().message + word);
    }
    if (read->count() < key.min || read->count() > key.max) return refused(key, described(value));
    return *read;
}

Result<int> to_integer(const Key& key, const Value& value) {
    std::int64_t number = value.integer;
    if (value.loose) {
        const std::string_view text = trimmed(value.text);
        const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
        if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return refused(key, described(value));
    } else if (value.kind != Value::Kind::integer) {
        return refused(key, described(value));
    }
    if (number < key.min || number > key.max) return refused(key, described(value));
    return static_cast<int>(number);
}

Result<std::int64_t> to_bytes(const Key& key, const Value& value) {
    std::int64_t bytes = value.integer;
    if (value.kind == Value::Kind::text) {
        const auto read = parse_size(value.text);
        if (!read) return tl::unexpected(read.error());
        bytes = *read;
    } else if (value.kind != Value::Kind::integer) {
        return refused(key, described(value));
    }
    if (bytes < key.min || bytes > key.max) return refused(key, described(value));
    return bytes;
}

std::vector<Value> split(std::string_view text) {
    std::vector<Value> items;
    while (true) {
        const std::size_t end = std::min(text.find(','), text.size());
        items.push_back(Value::typed(trimmed(text.substr(0, end))));
        if (end == text.size()) return items;
        text.remove_prefix(end + 1);
    }
}

/// As it would stand in the file: ["a", "b"]; or a, b.
std::vector<Value> items_of(const Value& value) {
    if (!value.loose) return value.items;
    if (const std::string_view text = trimmed(value.text); text.starts_with('[') && text.ends_with(']')) {
        const auto document = parse_document("list = " + std::string(text), "");
        if (document && document->entries.size() == 1 && document->entries.front().value.kind == Value::Kind::list)
            return document->entries.front().value.items;
    }
    return split(value.text);
}

/// A path that a line of a unit can name, and that stays where it seems to be.
bool is_path(std::string_view text) {
    return text.starts_with('/') && (std::string(text) + "/").find("/../") == std::string::npos;
}

/// Whether `text` may be in a list of that type, apart from what all names have to be.
bool fits(Type type, std::string_view text) {
    if (type == Type::paths) return is_path(text);
    if (type != Type::devices) return true;
    return (text.starts_with("/dev/") && is_path(text)) || text.starts_with("char-") || text.starts_with("block-");
}

Result<std::vector<std::string>> to_list(const Key& key, const Value& value) {
    if (value.kind != Value::Kind::list && !value.loose) return refused(key, described(value));
    const bool name = key.type != Type::arguments;
    if (name && key.min == 0 && (value.loose ? value.text.empty() : value.items.empty()))
        return std::vector<std::string>{};
    const std::vector<Value> items = items_of(value);
    if (items.empty()) return refused(key, "an empty list");
    std::vector<std::string> texts;
    for (const Value& item : items) {
        if (item.kind != Value::Kind::text) return refused(key, described(item) + " in the list");
        const bool empty = item.text.empty() && (name || texts.empty());
        const bool odd = name ? !printable(item.text) || static_cast<std::int64_t>(item.text.size()) > key.max ||
                                    !fits(key.type, item.text)
                              : item.text.find('\0') != std::string::npos;
        if (empty || odd) return refused(key, described(item) + " in the list");
        if (name && std::find(texts.begin(), texts.end(), item.text) != texts.end())
            return refused(key, described(item) + " twice");
        texts.push_back(item.text);
    }
    return texts;
}

/// "http://host…". What else is wrong with it, the server says.
bool is_url(std::string_view text) {
    const std::size_t begin = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : text.size();
    return begin < text.size() && std::string_view("/?#:@").find(text[begin]) == std::string_view::npos &&
           text.find_first_of(" \"<>\\") == std::string_view::npos;
}

Result<std::string> to_text(const Key& key, const Value& value) {
    const bool secret = is_secret(key.type);
    if (value.kind != Value::Kind::text) return refused(key, secret ? "something that is not text" : described(value));
    const bool path = key.type == Type::path;
    if (!printable(value.text) || trimmed(value.text).empty() || (path && value.text.front() != '/'))
        return refused(key, secret ? "an empty text or control characters" : described(value));
    if (key.type == Type::url && !is_url(value.text)) return refused(key, "something else");
    return value.text;
}

/// Of other addresses anybody on the network could read.
bool is_loopback(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    int port = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    const bool whole = read.ec == std::errc{} && read.ptr == digits.data() + digits.size();
    return (host == "127.0.0.1" || host == "[::1]") && whole && port > 0 && port <= 65'535;
}

Result<std::string> to_listen(const Key& key, const Value& value) {
    constexpr std::size_t longest_path = 107;  // unix(7), sun_path
    if (value.kind != Value::Kind::text || !printable(value.text)) return refused(key, described(value));
    const bool path = value.text.starts_with('/') && value.text.size() <= longest_path;
    if (!path && !is_loopback(value.text)) return refused(key, described(value));
    return value.text;
}

Result<HandlerKind> to_handler(const Key& key, const Value& value) {
    if (value.kind == Value::Kind::text && value.text == "exec") return HandlerKind::exec;
    if (value.kind == Value::Kind::text && value.text == "warm") return HandlerKind::warm;
    if (value.kind == Value::Kind::text && value.text == "in_process") return HandlerKind::in_process;
    return refused(key, described(value));
}

Result<bool> to_boolean(const Key& key, const Value& value) {
    if ((value.kind == Value::Kind::boolean || value.loose) && (value.text == "true" || value.text == "false"))
        return value.text == "true";
    return refused(key, described(value));
}

Result<bool> to_promise(const Key& key, const Value& value) {
    if (value.kind == Value::Kind::text && value.text == "when_needed") return true;
    if (value.kind == Value::Kind::text && value.text == "always") return false;
    return refused(key, described(value));
}

std::string home_text(Home home) {
    return home == Home::none ? "none" : home == Home::read_only ? "read-only" : "read-write";
}

Result<Output> to_output(const Key& key, const Value& value) {
    if (value.kind == Value::Kind::text && value.text == "result") return Output::result;
    if (value.kind == Value::Kind::text && value.text == "log") return Output::log;
    if (value.kind == Value::Kind::text && value.text == "both") return Output::both;
    return refused(key, described(value));
}

Result<Home> to_home(const Key& key, const Value& value) {
    for (const Home home : {Home::none, Home::read_only, Home::read_write})
        if (value.kind == Value::Kind::text && value.text == home_text(home)) return home;
    return refused(key, described(value));
}

/// 022 without quotes is no TOML, and 22 would be decimal: digits in quotes alone.
Result<int> to_umask(const Key& key, const Value& value) {
    constexpr int octal = 8;
    constexpr int all = 0777;
    const std::string_view text = trimmed(value.text);
    int mask = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), mask, octal);
    const bool whole = read.ec == std::errc{} && read.ptr == text.data() + text.size();
    if (value.kind != Value::Kind::text || !whole || mask < 0 || mask > all) return refused(key, described(value));
    return mask;
}

std::string octal_text(int mask) {
    constexpr std::array shifts{9, 6, 3, 0};
    std::string text;
    for (const int shift : shifts) text += static_cast<char>('0' + ((mask >> shift) & 7));
    return text;
}

template <typename T>
Status put(Slot slot, Result<T> value) {
    if (!value) return tl::unexpected(std::move(value.error()));
    *std::get<T*>(slot) = std::move(*value);
    return {};
}

std::string joined(const std::vector<std::string>& texts, std::string_view between) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : std::string(between)) + text;
    return all;
}

}  // namespace

Value Value::typed(std::string_view text) {
    Value value;
    value.text = text;
    value.loose = true;
    return value;
}

std::string expected(const Key& key) {
    const std::string zero = key.zero.empty() ? "" : ", or " + quote(key.zero);
    switch (key.type) {
        case Type::duration:
            return "a duration from " + duration_text(Millis{key.min}) + " to " + duration_text(Millis{key.max}) + zero;
        case Type::integer:
            return "a whole number from " + std::to_string(key.min) + " to " + std::to_string(key.max);
        case Type::bytes:
            return "a size from " + size_text(key.min) + " to " + size_text(key.max);
        case Type::names:
            return "distinct names of 1 to " + std::to_string(key.max) +
                   R"( printable bytes, such as ["default", "mail"])";
        case Type::arguments:
            return R"(a list of texts, such as ["/usr/bin/python3", "job.py"], the first not empty)";
        case Type::path:
            return "an absolute path";
        case Type::listen:
            return R"(the path of a unix socket (107 bytes at most), or a loopback address with a port such as "127.0.0.1:9464")";
        case Type::text:
            return "one line of text";
        case Type::secret:
            return key.name == "database.url" ? R"(a connection string, such as "postgresql://user@host/dbname")"
                                              : "one line of text, which is a secret";
        case Type::url:
            return R"(a URL, such as "https://example.org/ping/ID", which is a secret)";
        case Type::handler:
            return R"("exec", "warm" or "in_process")";
        case Type::boolean:
            return "true or false";
        case Type::promise:
            return R"("always" or "when_needed")";
        case Type::output:
            return R"("result", "log" or "both")";
        case Type::name:
            return "a name of printable bytes";
        case Type::umask:
            return R"(octal digits in quotes, such as "0022")";
        case Type::paths:
            return R"(a list of distinct absolute paths without "..", such as ["/srv/out"])";
        case Type::devices:
            return R"(a list of devices, such as ["/dev/ttyS0"], or groups of them, such as ["char-drm"])";
        case Type::home:
            return R"("none", "read-only" or "read-write")";
    }
    return {};
}

Status assign(const Key& key, Slot slot, const Value& value) {
    switch (key.type) {
        case Type::duration:
            return put(slot, to_duration(key, value));
        case Type::integer:
            return put(slot, to_integer(key, value));
        case Type::bytes:
            return put(slot, to_bytes(key, value));
        case Type::names:
        case Type::arguments:
        case Type::paths:
        case Type::devices:
            return put(slot, to_list(key, value));
        case Type::path:
        case Type::text:
        case Type::secret:
        case Type::url:
            return put(slot, to_text(key, value));
        case Type::listen:
            return put(slot, to_listen(key, value));
        case Type::handler:
            return put(slot, to_handler(key, value));
        case Type::boolean:
            return put(slot, to_boolean(key, value));
        case Type::promise:
            return put(slot, to_promise(key, value));
        case Type::output:
            return put(slot, to_output(key, value));
        case Type::name:
            return put(slot, to_text(key, value));
        case Type::umask:
            return put(slot, to_umask(key, value));
        case Type::home:
            return put(slot, to_home(key, value));
    }
    return fail(ErrorKind::internal, "unknown type of key");
}

std::string shown(const Key& key, Slot slot) {
    switch (key.type) {
        case Type::duration: {
            const Millis value = *std::get<Millis*>(slot);
            return value.count() == 0 && !key.zero.empty() ? std::string(key.zero) : duration_text(value);
        }
        case Type::integer:
            return std::to_string(*std::get<int*>(slot));
        case Type::bytes:
            return size_text(*std::get<std::int64_t*>(slot));
        case Type::names:
        case Type::paths:
        case Type::devices:
            return joined(*std::get<std::vector<std::string>*>(slot), ",");
        case Type::arguments:
            return joined(*std::get<std::vector<std::string>*>(slot), " ");
        case Type::path:
        case Type::listen:
        case Type::text:
        case Type::name:
            return *std::get<std::string*>(slot);
        case Type::umask:
            return *std::get<int*>(slot) < 0 ? "" : octal_text(*std::get<int*>(slot));
        case Type::home:
            return home_text(*std::get<Home*>(slot));
        case Type::secret:
        case Type::url:
            // what else is secret is so as a whole
            return key.name == "database.url" || std::get<std::string*>(slot)->empty()
                       ? redacted(*std::get<std::string*>(slot))
                       : "***";
        case Type::handler:
            switch (*std::get<HandlerKind*>(slot)) {
                case HandlerKind::exec:
                    return "exec";
                case HandlerKind::warm:
                    return "warm";
                case HandlerKind::in_process:
                    return "in_process";
            }
            return {};
        case Type::boolean:
            return *std::get<bool*>(slot) ? "true" : "false";
        case Type::promise:
            return *std::get<bool*>(slot) ? "when_needed" : "always";
        case Type::output:
            switch (*std::get<Output*>(slot)) {
                case Output::result:
                    return "result";
                case Output::log:
                    return "log";
                case Output::both:
                    return "both";
            }
            return {};
    }
    return {};
}

}  // namespace dormouse::config
