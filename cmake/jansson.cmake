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
# Its own build asks the compiler, a start each, what is known of this one.
set(json_inline inline)
foreach(have long_long localeconv atomic_builtins sync_builtins)
    set(json_have_${have} 1)
endforeach()
set(jansson_config ${CMAKE_CURRENT_BINARY_DIR}/jansson)
configure_file(${RXPOOL_JANSSON_SOURCE}/src/jansson_config.h.in ${jansson_config}/jansson_config.h @ONLY)
file(WRITE ${jansson_config}/jansson_private_config.h "")
file(GLOB jansson_sources ${RXPOOL_JANSSON_SOURCE}/src/*.c)
add_library(jansson STATIC ${jansson_sources})
target_include_directories(jansson SYSTEM PUBLIC ${RXPOOL_JANSSON_SOURCE}/src ${jansson_config})
target_compile_options(jansson PRIVATE -w)
target_compile_definitions(jansson PRIVATE USE_WINDOWS_CRYPTOAPI INITIAL_HASHTABLE_ORDER=3)
foreach(have FCNTL_H SCHED_H STDINT_H SYS_STAT_H SYS_TIME_H SYS_TYPES_H UNISTD_H CLOSE GETPID GETTIMEOFDAY OPEN READ
             ATOMIC_BUILTINS SYNC_BUILTINS)
    target_compile_definitions(jansson PRIVATE HAVE_${have}=1)
endforeach()
