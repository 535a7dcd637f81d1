# Read by CPack once for each kind of package: which components there are for it. A group is a package.
if(CPACK_GENERATOR STREQUAL DEB)
  set(CPACK_COMPONENTS_ALL dormouse deb_dormouse devel deb_devel deb_python)
  set(CPACK_STRIP_FILES OFF) # what dormouse-dbgsym is made of
else()
  set(CPACK_COMPONENTS_ALL dormouse rpm_dormouse devel rpm_python)
endif()
