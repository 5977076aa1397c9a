# What lands under the prefix. docs and tests rely on these places; they do not change.
include(CMakePackageConfigHelpers)

foreach(target rxpool_shared rxpool_static)
    if(TARGET ${target})
        install(TARGETS ${target} EXPORT rxpool_targets)
    endif()
endforeach()
foreach(target rxpool_malloc rxpool)
    if(TARGET ${target})
        install(TARGETS ${target})
    endif()
endforeach()
if(TARGET rxpool_elf)
    install(TARGETS rxpool_elf DESTINATION ${CMAKE_INSTALL_LIBDIR}/rxpool)
endif()

install(DIRECTORY include/rxpool TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(DIRECTORY man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(DIRECTORY man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 FILES_MATCHING PATTERN "*.3")
install(DIRECTORY man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 FILES_MATCHING PATTERN "*.7")
install(FILES tools/pooltag.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/rxpool OPTIONAL)

# pkg-config. The prefix is found from the .pc file's own place, so that an installed tree can be moved.
file(RELATIVE_PATH rxpool_pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" rxpool_pc_prefix "${rxpool_pc_prefix}")
include(${CMAKE_CURRENT_LIST_DIR}/ddk.cmake)
foreach(module rxpool rxpool-ddk)
    configure_file(cmake/${module}.pc.in ${PROJECT_BINARY_DIR}/${module}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${module}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

set(rxpool_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rxpool)
configure_package_config_file(cmake/rxpool-config.cmake.in
                              ${PROJECT_BINARY_DIR}/rxpool-config.cmake
                              INSTALL_DESTINATION ${rxpool_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rxpool-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rxpool-config.cmake
              ${PROJECT_BINARY_DIR}/rxpool-config-version.cmake
        DESTINATION ${rxpool_package_dir})
install(EXPORT rxpool_targets NAMESPACE rxpool:: FILE rxpool-targets.cmake
        DESTINATION ${rxpool_package_dir})
