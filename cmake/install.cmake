# Where an installed dormouse lies. Debian and Fedora agree on all of these; the units name /usr/bin and /usr/lib, hence the
# prefix in the presets. What packages have besides is in packaging/; packaging/files.txt is the list of all, and a test compares.
include(GNUInstallDirs)
# 711: of a program that may not be read the kernel lets nobody of its account trace the process, nor read its memory and environment, from
# its first instruction on. What the program itself says (PR_SET_DUMPABLE) comes some ten milliseconds later.
set(not_readable OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
install(TARGETS dormouse RUNTIME DESTINATION bin PERMISSIONS ${not_readable})
install(TARGETS dormouse-relay dormouse-alert RUNTIME DESTINATION lib/dormouse PERMISSIONS ${not_readable})
install(TARGETS dormouse-due RUNTIME DESTINATION lib/dormouse)
install(PROGRAMS libexec/dormouse-dev libexec/dormouse-prove DESTINATION lib/dormouse)
install(FILES libexec/dormouse-host.sh libexec/dormouse-prove.sh libexec/dormouse-prove.sql DESTINATION lib/dormouse)

file(GLOB units CONFIGURE_DEPENDS units/*.target units/*.socket units/*.path units/*.timer units/*.mount units/*.service)
install(FILES ${units} DESTINATION lib/systemd/system)
# A static link: all pools start at boot, and enabling or disabling one of them leaves it alone.
install(CODE [[
  set(wants "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/multi-user.target.wants")
  file(MAKE_DIRECTORY "${wants}")
  file(CREATE_LINK ../dormouse.target "${wants}/dormouse.target" SYMBOLIC)]])
install(FILES units/dormouse.sysusers.conf DESTINATION lib/sysusers.d RENAME dormouse.conf)
install(FILES units/dormouse.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME dormouse.conf)
install(FILES units/dormouse.sysctl.conf DESTINATION lib/sysctl.d RENAME 10-dormouse.conf)
install(FILES units/dormouse.preset DESTINATION lib/systemd/system-preset RENAME 90-dormouse.preset)

# The programs have their SQL in them; these are to be read.
install(DIRECTORY sql/ DESTINATION share/dormouse/sql FILES_MATCHING PATTERN "*.sql" PATTERN migrations EXCLUDE)
install(DIRECTORY ${CMAKE_BINARY_DIR}/generated/sql/migrations DESTINATION share/dormouse/sql)
file(GLOB pages CONFIGURE_DEPENDS docs/*.md)
install(FILES README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md DESTINATION share/doc/dormouse)
if(pages)
  install(FILES ${pages} DESTINATION share/doc/dormouse/docs)
  foreach(folder decisions design moving)
    file(GLOB pages CONFIGURE_DEPENDS docs/${folder}/*.md)
    install(FILES ${pages} DESTINATION share/doc/dormouse/docs/${folder})
  endforeach()
endif()
# The figures that pages link to.
file(GLOB pages CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} bench/*.md bench/*/*.md bench/*/*.svg)
foreach(page ${pages})
  get_filename_component(folder ${page} DIRECTORY)
  install(FILES ${page} DESTINATION share/doc/dormouse/${folder})
endforeach()
install(FILES packaging/prometheus/dormouse.rules.yml DESTINATION share/doc/dormouse/prometheus)
install(FILES packaging/grafana/dormouse.json DESTINATION share/doc/dormouse/grafana)
install(DIRECTORY DESTINATION /etc/dormouse)
file(GLOB examples CONFIGURE_DEPENDS examples/*.toml examples/*.conf)
install(FILES ${examples} DESTINATION share/doc/dormouse/examples)
file(GLOB examples CONFIGURE_DEPENDS examples/*.py examples/*.sh)
install(PROGRAMS ${examples} DESTINATION share/doc/dormouse/examples)
install(DIRECTORY examples/two-pools examples/pipeline DESTINATION share/doc/dormouse/examples)
install(FILES examples/handlers/hello.py examples/handlers/hello.mjs examples/handlers/hello.rb examples/handlers/hello.php examples/handlers/hello.go
        DESTINATION share/doc/dormouse/examples/handlers)
install(PROGRAMS examples/handlers/hello.sh DESTINATION share/doc/dormouse/examples/handlers)
# What producers copy, and what warm handlers import.
# pip wheel leaves build and *.egg-info there
install(DIRECTORY clients/ DESTINATION share/dormouse/clients PATTERN __pycache__ EXCLUDE PATTERN build EXCLUDE PATTERN "*.egg-info" EXCLUDE
        PATTERN "*.tgz" EXCLUDE)
