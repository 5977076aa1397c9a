# Cases of tests/misuse as functions, NAME_0 the correct twin and NAME_1 the misuse: many are compiled at once and
# linked into one program, since starting compilers and linkers for each would take longer than all the tests
# of them. File-level names therefore differ among cases. Lines and file names stay the case's.
set(misuse_folder ${CMAKE_CURRENT_LIST_DIR})

# cases_list(HEADER CASE...): a line CASE(NAME, "OPTIONS") for each.
function(cases_list header)
    set(list "")
    foreach(source ${ARGN})
        get_filename_component(name ${source} NAME_WE)
        file(STRINGS ${source} first LIMIT_COUNT 1)
        set(options "")
        if(first MATCHES "^/\\* options: (.*) \\*/$")
            set(options "${CMAKE_MATCH_1}")
        endif()
        string(APPEND list "CASE(${name}, \"${options}\")\n")
    endforeach()
    file(GENERATE OUTPUT ${header} CONTENT "${list}")
endfunction()

# cases_source(FILE MISUSE CASE...): a source file that is all of them, as MISUSE says.
function(cases_source file misuse)
    set(text "#define main CASE\n")
    foreach(source ${ARGN})
        get_filename_component(name ${source} NAME_WE)
        string(APPEND text "#define MISUSE ${misuse}\n#define CASE ${name}_${misuse}\n"
                           "#include \"${source}\" /* NOLINT(bugprone-suspicious-include) */\n#undef MISUSE\n#undef CASE\n")
    endforeach()
    file(GENERATE OUTPUT ${file} CONTENT "${text}")
endfunction()

# The misuse is on purpose; the report shows the file's name as the document does.
function(misuse_program program library checked)
    add_executable(${program} ${ARGN})
    target_link_libraries(${program} PRIVATE ${library})
    target_compile_options(${program} PRIVATE -w -O0 -fmacro-prefix-map=${misuse_folder}/cases/=)
    if(checked)
        target_compile_definitions(${program} PRIVATE DBG=1)
    endif()
    if(library STREQUAL "rxpool_malloc")
        target_compile_definitions(${program} PRIVATE _GNU_SOURCE)
    endif()
endfunction()

# misuse_programs(CASE...): misuse_NAME_0 and misuse_NAME_1 for each, in the current binary folder. ex_* are of
# the free build, heap_* use the drop-in, the rest is of the checked build. A program is one of many cases under
# a name of its own (a link), by which it knows what to run. Where the report shows the frames up to main, it is
# compiled by itself.
function(misuse_programs)
    foreach(kind heap ex checked)
        set(library rxpool::rxpool)
        set(checked FALSE)
        set(cases ${ARGN})
        if(kind STREQUAL "checked")
            list(FILTER cases EXCLUDE REGEX "/(heap|ex)_[^/]*$")
            set(checked TRUE)
        else()
            list(FILTER cases INCLUDE REGEX "/${kind}_[^/]*$")
        endif()
        if(kind STREQUAL "heap")
            set(library rxpool_malloc)
        endif()
        if(NOT cases)
            continue()
        endif()
        set(alone ${cases})
        list(FILTER alone INCLUDE REGEX "/(heap_|ex_)?(stacks|injected)[^/]*$")
        list(REMOVE_ITEM cases ${alone})
        foreach(source ${alone})
            get_filename_component(name ${source} NAME_WE)
            foreach(misuse 0 1)
                misuse_program(misuse_${name}_${misuse} ${library} ${checked} ${source})
                target_compile_definitions(misuse_${name}_${misuse} PRIVATE MISUSE=${misuse})
            endforeach()
        endforeach()

        set(folder ${CMAKE_CURRENT_BINARY_DIR}/${kind})
        cases_list(${folder}/cases.h ${cases})
        foreach(misuse 0 1)
            cases_source(${folder}/cases_${misuse}.c ${misuse} ${cases})
        endforeach()
        misuse_program(misuses_${kind} ${library} ${checked} ${folder}/cases_0.c ${folder}/cases_1.c
                       ${misuse_folder}/many.c)
        target_include_directories(misuses_${kind} PRIVATE ${folder})
        list(TRANSFORM cases REPLACE ".*/(.*)\\.c$" "\\1" OUTPUT_VARIABLE names)
        list(JOIN names "+" names)
        add_custom_command(TARGET misuses_${kind} POST_BUILD VERBATIM
                           COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:misuses_${kind}> -DNAMES=${names}
                                   -DSUFFIX=${CMAKE_EXECUTABLE_SUFFIX} -P ${misuse_folder}/links.cmake)
    endforeach()
endfunction()
