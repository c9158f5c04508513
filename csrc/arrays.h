// Arrays from Python: what a binding may be given, and how it refuses what it may not.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "layer.h"

namespace unrolled {

namespace nb = nanobind;

using In = nb::ndarray<const float, nb::device::cpu>;
using Out = nb::ndarray<float, nb::device::cpu>;
using Untyped = nb::ndarray<nb::ro, nb::device::cpu>;
using Lengths = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::device::cpu, nb::c_contig>;
using Ids = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::device::cpu>;
using Dimensions = std::vector<std::size_t>;

inline std::string written(const Dimensions& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

template <class Array>
[[noreturn]] void refuse(const std::string& name, const Array& array, const Dimensions& expected) {
  Dimensions found;
  for (std::size_t i = 0; i < array.ndim(); ++i) found.push_back(array.shape(i));
  const std::string shapes = " has shape " + written(found) + "; it must have " + written(expected);
  throw std::invalid_argument(name + shapes + ", its elements side by side");
}

template <class Array>
bool has_shape(const Array& array, const Dimensions& expected) {
  if (array.ndim() != expected.size()) return false;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (array.shape(i) != expected[i]) return false;
  }
  return true;
}

template <class Array>
auto contiguous(const std::string& name, const Array& array, const Dimensions& expected) {
  if (!has_shape(array, expected)) refuse(name, array, expected);
  std::int64_t stride = 1;
  if (array.size() == 0) return array.data();
  for (std::size_t i = expected.size(); i-- > 0;) {
    if (array.shape(i) > 1 && array.stride(i) != stride) refuse(name, array, expected);
    stride *= static_cast<std::int64_t>(array.shape(i));
  }
  return array.data();
}

template <class Array>
auto contiguous(const std::string& name, const std::optional<Array>& array,
                const Dimensions& expected) {
  return array ? contiguous(name, *array, expected) : nullptr;
}

// Of an array that may be of several types; int16 stands for the bits of bfloat16.
template <class Element>
const Element* contiguous_of(const std::string& name, const Untyped& array,
                             const Dimensions& expected) {
  if (array.dtype() != nb::dtype<Element>()) {
    throw nb::type_error((name + " is of another type than its precision takes").c_str());
  }
  return static_cast<const Element*>(contiguous(name, array, expected));
}

// (step, sample, size), the elements of a sample side by side.
template <class Float, class Array>
Grid<Float> grid(const std::string& name, const Array& array, const Dimensions& expected) {
  if (!has_shape(array, expected)) refuse(name, array, expected);
  if (array.shape(2) > 1 && array.stride(2) != 1) refuse(name, array, expected);
  return {array.data(), array.stride(0), array.stride(1)};
}

inline Precision precision_of(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "bf16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  throw std::invalid_argument("there is no precision '" + name + "'");
}

inline Cell cell_of(const std::string& name) {
  if (name == "rnn_tanh") return Cell::rnn_tanh;
  if (name == "rnn_relu") return Cell::rnn_relu;
  if (name == "gru") return Cell::gru;
  if (name == "lstm") return Cell::lstm;
  throw std::invalid_argument("there is no cell '" + name + "'");
}

}  // namespace unrolled
