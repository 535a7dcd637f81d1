#include "cli/when.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "config/text.h"

namespace dormouse::cli {

namespace {

/// Takes exactly `digits` digits off the front; -1 if they are not there.
int take_number(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) return -1;
    int number = 0;
    for (const char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') return -1;
        number = number * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return number;
}

bool take(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(1);
    return true;
}

/// The seconds and their fraction, if there are any. False: not what it should be.
bool take_seconds(std::string_view& text, std::tm& time, double& fraction) {
    if (!take(text, ':')) return true;
    time.tm_sec = take_number(text, 2);
    if (time.tm_sec < 0 || time.tm_sec > 59) return false;
    if (!take(text, '.')) return true;
    double unit = 0.1;
    if (text.empty() || text[0] < '0' || text[0] > '9') return false;
    for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), unit /= 10)
        fraction += unit * (text[0] - '0');
    return true;
}

/// Seconds east of Greenwich. False: no zone, and the text is no zone either unless it is empty.
bool take_zone(std::string_view& text, int& seconds) {
    if (take(text, 'Z') || take(text, 'z')) return true;
    const bool east = text.starts_with('+');
    if (!east && !text.starts_with('-')) return false;
    text.remove_prefix(1);
    const int hours = take_number(text, 2);
    take(text, ':');
    const int minutes = text.empty() ? 0 : take_number(text, 2);
    if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59) return false;
    seconds = (hours * 60 + minutes) * (east ? 60 : -60);
    return true;
}

/// Midnights and months in order, 31 February not.
bool is_date(const std::tm& time) {
    constexpr std::array days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int year = time.tm_year + 1900;
    if (time.tm_mon < 0 || time.tm_mon > 11 || year < 1970) return false;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    const int last = days.at(static_cast<std::size_t>(time.tm_mon)) + (time.tm_mon == 1 && leap ? 1 : 0);
    return time.tm_mday >= 1 && time.tm_mday <= last;
}

std::string formatted(const char* format, const std::tm& time) {
    std::array<char, 64> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), format, &time);
    return {text.data(), size};
}

}  // namespace

Result<double> parse_time(std::string_view text) {
    const auto wrong = [whole = text] {
        return fail(ErrorKind::invalid, "found " + config::quote(whole) +
                                            R"(, expected a time such as "2026-03-01 08:00" or 2026-03-01T08:00:00Z)");
    };
    std::string_view rest = config::trimmed(text);
    std::tm time{};
    double fraction = 0;
    time.tm_year = take_number(rest, 4) - 1900;
    if (!take(rest, '-')) return wrong();
    time.tm_mon = take_number(rest, 2) - 1;
    if (!take(rest, '-')) return wrong();
    time.tm_mday = take_number(rest, 2);
    if (!is_date(time)) return wrong();
    if (!take(rest, 'T') && !take(rest, 't') && !take(rest, ' ')) return wrong();
    time.tm_hour = take_number(rest, 2);
    if (!take(rest, ':')) return wrong();
    time.tm_min = take_number(rest, 2);
    if (time.tm_hour < 0 || time.tm_hour > 23 || time.tm_min < 0 || time.tm_min > 59) return wrong();
    if (!take_seconds(rest, time, fraction)) return wrong();
    rest = config::trimmed(rest);
    if (rest.empty()) {
        time.tm_isdst = -1;  // whatever is in force there then
        return static_cast<double>(std::mktime(&time)) + fraction;
    }
    int east = 0;
    if (!take_zone(rest, east) || !rest.empty()) return wrong();
    return static_cast<double>(::timegm(&time) - east) + fraction;
}

std::string length(double seconds) {
    std::array<char, 32> text{};
    const auto show = [&](const char* format, double value) {
        std::snprintf(text.data(), text.size(), format, value);
        return std::string(text.data());
    };
    if (seconds < 0.9995) return show("%.0f ms", seconds * 1000);
    if (seconds < 9.95) return show("%.1f s", seconds);
    if (seconds < 119.5) return show("%.0f s", seconds);
    if (seconds < 119.5 * 60) return show("%.0f min", seconds / 60);
    if (seconds < 47.5 * 3600) return show("%.0f h", seconds / 3600);
    return show("%.0f d", seconds / 86400);
}

std::string relative(double time, double now) {
    if (std::isinf(time)) return time > 0 ? "never" : "always";
    const double distance = std::abs(now - time);
    if (distance < 1) return "now";
    const std::string long_ = length(distance < 60 ? std::round(distance) : distance);
    const std::string whole = distance < 9.5 ? std::to_string(std::lround(distance)) + " s" : long_;
    return time <= now ? whole + " ago" : "in " + whole;
}

std::string absolute(double time) {
    if (std::isinf(time)) return time > 0 ? "infinity" : "-infinity";
    const auto seconds = static_cast<std::time_t>(std::floor(time));
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return formatted("%Y-%m-%d %H:%M:%S %z", local);
}

std::string iso(double time) {
    if (std::isinf(time)) return time > 0 ? "infinity" : "-infinity";
    const auto ms = static_cast<std::int64_t>(std::floor(time * 1000));
    const std::int64_t in_second = ((ms % 1000) + 1000) % 1000;
    const auto seconds = static_cast<std::time_t>((ms - in_second) / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(in_second));
    return formatted("%Y-%m-%dT%H:%M:%S", utc) + fraction.data();
}

}  // namespace dormouse::cli
