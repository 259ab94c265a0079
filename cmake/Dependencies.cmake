# Every third-party library, found once. All come from Debian 12 packages (deploy/packages.txt).
find_package(Threads REQUIRED)
find_package(Protobuf MODULE REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
# cpp-httplib comes with pkg-config only.
find_package(PkgConfig REQUIRED)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
find_package(nlohmann_json CONFIG REQUIRED)
if(TOKENSIM_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
endif()
if(TOKENSIM_BUILD_BENCH)
  find_package(benchmark CONFIG REQUIRED)
endif()
# Debian's gRPC has no imported target for its protoc plugin.
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# The archives of the libraries that a process of ours would otherwise load as some 50 shared ones,
# which takes longer than many a command of `tokensim`. What is not installed as an archive stays
# shared.
function(tokensim_link_archive target)
  get_property(done GLOBAL PROPERTY TOKENSIM_ARCHIVES)
  if(NOT TARGET ${target} OR ${target} IN_LIST done)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY TOKENSIM_ARCHIVES ${target})
  get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
  foreach(suffix "" ${configurations})
    if(suffix)
      string(PREPEND suffix "_")
    endif()
    get_target_property(library ${target} IMPORTED_LOCATION${suffix})
    if(NOT library MATCHES "\\.so[.0-9]*$")
      continue()
    endif()
    string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive ${library})
    if(EXISTS ${archive})
      set_target_properties(${target} PROPERTIES IMPORTED_LOCATION${suffix} ${archive})
    endif()
  endforeach()
  get_target_property(needed ${target} INTERFACE_LINK_LIBRARIES)
  foreach(library IN LISTS needed)
    # OpenSSL is updated more often than we are built.
    if(NOT library MATCHES "^(OpenSSL|ZLIB)::")
      tokensim_link_archive(${library})
    endif()
  endforeach()
endfunction()

# A library that is left out here and uses one of these would bring the shared one along: two copies
# in a process (tests/meta/libraries_test.py looks for them).
option(TOKENSIM_LINK_ARCHIVES "Link gRPC, Abseil, protobuf and yaml-cpp from their archives" ON)
if(TOKENSIM_LINK_ARCHIVES)
  foreach(library gRPC::grpc++ gRPC::grpc++_reflection protobuf::libprotobuf absl::status
          absl::statusor absl::str_format absl::strings yaml-cpp)
    tokensim_link_archive(${library})
  endforeach()
endif()
