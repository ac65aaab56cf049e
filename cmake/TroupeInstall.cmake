# What an installation has: both libraries, the headers, a CMake package and a pkg-config file. Each is
# relocatable: an installed tree can be moved as a whole.

set(troupe_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/troupe")

# Two sets, so that a user of the shared library needs no development files of libzmq and czmq.
install(TARGETS troupe EXPORT troupeTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
)
install(TARGETS troupe_static EXPORT troupeStaticTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
)
install(EXPORT troupeTargets NAMESPACE troupe:: DESTINATION "${troupe_package_dir}")
install(EXPORT troupeStaticTargets NAMESPACE troupe:: DESTINATION "${troupe_package_dir}")

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/troupeConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/troupeConfig.cmake"
  INSTALL_DESTINATION "${troupe_package_dir}"
)
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/troupeConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion
)
install(
  FILES
    "${PROJECT_BINARY_DIR}/troupeConfig.cmake"
    "${PROJECT_BINARY_DIR}/troupeConfigVersion.cmake"
  DESTINATION "${troupe_package_dir}"
)

# The way from <libdir>/pkgconfig up to the prefix, which is longer under lib/x86_64-linux-gnu.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
  BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
  OUTPUT_VARIABLE troupe_pc_to_prefix
)
configure_file(
  "${PROJECT_SOURCE_DIR}/cmake/troupe.pc.in" "${PROJECT_BINARY_DIR}/troupe.pc" @ONLY
)
install(FILES "${PROJECT_BINARY_DIR}/troupe.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
