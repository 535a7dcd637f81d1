#include "alert_sender/ways.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include "alerts/program.h"
#include "base/process.h"
#include "config/variables.h"

namespace dormouse::alert_sender {
namespace {

using Session = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

Result<std::string> secret(const std::string& value, const std::string& file, const char* whose = "of [alerts]") {
    if (file.empty()) return value;
    std::ifstream stream(file);
    std::string line;
    if (!stream || (!std::getline(stream, line) && !stream.eof()))
        return fail(ErrorKind::denied, "cannot read " + file + "; it holds a secret " + whose);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    return line;
}

std::string host_of(const std::string& url) {
    const std::size_t begin = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
    std::string host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
    return host.substr(host.find('@') == std::string::npos ? 0 : host.find('@') + 1);
}

bool is_this_host(const std::string& host) {
    return host == "localhost" || host == "127.0.0.1" || host == "::1";
}

void put_common(CURL* session, const config::Alerts& alerts, Millis within, char* error) {
    curl_easy_setopt(session, CURLOPT_NOSIGNAL, 1L);  // other threads
    curl_easy_setopt(session, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max(within, Millis{1}).count()));
    curl_easy_setopt(session, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max(within, Millis{1}).count()));
    curl_easy_setopt(session, CURLOPT_ERRORBUFFER, error);
    if (!alerts.ca_file.empty()) curl_easy_setopt(session, CURLOPT_CAINFO, alerts.ca_file.c_str());
}

std::size_t ignore(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
}

std::string reason(CURLcode code, const std::array<char, CURL_ERROR_SIZE>& text) {
    return text[0] != '\0' ? text.data() : curl_easy_strerror(code);
}

