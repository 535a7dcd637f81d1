#include "cli/text.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/utf8.h"

namespace dormouse::cli {

namespace {

int output_error = 0;  // of stdout, the last one

const char* code_of(Colour colour) {
    switch (colour) {
        case Colour::none:
            return "";
        case Colour::bold:
            return "\033[1m";
        case Colour::dim:
            return "\033[2m";
        case Colour::red:
            return "\033[31m";
        case Colour::green:
            return "\033[32m";
        case Colour::yellow:
            return "\033[33m";
        case Colour::blue:
            return "\033[34m";
    }
    return "";
}

}  // namespace

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !utf8::continues(c); }));
}

std::string cut(std::string_view text, std::size_t characters) {
    std::string harmless = escaped(text);
    if (width(harmless) <= characters) return harmless;
    std::string_view rest = harmless;
    std::string result;
    for (std::size_t i = 0; i + 1 < characters; ++i) {
        const std::size_t bytes = utf8::first_of(rest).bytes;
        result += rest.substr(0, bytes);
        rest.remove_prefix(bytes);
    }
    return result + "…";
}

bool colours_wanted() {
    static const bool wanted = [] {
        const char* const no_colour = std::getenv("NO_COLOR");
        const char* const terminal = std::getenv("TERM");
        return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
               (terminal == nullptr || std::string_view(terminal) != "dumb");
    }();
    return wanted;
}

std::string paint(Colour colour, std::string_view text) {
    if (colour == Colour::none || !colours_wanted()) return std::string(text);
    return code_of(colour) + std::string(text) + "\033[0m";
}

Colour colour_of_status(std::string_view status) {
    if (status == "completed") return Colour::green;
    if (status == "failed") return Colour::red;
    if (status == "retry") return Colour::yellow;
    if (status == "running") return Colour::blue;
    return Colour::none;
}

Table::Table(std::vector<std::string> heading) {
    std::vector<Cell> row;
    for (std::string& text : heading) row.push_back({std::move(text), Colour::dim});
    rows_.push_back(std::move(row));
}

void Table::add(std::vector<Cell> row) {
    for (Cell& cell : row) cell.text = escaped(cell.text);
    rows_.push_back(std::move(row));
}

std::string Table::text(std::string_view indent) const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
    std::string result;
    for (const auto& row : rows_) {
        result += indent;
        for (std::size_t i = 0; i < row.size(); ++i) {
            result += paint(row[i].colour, row[i].text);
            if (i + 1 < row.size()) result.append(widths[i] - width(row[i].text) + 2, ' ');
        }
        result += '\n';
    }
    return result;
}

void print(std::string_view text) {
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), stdout) < text.size()) output_error = errno != 0 ? errno : EIO;
}

void complain(std::string_view text) {
    const std::string line = "dormouse: " + escaped(text) + "\n";
    flush_stdout();
    std::fwrite(line.data(), 1, line.size(), stderr);
}

void flush_stdout() {
    if (std::fflush(stdout) != 0) output_error = errno;
}

std::string stdout_trouble() {
    flush_stdout();
    if (output_error == 0) return {};
    return output_error == EBADF ? "stdout is closed" : from_errno(output_error, "stdout cannot be written").message;
}

}  // namespace dormouse::cli
