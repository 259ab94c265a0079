# Compile options of our own code, and one-line helpers to declare its targets.
#
#   tokensim_library(engine_run SOURCES a.cc b.cc DEPS tokensim::engine_base)
#     static library tokensim_engine_run, alias tokensim::engine_run; includes start at the root.
#   tokensim_test(block_pool_test SOURCES block_pool_test.cc DEPS tokensim::engine_memory)
#     a GoogleTest binary, each test registered with ctest under LABELS (default: unit). A test that
#     runs longer than TIMEOUT seconds (default 60) fails.
#   tokensim_test_timeout(seconds 120)
#     for other tests: sets the variable to the time-out in this build; sanitizers get ten times it.

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
  if(TOKENSIM_SANITIZE MATCHES thread)
    # protobuf's headers give every map two fields more under ThreadSanitizer (map_field.h), which
    # Debian's library, built without, does not have: messages would be laid out in two ways. So its
    # headers must not see the sanitizer. libstdc++ still does.
    add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
  endif()
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

# Time-outs end a test that hangs; they are far from what it takes, and measure nothing.
function(tokensim_test_timeout variable seconds)
  if(TOKENSIM_SANITIZE OR TOKENSIM_COVERAGE)
    math(EXPR seconds "${seconds} * 10")
  endif()
  set(${variable} ${seconds} PARENT_SCOPE)
endfunction()

# Registers the tests of a GoogleTest binary with ctest. gtest_discover_tests takes no list for a
# property: of several labels it would set the first, and a property named like the second.
function(tokensim_discover name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;ENVIRONMENT" ${ARGN})
  tokensim_test_timeout(timeout ${ARG_TIMEOUT})
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT ${timeout}
                       TEST_LIST tokensim_tests_of_${name})
  set(properties "LABELS \"${ARG_LABELS}\" TIMEOUT ${timeout}")
  if(ARG_ENVIRONMENT)
    string(APPEND properties " ENVIRONMENT \"${ARG_ENVIRONMENT}\"")
  endif()
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT
"foreach(test IN LISTS tokensim_tests_of_@name@)
  set_tests_properties(\"\${test}\" PROPERTIES @properties@)
endforeach()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${file})
endfunction()

function(tokensim_test name)
  if(NOT TOKENSIM_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tokensim_options ${ARG_DEPS} GTest::gtest GTest::gmock
                                        GTest::gtest_main)
  if(TOKENSIM_SANITIZE OR TOKENSIM_COVERAGE)
    target_compile_definitions(${name} PRIVATE TOKENSIM_INSTRUMENTED)  # engine/base/test_cases.h
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  tokensim_discover(${name} TIMEOUT ${ARG_TIMEOUT} LABELS ${ARG_LABELS})
endfunction()
