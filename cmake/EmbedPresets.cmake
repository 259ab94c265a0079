# tokensim_embed_presets(OUTPUT file.cc FOLDERS configs/models configs/hardware ...)
#   generates a C++ source with every FOLDER/*.yaml as a serialized message (engine/io/presets/embedded.h
#   declares it). A file that is added or changed is picked up by the next build: adding a preset is
#   adding a file.
function(tokensim_embed_presets)
  cmake_parse_arguments(ARG "" "OUTPUT" "FOLDERS" ${ARGN})
  list(TRANSFORM ARG_FOLDERS APPEND "/*.yaml" OUTPUT_VARIABLE patterns)
  # The only glob of the build: these are data files, and the set of them is the catalog.
  file(GLOB files CONFIGURE_DEPENDS ${patterns})
  list(SORT files)
  add_custom_command(OUTPUT ${ARG_OUTPUT}
    COMMAND tokensim_pack_presets ${ARG_OUTPUT} ${files}
    DEPENDS tokensim_pack_presets ${files}
    VERBATIM)
endfunction()
