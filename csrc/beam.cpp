#include "beam.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unrolled {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr std::size_t kNoNode = std::numeric_limits<std::size_t>::max();

// Symbols written that a beam keeps before it looks for those that nothing follows from.
constexpr std::size_t kNodesKept = 1024;

// Keeps a list of the `most` best in order; of equals the one that came first stands first.
template <class Entry, class Value>
void keep_best(std::vector<Entry>& best, std::size_t most, const Entry& entry, Value value) {
  if (best.size() == most && !(value(entry) > value(best.back()))) return;
  auto place = best.end();
  while (place != best.begin() && value(entry) > value(*(place - 1))) --place;
  if (best.size() < most) {
    best.insert(place, entry);
  } else {
    std::move_backward(place, best.end() - 1, best.end());
    *place = entry;
  }
}

float penalty(std::size_t symbols, float alpha) {
  return std::pow((5.0f + static_cast<float>(symbols)) / 6.0f, alpha);
}

}  // namespace

Beam::Beam(const SearchOptions& options, std::size_t limit, std::size_t source_steps)
    : options_(&options),
      limit_(limit),
      source_steps_(source_steps),
      worth_forgetting_(kNodesKept),
      living_{{kNoNode, 0.0f}} {}

bool Beam::advance(const DecoderRows& rows, std::size_t row, std::vector<std::size_t>& going_on) {
  if (!find_best(rows, row)) return false;
  ++written_;
  next_.clear();
  for (const Continuation& one : best_) {
    const std::size_t node = nodes_.size();
    nodes_.push_back({living_[one.place].node, one.symbol});
    if (options_->keeps_weights) {
      const float* weights = rows.weights(row + one.place);
      weights_.insert(weights_.end(), weights, weights + source_steps_);
    }
    if (one.symbol == options_->end) {
      const float score = one.log_probability / penalty(written_, options_->length_penalty);
      keep_best(ended_, options_->n_best, {score, one.log_probability, node},
                [](const Ended& other) { return other.score; });
    } else {
      next_.push_back({node, one.log_probability});
      going_on.push_back(row + one.place);
    }
  }
  living_.swap(next_);
  if (nodes_.size() >= worth_forgetting_) forget();
  return true;
}

bool Beam::is_done() const {
  if (living_.empty()) return true;
  if (ended_.size() < options_->n_best) return false;
  const float at_limit = penalty(limit_ + 1, options_->length_penalty);
  return !(living_.front().log_probability / at_limit > ended_.back().score);
}

std::vector<Hypothesis> Beam::ended() const {
  std::vector<Hypothesis> found;
  found.reserve(ended_.size());
  for (const Ended& one : ended_) found.push_back(hypothesis(one));
  return found;
}

bool Beam::find_best(const DecoderRows& rows, std::size_t row) {
  best_.clear();
  for (std::size_t place = 0; place < living_.size(); ++place) {
    const float* logits = rows.logits(row + place);
    const float before = living_[place].log_probability;
    const float all = rows.log_of_sum(row + place);
    if (std::isnan(all)) return false;
    const auto consider = [&](std::size_t symbol) {
      const float value = (logits[symbol] - all) + before;
      if (value == kNever) return;
      keep_best(best_, options_->beam_size, {value, place, static_cast<std::int64_t>(symbol)},
                [](const Continuation& one) { return one.log_probability; });
    };
    if (written_ >= limit_) {
      consider(static_cast<std::size_t>(options_->end));
      continue;
    }
    for (std::size_t symbol = 0; symbol < options_->never.size(); ++symbol) {
      if (!options_->never[symbol]) consider(symbol);
    }
  }
  return true;
}

Hypothesis Beam::hypothesis(const Ended& ended) const {
  std::vector<std::size_t> path;
  for (std::size_t node = ended.node; node != kNoNode; node = nodes_[node].before) {
    path.push_back(node);
  }
  std::ranges::reverse(path);
  Hypothesis found{{}, ended.score, ended.log_probability, {}};
  for (const std::size_t node : path) {
    found.symbols.push_back(nodes_[node].symbol);
    if (!options_->keeps_weights) continue;
    const float* weights = weights_.data() + node * source_steps_;
    found.weights.insert(found.weights.end(), weights, weights + source_steps_);
  }
  return found;
}

// Drops the nodes that no hypothesis leads back to.
void Beam::forget() {
  std::vector<bool> is_read(nodes_.size());
  const auto mark = [&](std::size_t node) {
    for (; node != kNoNode && !is_read[node]; node = nodes_[node].before) is_read[node] = true;
  };
  for (const Living& one : living_) mark(one.node);
  for (const Ended& one : ended_) mark(one.node);
  std::vector<std::size_t> place(nodes_.size());
  std::size_t kept = 0;
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    if (!is_read[node]) continue;
    const std::size_t before = nodes_[node].before;
    nodes_[kept] = {before == kNoNode ? kNoNode : place[before], nodes_[node].symbol};
    if (options_->keeps_weights && kept != node) {
      std::copy_n(weights_.data() + node * source_steps_, source_steps_,
                  weights_.data() + kept * source_steps_);
    }
    place[node] = kept++;
  }
  nodes_.resize(kept);
  if (options_->keeps_weights) weights_.resize(kept * source_steps_);
  for (Living& one : living_) one.node = place[one.node];
  for (Ended& one : ended_) one.node = place[one.node];
  worth_forgetting_ = std::max(kNodesKept, 2 * kept);
}

}  // namespace unrolled
