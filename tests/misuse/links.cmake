# Makes PROGRAM known as misuse_NAME_0 and misuse_NAME_1 for each of NAMES ("A+B+C"): other names of the same
# file, so that a report names the case's own.
get_filename_component(folder ${PROGRAM} DIRECTORY)
string(REPLACE "+" ";" names ${NAMES})
foreach(name ${names})
    foreach(misuse 0 1)
        file(CREATE_LINK ${PROGRAM} ${folder}/misuse_${name}_${misuse}${SUFFIX})
    endforeach()
endforeach()
