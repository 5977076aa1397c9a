# The target jansson: this system's package; for Windows, which has none, built of its sources.
if(NOT WIN32)
    pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
    add_library(jansson ALIAS PkgConfig::JANSSON)
    return()
endif()

set(RXPOOL_JANSSON_SOURCE ${PROJECT_SOURCE_DIR}/build/sources/jansson CACHE PATH "jansson's sources")
if(NOT EXISTS "${RXPOOL_JANSSON_SOURCE}/CMakeLists.txt")
    message(FATAL_ERROR "RXPOOL_JANSSON_SOURCE: no jansson sources in '${RXPOOL_JANSSON_SOURCE}'; "
                        "./dev test unpacks them")
endif()
include(ExternalProject)
ExternalProject_Add(jansson_build
    SOURCE_DIR ${RXPOOL_JANSSON_SOURCE}
    CMAKE_ARGS -DCMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE} -DCMAKE_BUILD_TYPE=Release
               -DJANSSON_BUILD_SHARED_LIBS=OFF -DJANSSON_BUILD_DOCS=OFF -DJANSSON_EXAMPLES=OFF
               -DJANSSON_WITHOUT_TESTS=ON -DCMAKE_INSTALL_PREFIX=<INSTALL_DIR>
               -DJANSSON_INSTALL_LIB_DIR=lib
    INSTALL_DIR ${CMAKE_CURRENT_BINARY_DIR}/jansson
    BUILD_BYPRODUCTS <INSTALL_DIR>/lib/libjansson.a)
ExternalProject_Get_Property(jansson_build INSTALL_DIR)
add_library(jansson INTERFACE)
target_include_directories(jansson SYSTEM INTERFACE ${INSTALL_DIR}/include)
target_link_libraries(jansson INTERFACE ${INSTALL_DIR}/lib/libjansson.a)
add_dependencies(jansson jansson_build)
