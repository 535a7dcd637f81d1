// Text for a terminal: what came from outside is made harmless, what is for people is aligned, cut and
// coloured. Used by every command; knows no run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace dormouse::cli {

/// The first `characters` of escaped text and "…" if there was more.
std::string cut(std::string_view text, std::size_t characters);

/// How many columns it takes, one for each character.
std::size_t width(std::string_view text);

enum class Colour { none, bold, dim, red, green, yellow, blue };

/// True if stdout is a terminal, NO_COLOR is not set and TERM is not dumb.
bool colours_wanted();

/// `text` in that colour if colours_wanted().
std::string paint(Colour colour, std::string_view text);

/// The colour of a run's status.
Colour colour_of_status(std::string_view status);

struct Cell {
    std::string text;  ///< escaped by the table
    Colour colour = Colour::none;
};

/// Rows in aligned columns, two spaces apart, a heading above.
class Table {
  public:
    explicit Table(std::vector<std::string> heading);
    void add(std::vector<Cell> row);
    [[nodiscard]] bool empty() const { return rows_.size() == 1; }
    [[nodiscard]] std::string text(std::string_view indent = "") const;

  private:
    std::vector<std::vector<Cell>> rows_;
};

/// To stdout. Trouble there is found at the end, by stdout_trouble().
void print(std::string_view text);
/// "dormouse: TEXT" to stderr; on one line, escaped.
void complain(std::string_view text);
/// What is printed so far goes out now.
void flush_stdout();
/// Flushes. Why something that was printed did not arrive ("stdout is closed", a full disk, a reader that has gone);
/// empty: it did.
[[nodiscard]] std::string stdout_trouble();

}  // namespace dormouse::cli
