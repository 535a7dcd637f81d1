# libdormouse: one archive for programs of others. It is one object whose only global names are the public API's, so that
# another release of toml++ or nlohmann-json in such a program stays apart from what is compiled in here.
set(library_targets)
set(unseen dormouse_embed)
while(unseen)  # what it links, and what that links
  list(POP_FRONT unseen target)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL INTERFACE_LIBRARY OR target IN_LIST library_targets)
    continue()
  endif()
  list(APPEND library_targets ${target})
  get_target_property(linked ${target} LINK_LIBRARIES)
  list(FILTER linked INCLUDE REGEX "^dormouse_")
  list(APPEND unseen ${linked})
endwhile()
set(library_objects)
foreach(target ${library_targets})
  list(APPEND library_objects $<TARGET_OBJECTS:${target}>)
endforeach()
set(library_dir ${CMAKE_BINARY_DIR}/library)
file(MAKE_DIRECTORY ${library_dir})
file(GENERATE OUTPUT ${library_dir}/objects.rsp CONTENT "$<JOIN:${library_objects},\n>\n")
# Sections of an optimizing linker (release) are of use to the very same compiler only; the code beside them is for all.
add_custom_command(
  OUTPUT ${library_dir}/libdormouse.a
  COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${library_dir}/all.o @${library_dir}/objects.rsp
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=_ZN8dormouse6Worker* --keep-global-symbol=_ZN8dormouse3Run*
          --keep-global-symbol=_ZNK8dormouse3Run* --remove-section=.gnu.lto_* --strip-debug ${library_dir}/all.o ${library_dir}/dormouse.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${library_dir}/libdormouse.a
  COMMAND ${CMAKE_AR} qcD ${library_dir}/libdormouse.a ${library_dir}/dormouse.o
  DEPENDS ${library_targets} ${library_objects} ${library_dir}/objects.rsp
  COMMENT "Joining libdormouse.a"
  VERBATIM)
# Sanitizers do not survive the joining; tests link the parts.
if(NOT DORMOUSE_SANITIZE)
  add_custom_target(dormouse_library ALL DEPENDS ${library_dir}/libdormouse.a)
  include(CMakePackageConfigHelpers)
  include(GNUInstallDirs)
  configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/dormouseConfig.cmake.in ${library_dir}/dormouseConfig.cmake
                                INSTALL_DESTINATION lib/cmake/dormouse)
  write_basic_package_version_file(${library_dir}/dormouseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${library_dir}/libdormouse.a DESTINATION lib COMPONENT devel)
  install(FILES ${library_dir}/dormouseConfig.cmake ${library_dir}/dormouseConfigVersion.cmake DESTINATION lib/cmake/dormouse COMPONENT devel)
  install(DIRECTORY include/dormouse DESTINATION include COMPONENT devel FILES_MATCHING PATTERN "*.h")
  install(DIRECTORY examples/embed DESTINATION share/doc/dormouse/examples COMPONENT devel)
endif()

# The example in the README, linked with the parts: what the tests run.
add_executable(dormouse-example examples/embed/orders.cpp)
target_link_libraries(dormouse-example PRIVATE dormouse_embed)

# ./dev bench inprocess
add_executable(bench-inprocess-handlers EXCLUDE_FROM_ALL bench/inprocess/handlers.cpp)
target_link_libraries(bench-inprocess-handlers PRIVATE dormouse_handlers)
add_executable(bench-inprocess-worker EXCLUDE_FROM_ALL bench/inprocess/worker.cpp)
target_link_libraries(bench-inprocess-worker PRIVATE dormouse_embed)
add_executable(bench-producers-worker EXCLUDE_FROM_ALL bench/producers/worker.cpp)
target_link_libraries(bench-producers-worker PRIVATE dormouse_embed)
