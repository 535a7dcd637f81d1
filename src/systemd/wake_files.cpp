#include "systemd/wake_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>

#include "base/crash_point.h"
#include "base/unique_fd.h"

namespace dormouse::systemd {

Status write_due_file(const std::string& runtime_directory, const std::string& pool, std::optional<Millis> due_in) {
    const std::string directory = runtime_directory + "/" + pool;
    const std::string path = directory + "/due";
    const std::string beside = directory + "/.due";
    // The directory is the handlers' too: of a FIFO that one of them has put there, the opening would wait for ever.
    if (unlink(beside.c_str()) != 0 && errno == EISDIR) rmdir(beside.c_str());
    const UniqueFd file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file.valid()) return tl::unexpected(from_errno(errno, "cannot write the due file " + beside));
    const std::string text = (due_in ? std::to_string(std::max<Millis::rep>(due_in->count(), 0)) : "none") + "\n";
    if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return tl::unexpected(from_errno(errno, "cannot write the due file " + beside));
    crash_point("due_file.written");
    if (rename(beside.c_str(), path.c_str()) != 0)
        return tl::unexpected(from_errno(errno, "cannot write the due file " + path));
    crash_point("due_file.renamed");
    return {};
}

void remove_due_file(const std::string& runtime_directory, const std::string& pool) {
    unlink((runtime_directory + "/" + pool + "/due").c_str());
}

int failures_in_a_row(const std::string& runtime_directory, const std::string& pool) {
    std::ifstream file(runtime_directory + "/" + pool + ".failures");
    std::string text;
    if (!std::getline(file, text)) return 0;
    int count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    return error == std::errc{} && end == text.data() + text.size() && count > 0 ? count : 0;
}

Millis first_connect_delay(int failures) {
    if (failures <= 2) return Millis{0};
    const int doublings = std::min(failures - 3, 9);
    return std::min(Millis{1'000} * (1 << doublings), Millis{300'000});
}

}  // namespace dormouse::systemd
