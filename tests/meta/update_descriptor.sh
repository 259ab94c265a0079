#!/usr/bin/env bash
# Writes proto/tokensim_v1.descriptor.pb from the .proto files: run after adding to the schema, and
# commit the result. descriptor_compat_test says when it is needed, and what breaks clients: run the
# test first, for this overwrites what it compares with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../proto"
protoc -I . -I third_party --descriptor_set_out=tokensim_v1.descriptor.pb tokensim/v1/*.proto
