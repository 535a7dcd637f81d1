// What a person reads: the words of one message, and its forms for mail, webhook and command.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alerts/notice.h"

namespace dormouse::alert_sender {

struct AlertMessage {
    std::string pool;
    alerts::Notice notice;  ///< `count` is how often since the last message
    std::string subject;    ///< one line
    std::string body;
};

/// `told_before`: when the message before this one of its kind was sent; 0: there was none.
AlertMessage compose(const std::string& pool, const alerts::Notice& notice, std::int64_t told_before);
/// {"text": …} as Slack and others take it, and the parts of the message beside it.
std::string as_json(const AlertMessage& message);
/// Source: RFC 5322, RFC 2047. With CRLF.
std::string as_mail(const AlertMessage& message, const std::string& from, const std::vector<std::string>& to);

}  // namespace dormouse::alert_sender
