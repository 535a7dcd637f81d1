#include "cli/setup_files.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "cli/account.h"

namespace dormouse::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t password_bytes = 24;

Failure why_not_made(int reason, const std::string& path) {
    Failure failure = from(from_errno(reason, path));
    if (reason == EACCES || reason == EPERM) failure.message += "; only root may write there: " + command_as_root();
    if (reason == EEXIST) failure = {Exit::config, path + ": it exists by now, and is never overwritten"};
    return failure;
}

bool write_all(int file, const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = ::write(file, text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        done += static_cast<std::size_t>(count);
    }
    return ::fsync(file) == 0;
}

bool hand_over(int file, const std::string& account, bool owned) {
    if (!acts_for_account()) return true;
    const passwd* const user = ::getpwnam(account.c_str());
    return user != nullptr && ::fchown(file, owned ? user->pw_uid : static_cast<uid_t>(-1), user->pw_gid) == 0;
}

std::string random_hex() {
    std::array<unsigned char, password_bytes> bytes{};
    std::string text;
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return text;
    for (const unsigned char one : bytes) {
        text += "0123456789abcdef"[one >> 4];
        text += "0123456789abcdef"[one & 15];
    }
    return text;
}

std::string escaped_field(const std::string& text) {
    std::string field;
    for (const char c : text) field += c == ':' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return field;
}

}  // namespace

Try<void> write_new_file(const std::string& path, const std::string& text, unsigned mode, const std::string& account,
                         bool owned) {
    const std::string hidden = path + ".new";
    const UniqueFd file(::open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.valid() && errno == EEXIST)
        return give_up(Exit::config, hidden + ": left by another setup; remove it if none is running");
    if (!file.valid()) return tl::unexpected(why_not_made(errno, hidden));
    const bool ready =
        write_all(file.get(), text) && hand_over(file.get(), account, owned) && ::fchmod(file.get(), mode) == 0;
    // a link and no renaming: that would replace what somebody has put there meanwhile
    const int reason = ready && ::link(hidden.c_str(), path.c_str()) == 0 ? 0 : errno;
    ::unlink(hidden.c_str());
    if (reason != 0) return tl::unexpected(why_not_made(reason, path));
    return {};
}

Try<void> replace_unit_file(const std::string& path, const std::string& text) {
    std::error_code failed;
    fs::create_directories(fs::path(path).parent_path(), failed);
    const std::string hidden = path + ".new";  // systemd reads *.conf alone
    {
        std::ofstream file(hidden, std::ios::trunc);
        file << text;
        file.close();
        if (failed || !file)
            return give_up(Exit::denied, hidden + " cannot be written: " + std::generic_category().message(errno));
    }
    fs::permissions(hidden, fs::perms(0644), failed);
    if (!failed) fs::rename(hidden, path, failed);
    if (failed) return give_up(Exit::denied, path + " cannot be written: " + failed.message());
    return {};
}

std::string start_of(const PassEntry& entry) {
    return escaped_field(entry.host) + ":" + entry.port + ":*:" + escaped_field(entry.login) + ":";
}

Try<std::optional<std::string>> find_password(const std::string& passfile, const PassEntry& entry) {
    std::ifstream file(passfile);
    if (!file && ::access(passfile.c_str(), F_OK) != 0) return std::nullopt;
    if (!file) return tl::unexpected(why_not_made(EACCES, passfile));
    const std::string start = start_of(entry);
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(start)) return line.substr(start.size());
    return std::nullopt;
}

Try<std::string> add_password(const std::string& passfile, const PassEntry& entry, const std::string& account) {
    const std::string password = random_hex();
    if (password.empty()) return give_up(Exit::internal, "the kernel gives no random bytes");
    const std::string line = start_of(entry) + password + "\n";
    if (::access(passfile.c_str(), F_OK) != 0) {
        if (auto written = write_new_file(passfile, line, 0600, account, true); !written)
            return tl::unexpected(written.error());
        return password;
    }
    const UniqueFd file(::open(passfile.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
    char last = '\n';
    if (file.valid() && ::lseek(file.get(), -1, SEEK_END) >= 0 && ::read(file.get(), &last, 1) < 0) last = '\n';
    if (!file.valid() || !write_all(file.get(), (last == '\n' ? "" : "\n") + line))
        return tl::unexpected(why_not_made(errno, passfile));
    return password;
}

}  // namespace dormouse::cli
