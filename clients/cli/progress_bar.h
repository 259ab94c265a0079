// A progress bar on stderr; nothing when stderr is no terminal.
//
//   ProgressBar bar(talk);
//   while (...) bar.Update(fraction, "900 / 2,000 requests");
//
// Shown after a moment and redrawn a few times a second, so short work shows none and Update is
// cheap. After two seconds it says how long it will still take. Erased when destroyed. Thread-safety:
// one thread at a time.
#pragma once

#include <chrono>
#include <string>

#include "clients/cli/options.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim::cli {

class ProgressBar {
 public:
  explicit ProgressBar(const TalkOptions& talk);
  ~ProgressBar() { Erase(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // fraction: 0..1; negative: not known.
  void Update(double fraction, const std::string& text);
  void Update(const v1::Progress& progress);
  // Clears the line, for other output.
  void Erase();

 private:
  using Clock = std::chrono::steady_clock;
  const bool enabled_;
  bool drawn_ = false;
  const Clock::time_point start_;
  Clock::time_point next_draw_;
};

}  // namespace tokensim::cli
