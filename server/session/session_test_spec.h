// Specs for tests of the server.
#pragma once

#include <string>

#include "google/protobuf/text_format.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// `requests` requests at 20/s, an affine engine: about 100,000 requests a second of wall time.
inline v1::Spec MakeTestSpec(int64_t requests) {
  v1::Spec spec;
  google::protobuf::TextFormat::ParseFromString(R"pb(
                                                  name: "test"
                                                  model { preset: "llama2-7b" }
                                                  workers {
                                                    hardware { preset: "a100-80g" }
                                                    compute { affine { iteration_seconds: 0.01 } }
                                                  }
                                                  workload {
                                                    arrival { poisson { rate_per_second: 20 } }
                                                    lengths {
                                                      independent {
                                                        input { uniform { min: 10 max: 300 } }
                                                        output { uniform { min: 1 max: 200 } }
                                                      }
                                                    }
                                                  }
                                                  seed: 7
                                                )pb",
                                                &spec);
  spec.mutable_workload()->set_num_requests(requests);
  return spec;
}

// Takes far longer than any test waits.
inline v1::Spec MakeEndlessSpec() {
  v1::Spec spec = MakeTestSpec(10'000'000);
  spec.set_name("endless");
  // One request at a time: work per request stays, memory does not grow by much.
  spec.mutable_local_scheduler()->set_max_num_seqs(1);
  return spec;
}

}  // namespace tokensim
