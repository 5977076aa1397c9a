# The preset mingw-km: the library for Windows kernel drivers, librxpool-km.a, of rdbss, check and the
# kernel's platform files over the kernel's own pool; example and test drivers, tried under Wine.
set(rxpool_kit /usr/x86_64-w64-mingw32/include/ddk CACHE PATH "The driver kit's include folder")
set(rxpool_src ${PROJECT_SOURCE_DIR}/src)

# How a driver is compiled: no C runtime, no floating-point or vector registers, its own sections in place.
add_library(rxpool_driver INTERFACE)
target_include_directories(rxpool_driver SYSTEM INTERFACE ${rxpool_kit})
target_include_directories(rxpool_driver INTERFACE ${PROJECT_SOURCE_DIR}/include/rxpool)
target_compile_options(rxpool_driver INTERFACE -ffreestanding -mgeneral-regs-only -fno-stack-protector
                       -fno-exceptions -fno-ident -Wno-multichar)

# What is ours holds more: every frame fits a kernel's stack.
add_library(rxpool_kernel_build INTERFACE)
target_link_libraries(rxpool_kernel_build INTERFACE rxpool_driver)
target_include_directories(rxpool_kernel_build INTERFACE ${rxpool_src})
target_compile_options(rxpool_kernel_build INTERFACE -Wall -Wextra -Werror -Wstrict-prototypes
                       -Wmissing-prototypes -Wstack-usage=512)

set(rxpool_km_sources
    base/broken.c base/damage.c base/fail.c base/frames.c base/lines.c base/options.c base/stop.c
    base/text.c
    check/block.c check/check.c check/hash/fault.c check/hash/quarantine.c check/hash/quick.c
    check/hash/registry.c check/hash/scan.c check/hash/sites_pc.c check/hash/unload.c check/leak_rows.c
    check/leaks.c check/report.c check/rules.c check/sites.c check/stacks.c check/sweep.c
    plat/ntkernel.c plat/ntkernel_break.c plat/ntkernel_cpu.c plat/ntkernel_report.c
    plat/ntkernel_verifier.c
    rdbss/override.c rdbss/rx.c rdbss/rx_names.c)
list(TRANSFORM rxpool_km_sources PREPEND ${rxpool_src}/)
add_library(rxpool_km STATIC ${rxpool_km_sources})
set_target_properties(rxpool_km PROPERTIES OUTPUT_NAME rxpool-km)
target_link_libraries(rxpool_km PRIVATE rxpool_kernel_build)
list(FILTER rxpool_km_sources EXCLUDE REGEX "ntkernel_cpu")
set_source_files_properties(${rxpool_km_sources} PROPERTIES
                            COMPILE_OPTIONS "-include;${rxpool_src}/plat/ntkernel.h")

install(TARGETS rxpool_km)
install(DIRECTORY include/rxpool TYPE INCLUDE FILES_MATCHING PATTERN "*.h")

if(BUILD_TESTING)
    add_subdirectory(tests/kernel)
endif()
