#include "alert_sender/message.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/process.h"
#include "base/uuid.h"

namespace dormouse::alert_sender {
namespace {

constexpr std::size_t longest_subject = 160;

std::string in_utc(std::int64_t seconds, const char* format = "%Y-%m-%d %H:%M:%S UTC") {
    const std::time_t time = seconds;
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    std::array<char, 64> text{};
    std::strftime(text.data(), text.size(), format, &parts);
    return text.data();
}

std::string one_line(std::string_view text, std::size_t most) {
    std::string line;
    for (const char c : text) line += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
    if (line.size() <= most) return line;
    line.resize(most);
    while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U) line.pop_back();
    if (!line.empty() && (static_cast<unsigned char>(line.back()) & 0x80U) != 0) line.pop_back();
    return line + "…";
}

/// What has happened, and what was or is to be done.
struct Words {
    std::string what;
    std::string well;  ///< when it is over
    std::string done;
};

Words words_for(const std::string& pool, const alerts::Notice& notice) {
    const std::string show = notice.run.empty() ? "" : "  dormouse show " + notice.run + "\n";
    if (notice.kind == "failed")
        return {"runs of task " + notice.task + " fail for good", "task " + notice.task + " completes again",
                "They are not retried automatically. To inspect the latest, and to retry once the cause is fixed:\n" +
                    show + "  dormouse retry --task " + notice.task + "\n"};
    if (notice.kind == "start")
        return {"task " + notice.task + " cannot be started", "task " + notice.task + " starts again",
                "Its runs wait and are tried again; no attempt is used up. To look at it:\n  dormouse worker --check " +
                    pool + "\n"};
    if (notice.kind == "database")
        return {"the database is lost", "the database is back",
                "The worker retries by itself, running handlers continue, and their results are kept. To check:\n  "
                "dormouse worker --check " +
                    pool + "\n"};
    if (notice.kind == "backlog")
        return {"runs wait for too long", "runs no longer wait for so long",
                "All slots may be held by long runs, or no worker executes these runs. To check:\n  dormouse status\n"};
    if (notice.kind == "lost")
        return {"runs were lost with their worker", "",
                "They were put back and are executed again. To look at it:\n  dormouse status\n"};
    if (notice.kind == "worker")
        return {"the worker has died", "the worker is well again",
                "systemd starts it again. To look at it:\n  journalctl -u dormouse@" + pool + ".service -n 100\n"};
    if (notice.kind == "others")
        return {notice.task.empty() ? "more problems than are reported one by one"
                                    : "task " + notice.task + " has more problems than are reported one by one",
                "",
                "Within an hour 10 messages of one task go, and 20 in all; of the others this one. To look at it:\n"
                "  dormouse status\n"};
    if (notice.kind == "test") return {"this is a test", "", "Nothing is wrong.\n"};
    return {"there are more kinds of problems than can be distinguished", "", "To look at it:\n  dormouse status\n"};
}

std::string base64(std::string_view text) {
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 3) {
        const auto byte = [&](std::size_t i) {
            return at + i < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i])) : 0U;
        };
        const std::uint32_t three = byte(0) << 16U | byte(1) << 8U | byte(2);
        const std::size_t have = std::min<std::size_t>(text.size() - at, 3);
        for (std::size_t i = 0; i < 4; ++i)
            out += i <= have ? digits[three >> (18U - 6U * static_cast<unsigned>(i)) & 63U] : '=';
    }
    return out;
}

/// Encoded words of 45 bytes: no line gets too long, and no byte of a header is anything but ASCII.
std::string header_text(std::string_view text) {
    const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
    if (ascii && text.size() < 60) return std::string(text);
    std::string out;
    while (!text.empty()) {
        std::size_t most = std::min<std::size_t>(text.size(), 42);
        while (most < text.size() && most > 36 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
        out += (out.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + base64(text.substr(0, most)) + "?=";
        text.remove_prefix(most);
    }
    return out;
}

std::string lines_of_76(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 76) out += text.substr(at, 76) + "\r\n";
    return out;
}

}  // namespace

AlertMessage compose(const std::string& pool, const alerts::Notice& notice, std::int64_t told_before) {
    AlertMessage message{pool, notice, "", ""};
    const Words words = words_for(pool, notice);
    const std::string& what = notice.over ? words.well : words.what;
    const bool counts = !notice.over && notice.count > 1 && notice.kind != "backlog";
    const std::string many = !counts ? "" : ", " + std::to_string(notice.count) + " like this";
    const std::string why = notice.text.empty() || notice.over ? "" : ": " + one_line(notice.text, 100);
    message.subject = one_line("[dormouse] " + pool + ": " + (notice.over ? "well again: " : "") + what + many + why,
                               longest_subject);
    std::string& body = message.body;
    body = "Pool " + pool + " on " + dormouse::this_host() + ": " + what + many + ".\n\n";
    const auto line = [&](const char* name, const std::string& value) {
        if (!value.empty()) body += std::string(name) + value + "\n";
    };
    line("Task:       ", notice.task);
    line("Error:      ", notice.over ? "" : notice.text);
    line("Latest run: ", notice.run);
    line("First seen: ", in_utc(notice.first));
    line("Last seen:  ", in_utc(notice.last));
    line("Told last:  ", told_before > 0 ? in_utc(told_before) : "");
    if (!notice.over && !words.done.empty()) body += "\n" + words.done;
    return message;
}

std::string as_json(const AlertMessage& message) {
    const alerts::Notice& notice = message.notice;
    return nlohmann::json{{"text", message.subject + "\n" + message.body},
                          {"subject", message.subject},
                          {"pool", message.pool},
                          {"kind", notice.kind},
                          {"state", notice.over ? "well" : "trouble"},
                          {"fingerprint", notice.fingerprint},
                          {"task", notice.task},
                          {"error", notice.text},
                          {"run_id", notice.run},
                          {"count", notice.count},
                          {"first_seen", in_utc(notice.first, "%Y-%m-%dT%H:%M:%SZ")},
                          {"last_seen", in_utc(notice.last, "%Y-%m-%dT%H:%M:%SZ")},
                          {"host", dormouse::this_host()}}
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string as_mail(const AlertMessage& message, const std::string& from, const std::vector<std::string>& to) {
    std::string all;
    for (const std::string& one : to) all += (all.empty() ? "" : ", ") + one_line(one, 254);
    const std::string domain = from.find('@') == std::string::npos ? "localhost" : from.substr(from.find('@') + 1);
    return "Date: " + in_utc(alerts::now_s(), "%a, %d %b %Y %H:%M:%S +0000") + "\r\nFrom: " + one_line(from, 254) +
           "\r\nTo: " + all + "\r\nSubject: " + header_text(message.subject) + "\r\nMessage-ID: <" +
           Uuid::random().to_string() + "@" + domain +
           ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: base64\r\n\r\n" +
           lines_of_76(base64(message.body));
}

}  // namespace dormouse::alert_sender
