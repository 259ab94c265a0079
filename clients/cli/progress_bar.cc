#include "clients/cli/progress_bar.h"

#include <algorithm>
#include <iostream>

#include "clients/cli/terminal.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {
constexpr std::chrono::milliseconds kFirstDraw{150};
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kFirstEstimate{2};  // an earlier one would only jump
constexpr int kWidth = 30;
constexpr char kEraseLine[] = "\r\033[K";
// ", 40 s left", when it has gone on as it did so far.
std::string TimeLeft(double share, std::chrono::duration<double> elapsed) {
  if (share <= 0 || share >= 1 || elapsed < kFirstEstimate) return "";
  return ", " + FormatSeconds(elapsed.count() * (1 - share) / share) + " left";
}

}  // namespace

ProgressBar::ProgressBar(const TalkOptions& talk)
    : enabled_(!talk.quiet && !talk.no_progress && StderrIsTerminal()),
      start_(Clock::now()),
      next_draw_(start_ + kFirstDraw) {}

void ProgressBar::Update(double fraction, const std::string& text) {
  if (!enabled_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kRedraw;
  std::string line = kEraseLine;
  std::string left;
  if (fraction >= 0) {
    const double share = std::clamp(fraction, 0.0, 1.0);
    const auto filled = static_cast<size_t>(share * kWidth);
    line += "[" + std::string(filled, '=') + std::string(kWidth - filled, ' ') + "] " +
            std::to_string(static_cast<int>(share * 100)) + "%  ";
    left = TimeLeft(share, now - start_);
  }
  std::cerr << line << text << left << std::flush;
  drawn_ = true;
}

void ProgressBar::Update(const v1::Progress& progress) {
  if (!enabled_) return;
  Update(progress.fraction(), FormatCount(progress.requests_finished()) + " / " +
                                  FormatCount(progress.requests_total()) + " requests, " +
                                  FormatSeconds(progress.simulated_seconds()) + " simulated");
}

void ProgressBar::Erase() {
  if (drawn_) std::cerr << kEraseLine << std::flush;
  drawn_ = false;
}

}  // namespace tokensim::cli
