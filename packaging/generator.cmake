# Read by CPack once for each kind of package: what all have, and the component of its own.
string(TOLOWER ${CPACK_GENERATOR} kind)
list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
list(APPEND CPACK_INSTALL_CMAKE_PROJECTS "${build};dormouse;${kind};/")
