#include "handlers/environment_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace dormouse::handlers {

namespace {

constexpr std::size_t limit_bytes = 64U << 10U;
constexpr std::string_view blanks = " \t\r";
constexpr std::string_view reserved = "DORMOUSE_";

bool is_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (name.empty() || digit(name.front())) return false;
    return std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

/// One pass over the text; knows where it is.
class Parser {
  public:
    Parser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

    Result<Variables> run() {
        while (skip_to_assignment()) {
            if (auto done = assignment(); !done) return tl::unexpected(done.error());
        }
        return std::move(found_);
    }
    [[nodiscard]] const std::string& doubtful() const { return doubtful_; }

  private:
    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    [[nodiscard]] char here() const { return text_[at_]; }

    char take() {
        const char c = text_[at_++];
        if (c == '\n') ++line_;
        return c;
    }

    [[nodiscard]] tl::unexpected<Error> complain(int line, const std::string& what) const {
        return fail(ErrorKind::invalid, name_ + ":" + std::to_string(line) + ": " + what);
    }

    /// Passes blank lines and comments; false at the end.
    bool skip_to_assignment() {
        while (!at_end()) {
            if (here() == '\n' || blanks.find(here()) != std::string_view::npos) {
                take();
            } else if (here() == '#' || here() == ';') {
                while (!at_end() && here() != '\n') take();
            } else {
                return true;
            }
        }
        return false;
    }

    Status assignment() {
        const int line = line_;
        std::string name;
        while (!at_end() && here() != '=' && here() != '\n') name += take();
        if (at_end() || here() == '\n') return complain(line, "expected NAME=VALUE");
        take();
        name.erase(name.find_last_not_of(blanks) + 1);
        constexpr std::string_view exported = "export ";  // of a file that shells read, too
        if (name.starts_with(exported))
            name.erase(0, std::min(name.find_first_not_of(blanks, exported.size()), name.size()));
        if (!is_name(name)) return complain(line, "a name is made of letters, digits and _, and starts with no digit");
        if (name.starts_with(reserved))
            return complain(line, name + ": names with DORMOUSE_ are set by dormouse itself");
        std::string value;
        in_doubt_ = false;
        if (!read_value(value)) return complain(line, name + ": a quote is not closed");
        if (in_doubt_ && doubtful_.empty())
            doubtful_ = name_ + ":" + std::to_string(line) + ": " + name +
                        R"(: " #" and what follows is part of the value; a comment is a line of its own, and a value )"
                        "that has a # is clearer in quotes";
        std::erase_if(found_, [&name](const auto& entry) { return entry.first == name; });
        found_.emplace_back(std::move(name), std::move(value));
        return {};
    }

    /// Up to the end of the line, quoted and bare pieces joined; false when a quote stays open.
    bool read_value(std::string& value) {
        std::size_t keep = 0;  // blanks before this were quoted
        while (!at_end() && blanks.find(here()) != std::string_view::npos) take();
        while (!at_end() && here() != '\n') {
            const char c = take();
            if (c == '\'' || c == '"') {
                if (!quoted(c, value)) return false;
                keep = value.size();
            } else if (c == '\\' && !at_end()) {
                const char next = take();
                if (next != '\n') value += next;
                keep = value.size();
            } else {
                in_doubt_ =
                    in_doubt_ || (c == '#' && !value.empty() && blanks.find(value.back()) != std::string_view::npos);
                value += c;
            }
        }
        while (value.size() > keep && blanks.find(value.back()) != std::string_view::npos) value.pop_back();
        return true;
    }

    bool quoted(char quote, std::string& value) {
        while (!at_end()) {
            const char c = take();
            if (c == quote) return true;
            if (c != '\\' || quote == '\'' || at_end()) {
                value += c;
                continue;
            }
            const char next = take();
            if (next == '\n') continue;
            if (std::string_view("\"\\`$").find(next) == std::string_view::npos) value += c;
            value += next;
        }
        return false;
    }

    std::string_view text_;
    const std::string& name_;
    std::size_t at_ = 0;
    int line_ = 1;
    bool in_doubt_ = false;
    std::string doubtful_;
    Variables found_;
};

}  // namespace

Result<Variables> parse_environment(std::string_view text, const std::string& name) {
    if (text.size() > limit_bytes) return fail(ErrorKind::invalid, name + ": larger than 64 KiB");
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
        return fail(ErrorKind::invalid, name + ":" + std::to_string(line) + ": a NUL byte");
    }
    return Parser(text, name).run();
}

namespace {

Result<std::string> text_of_file(const std::string& path) {
    const std::string what = "environment file " + path;
    // Not blocking, so that a FIFO in its place cannot hold the worker up.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat about{};
    if (!fd.valid() || ::fstat(fd.get(), &about) != 0) return tl::unexpected(from_errno(errno, what));
    if (!S_ISREG(about.st_mode)) return fail(ErrorKind::invalid, what + ": not a regular file");
    std::string text;
    std::array<char, 4096> chunk{};
    while (text.size() <= limit_bytes) {
        const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
        if (got < 0) return tl::unexpected(from_errno(errno, what));
        if (got == 0) break;
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
}

}  // namespace

Result<Variables> read_environment_file(const std::string& path) {
    const auto text = text_of_file(path);
    return text ? parse_environment(*text, path) : tl::unexpected(text.error());
}

std::string doubtful_in_environment(std::string_view text, const std::string& name) {
    Parser parser(text, name);
    (void)parser.run();
    return parser.doubtful();
}

std::string doubtful_in_environment_file(const std::string& path) {
    const auto text = path.empty() ? Result<std::string>(std::string()) : text_of_file(path);
    return text ? doubtful_in_environment(*text, path) : std::string();
}

}  // namespace dormouse::handlers
