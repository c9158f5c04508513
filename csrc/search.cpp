#include "search.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

namespace unrolled {

namespace {

// Rows that one task decodes at first: fewer are slower as sources end, more leave a thread idle
// at the end.
constexpr std::size_t kRowsOfTask = 256;

// Lets all tasks end where they are, once the thread that called wants no more of them.
class StopRequest {
 public:
  explicit StopRequest(const std::function<bool()>& is_unwanted) : is_unwanted_(is_unwanted) {}

  bool is_made() {
    if (is_unwanted_ && std::this_thread::get_id() == caller_ && !made_ && is_unwanted_()) {
      made_ = true;
    }
    return made_.load(std::memory_order_relaxed);
  }

 private:
  const std::function<bool()>& is_unwanted_;
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<bool> made_{false};
};

// The search of one task: of its sources those that are not done, all their rows side by side.
class Search {
 public:
  Search(const AttentionDecoder& decoder, const std::vector<std::size_t>& limits,
         const SearchOptions& options, std::vector<std::size_t> sources)
      : options_(options), rows_(decoder), sources_(std::move(sources)) {
    for (const std::size_t source : sources_) {
      beams_.emplace_back(options, limits[source], decoder.length(source));
    }
  }

  // Writes the hypotheses of its sources; gives where it had to end.
  std::optional<NoProbabilities> run(std::vector<std::vector<Hypothesis>>& found,
                                     StopRequest& stop) {
    rows_.start(sources_);
    std::vector<std::size_t> of_row = sources_;
    std::vector<std::int64_t> symbols(sources_.size(), options_.begin);
    for (std::size_t step = 0; !sources_.empty() && !stop.is_made(); ++step) {
      rows_.step(of_row, symbols);
      std::vector<std::size_t> rows;
      of_row.clear();
      symbols.clear();
      std::size_t row = 0, going_on = 0;
      for (std::size_t i = 0; i < sources_.size(); ++i) {
        Beam& beam = beams_[i];
        const std::size_t source = sources_[i], living = beam.living();
        if (!beam.advance(rows_, row, rows)) return NoProbabilities{step, source};
        row += living;
        if (beam.is_done()) {
          found[source] = beam.ended();
          rows.resize(of_row.size());
          continue;
        }
        for (std::size_t place = 0; place < beam.living(); ++place) {
          of_row.push_back(source);
          symbols.push_back(beam.last_symbol(place));
        }
        if (going_on < i) {
          sources_[going_on] = source;
          beams_[going_on] = std::move(beam);
        }
        ++going_on;
      }
      rows_.select(rows);
      sources_.resize(going_on);
      beams_.erase(beams_.begin() + static_cast<std::ptrdiff_t>(going_on), beams_.end());
    }
    return std::nullopt;
  }

 private:
  const SearchOptions& options_;
  DecoderRows rows_;
  // Not done.
  std::vector<std::size_t> sources_;
  std::vector<Beam> beams_;
};

// About how many rows all steps have together, if a target is as long as its source.
std::size_t rows_expected(const AttentionDecoder& decoder, const std::vector<std::size_t>& limits,
                          std::size_t beam_size) {
  std::size_t steps = 0;
  for (std::size_t source = 0; source < limits.size(); ++source) {
    steps += std::min(limits[source], decoder.length(source)) + 1;
  }
  return steps * beam_size;
}

}  // namespace

Found search(AttentionDecoder& decoder, const std::vector<std::size_t>& limits,
             const SearchOptions& options, Crew& crew) {
  if (rows_expected(decoder, limits, options.beam_size) >= decoder.size().symbols) {
    decoder.multiply_table(crew);
  }
  const std::size_t count = limits.size();
  const std::size_t rows = count * options.beam_size;
  const std::size_t threads = std::min(crew.size(), count);
  const std::size_t each = std::max<std::size_t>(1, threads * kRowsOfTask);
  const std::size_t tasks = std::min(count, threads * ((rows + each - 1) / each));
  Found found{std::vector<std::vector<Hypothesis>>(count), std::nullopt};
  std::vector<std::optional<NoProbabilities>> failures(tasks);
  StopRequest stop(options.is_unwanted);
  const std::function<void()> ask = [&] { stop.is_made(); };
  crew.run(
      tasks,
      [&](std::size_t task) {
        std::vector<std::size_t> sources;
        for (std::size_t source = task; source < count; source += tasks) sources.push_back(source);
        failures[task] =
            Search(decoder, limits, options, std::move(sources)).run(found.hypotheses, stop);
      },
      &ask);
  for (const std::optional<NoProbabilities>& failure : failures) {
    if (failure && (!found.failure || *failure < *found.failure)) found.failure = failure;
  }
  return found;
}

}  // namespace unrolled
