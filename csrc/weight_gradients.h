// The gradients of the weights of one layer and direction: products over all rows of a stretch of
// turns.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "kernel_table.h"

namespace unrolled {

using Job = std::function<void()>;

// The rows of a stretch: gradients of the gates and what was multiplied to make them; with a
// projection also its gradients and what it projected.
struct GradientRows {
  std::vector<const float*> gates, x, h_before, projected, raw;
};

struct WeightGradients {
  const KernelTable& kernels;
  LayerSize size;
  Gradients to;
  bool add;  // to what is there

  // Jobs that can be done beside each other while the rows live.
  void append_jobs(const GradientRows& rows, std::vector<Job>& jobs) const;

  // What no row adds to.
  void clear() const;
};

}  // namespace unrolled
