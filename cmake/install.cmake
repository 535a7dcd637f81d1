# Where an installed dormouse lies. Debian and Fedora agree on all of these; the units name /usr/bin and /usr/lib.
include(GNUInstallDirs)
install(TARGETS dormouse RUNTIME DESTINATION bin)
install(TARGETS dormouse-due dormouse-relay RUNTIME DESTINATION lib/dormouse)
install(PROGRAMS libexec/dormouse-dev DESTINATION lib/dormouse)

file(GLOB units CONFIGURE_DEPENDS units/*.target units/*.socket units/*.path units/*.mount units/*.service)
install(FILES ${units} DESTINATION lib/systemd/system)
# A static link: all pools start at boot, and enabling or disabling one of them leaves it alone.
install(CODE [[
  set(wants "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/multi-user.target.wants")
  file(MAKE_DIRECTORY "${wants}")
  file(CREATE_LINK ../dormouse.target "${wants}/dormouse.target" SYMBOLIC)]])
install(FILES units/dormouse.sysusers.conf DESTINATION lib/sysusers.d RENAME dormouse.conf)
install(FILES units/dormouse.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME dormouse.conf)
# What producers copy or import.
install(DIRECTORY clients/ DESTINATION share/dormouse/clients PATTERN __pycache__ EXCLUDE)
