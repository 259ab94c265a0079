# Compile options of our own code, and one-line helpers to declare its targets.
#
#   tokensim_library(engine_run SOURCES a.cc b.cc DEPS tokensim::engine_base)
#     static library tokensim_engine_run, alias tokensim::engine_run; includes start at the root.
#   tokensim_test(block_pool_test SOURCES block_pool_test.cc DEPS tokensim::engine_memory)
#     a GoogleTest binary, each test registered with ctest under LABELS (default: unit).

add_library(tokensim_options INTERFACE)
target_compile_features(tokensim_options INTERFACE cxx_std_20)
target_include_directories(tokensim_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tokensim_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-missing-field-initializers
  # Results must not depend on the compiler's freedom to fuse operations.
  -ffp-contract=off)
# GCC 12 warns of string concatenations and optionals that are fine (GCC bugs 105329, 80635).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(tokensim_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(TOKENSIM_WERROR)
  target_compile_options(tokensim_options INTERFACE -Werror)
endif()
# Sanitizers and coverage apply to generated code too, so they are set for the whole project.
if(TOKENSIM_SANITIZE)
  add_compile_options(-fsanitize=${TOKENSIM_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TOKENSIM_SANITIZE})
endif()
if(TOKENSIM_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

function(tokensim_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(tokensim_${name} STATIC ${ARG_SOURCES})
  add_library(tokensim::${name} ALIAS tokensim_${name})
  target_link_libraries(tokensim_${name} PUBLIC tokensim_options ${ARG_DEPS}
                                         PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

function(tokensim_test name)
  if(NOT TOKENSIM_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tokensim_options ${ARG_DEPS} GTest::gtest GTest::gmock
                                        GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${ARG_LABELS}")
endfunction()
