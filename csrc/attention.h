// What an attention reads of one source: its real steps only.
#pragma once

#include "layer.h"

namespace unrolled {

struct Reading {
  std::size_t steps;
  Grid<const float> keys;  // by step; of one sample
  std::size_t key_size;
  const float* energy;  // null where a score is the product of query and key
  const float* values;  // (steps, value_size)
  std::size_t value_size;
};

}  // namespace unrolled
