# Where the mingw-w64 kit headers and the compiler's own headers are, for rxpool-ddk.pc. The .pc file is
# installed in any case: a kit that comes later is found in the usual place.
set(RXPOOL_KIT /usr/share/mingw-w64/include CACHE PATH "The mingw-w64 kit's include folder")
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
                OUTPUT_VARIABLE rxpool_compiler_include OUTPUT_STRIP_TRAILING_WHITESPACE)
