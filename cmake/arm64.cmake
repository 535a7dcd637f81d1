# A toolchain file: for arm64, with Debian's cross compiler and the libraries of that architecture beside those of this one (multiarch).
# scripts/cross.sh makes a root that has all of it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
# Runs what is built here: man pages and completions are the program's own words.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