/// POST of `body`, or without one GET.
Status request(const config::Alerts& alerts, const std::string& url, const std::string* body, Millis within) {
    const Session session(curl_easy_init(), curl_easy_cleanup);
    std::array<char, CURL_ERROR_SIZE> error{};
    const List headers(curl_slist_append(nullptr, "Content-Type: application/json"), curl_slist_free_all);
    put_common(session.get(), alerts, within, error.data());
    curl_easy_setopt(session.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(session.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    if (body != nullptr) {
        curl_easy_setopt(session.get(), CURLOPT_HTTPHEADER, headers.get());
        curl_easy_setopt(session.get(), CURLOPT_POSTFIELDS, body->c_str());
        curl_easy_setopt(session.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
    }
    curl_easy_setopt(session.get(), CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(session.get(), CURLOPT_USERAGENT, "dormouse");
    const CURLcode code = curl_easy_perform(session.get());
    // curl's text may repeat a URL that it cannot read
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return fail(ErrorKind::invalid, "its URL is none of http or https");
    if (code != CURLE_OK) return fail(ErrorKind::transient, reason(code, error));
    long status = 0;
    curl_easy_getinfo(session.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) return {};
    return fail(ErrorKind::transient, "it answered HTTP " + std::to_string(status));
}

struct Unread {
    std::string_view text;
};

std::size_t read_some(char* into, std::size_t size, std::size_t count, void* from) {
    auto& unread = *static_cast<Unread*>(from);
    const std::size_t most = std::min(size * count, unread.text.size());
    std::copy_n(unread.text.data(), most, into);
    unread.text.remove_prefix(most);
    return most;
}

std::string sender_of(const config::Alerts& alerts) {
    if (!alerts.mail_from.empty()) return alerts.mail_from;
    return alerts.smtp_user.find('@') != std::string::npos ? alerts.smtp_user : alerts.mail_to.front();
}

/// "Name <a@b>" is an address in a header; the envelope has the bare one.
std::string bare(const std::string& address) {
    const std::size_t begin = address.find('<');
    if (begin == std::string::npos) return address;
    return address.substr(begin + 1, address.find('>', begin) - begin - 1);
}

Status mail(const config::Alerts& alerts, const std::string& password, const AlertMessage& message, Millis within) {
    const Session session(curl_easy_init(), curl_easy_cleanup);
    std::array<char, CURL_ERROR_SIZE> error{};
    const std::string from = sender_of(alerts);
    const std::string text = as_mail(message, from, alerts.mail_to);
    const bool tls_at_once = alerts.smtp_port == 465;
    const std::string url = (tls_at_once ? "smtps://" : "smtp://") + alerts.smtp_host + ":" +
                            std::to_string(alerts.smtp_port) + "/" + this_host();
    const bool may_go_bare = is_this_host(alerts.smtp_host) && alerts.smtp_user.empty();
    curl_slist* to = nullptr;
    for (const std::string& one : alerts.mail_to) to = curl_slist_append(to, ("<" + bare(one) + ">").c_str());
    const List recipients(to, curl_slist_free_all);
    Unread unread{text};
    put_common(session.get(), alerts, within, error.data());
    curl_easy_setopt(session.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(session.get(), CURLOPT_USE_SSL, static_cast<long>(may_go_bare ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    // A mail server on this host has a certificate of its own making, and nobody is between.
    if (may_go_bare && alerts.ca_file.empty()) curl_easy_setopt(session.get(), CURLOPT_SSL_VERIFYPEER, 0L);
    if (may_go_bare && alerts.ca_file.empty()) curl_easy_setopt(session.get(), CURLOPT_SSL_VERIFYHOST, 0L);
    if (!alerts.smtp_user.empty()) {
        curl_easy_setopt(session.get(), CURLOPT_USERNAME, alerts.smtp_user.c_str());
        curl_easy_setopt(session.get(), CURLOPT_PASSWORD, password.c_str());
    }
    curl_easy_setopt(session.get(), CURLOPT_MAIL_FROM, ("<" + bare(from) + ">").c_str());
    curl_easy_setopt(session.get(), CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(session.get(), CURLOPT_MAIL_RCPT_ALLLOWFAILS,
                     1L);  // one whom it does not know keeps it from nobody
    curl_easy_setopt(session.get(), CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(session.get(), CURLOPT_READFUNCTION, read_some);
    curl_easy_setopt(session.get(), CURLOPT_READDATA, &unread);
    const CURLcode code = curl_easy_perform(session.get());
    if (code != CURLE_OK) return fail(ErrorKind::transient, reason(code, error));
    return {};
}

/// The program says by its exit code whether it has taken it; a shell that is short says so best.
Status run(const config::Alerts& alerts, const AlertMessage& message, Millis within) {
    std::vector<std::string> command{"/bin/sh", "-c", "\"$@\" >&2 && echo taken", "sh"};
    command.insert(command.end(), alerts.command.begin(), alerts.command.end());
    std::vector<std::string> environment;
    // As a handler's: ours has the worker's secrets, and whatever runs as our account may read this one.
    for (const char* name : config::inherited_variables)
        if (const char* value = std::getenv(name); value != nullptr)
            environment.push_back(name + ("=" + std::string(value)));
    const std::string said = alerts::run_program(command, environment, as_json(message) + "\n", within);
    if (said == "taken\n") return {};
    return fail(ErrorKind::transient, alerts.command.front() + " has failed, or not ended in time");
}

}  // namespace

Status fetch(const config::Alerts& alerts, const alerts::AliveUrl& place, Millis within) {
    const auto url = secret(place.url, place.file, "(alive_url_file)");
    if (!url) return tl::unexpected(url.error());
    const Status done = request(alerts, *url, nullptr, within);
    if (done) return {};
    return fail(done.error().kind, "alive_url at " + host_of(*url) + ": " + done.error().message);
}

Result<Ways> ways_of(const config::Alerts& alerts) {
    Ways ways;
    const auto url = secret(alerts.webhook, alerts.webhook_file);
    if (!url) return tl::unexpected(url.error());
    const auto password = secret(alerts.smtp_password, alerts.smtp_password_file);
    if (!password) return tl::unexpected(password.error());
    if (!alerts.command.empty()) {
        ways.all["command"] = [&alerts](const AlertMessage& message, Millis within) {
            return run(alerts, message, within);
        };
        ways.where["command"] = "command " + alerts.command.front();
    }
    if (!url->empty()) {
        ways.all["webhook"] = [&alerts, url = *url](const AlertMessage& message, Millis within) {
            const std::string body = as_json(message);
            return request(alerts, url, &body, within);
        };
        ways.where["webhook"] = "webhook at " + host_of(*url);
    }
    if (!alerts.mail_to.empty()) {
        ways.all["mail"] = [&alerts, password = *password](const AlertMessage& message, Millis within) {
            return mail(alerts, password, message, within);
        };
        std::string to;
        for (const std::string& one : alerts.mail_to) to += (to.empty() ? "" : ", ") + one;
        ways.where["mail"] = "mail to " + to + " by " + alerts.smtp_host + ":" + std::to_string(alerts.smtp_port);
    }
    return ways;
}

}  // namespace dormouse::alert_sender
