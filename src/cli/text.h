// Text for a terminal: what came from outside is made harmless, what is for people is aligned, cut and
// coloured. Used by every command; knows no run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dormouse::cli {

/// `text` on one line that cannot drive a terminal: control characters (C0, DEL, C1), characters that turn
/// the direction of writing, line separators and bytes that are not UTF-8 become \n, \t, \xNN or \uNNNN.
std::string escaped(std::string_view text);

/// JSON that can be shown as it is: DEL and C1 inside of its strings become \uNNNN, which changes nothing of
/// its meaning. `json` is valid JSON.
std::string safe_json(std::string_view json);

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

/// To stdout. Trouble there is found at the end, by flush_stdout().
void print(std::string_view text);
/// "dormouse: TEXT" to stderr; on one line, escaped.
void complain(std::string_view text);
/// False if something written to stdout did not arrive (disk full, reader gone).
[[nodiscard]] bool flush_stdout();

}  // namespace dormouse::cli
