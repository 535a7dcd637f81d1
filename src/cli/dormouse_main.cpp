#include "cli/parse.h"

int main(int argc, char** argv) {
    return dormouse::cli::run(argc, argv);
}
