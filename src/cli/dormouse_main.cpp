#include "base/standard_files.h"
#include "cli/parse.h"

int main(int argc, char** argv) {
    dormouse::open_standard_files();
    return dormouse::cli::run(argc, argv);
}
