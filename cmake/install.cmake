# Where an installed dormouse lies. Debian and Fedora agree on all of these.
include(GNUInstallDirs)
install(TARGETS dormouse RUNTIME DESTINATION bin)
install(TARGETS dormouse-due RUNTIME DESTINATION lib/dormouse)
