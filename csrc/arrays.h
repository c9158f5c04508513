// Arrays from Python: what a binding may be given, and how it refuses what it may not.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "layer.h"
#include "threads.h"

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

// A name is a string, or what becomes one only here.
template <class Name, class Array>
[[noreturn]] void refuse(const Name& name, const Array& array, const Dimensions& expected) {
  Dimensions found;
  for (std::size_t i = 0; i < array.ndim(); ++i) found.push_back(array.shape(i));
  const std::string shapes = " has shape " + written(found) + "; it must have " + written(expected);
  throw std::invalid_argument(std::string(name) + shapes +
                              ", its elements side by side and aligned");
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
bool is_aligned(const Array& array) {
  return reinterpret_cast<std::uintptr_t>(array.data()) % array.itemsize() == 0;
}

// What is written must have a place for each of its elements, which an expanded array has not.
template <class Array>
bool has_places(const Array& array) {
  auto taken = static_cast<std::int64_t>(array.shape(2));
  std::size_t near = 0, far = 1;
  if (std::abs(array.stride(near)) > std::abs(array.stride(far))) std::swap(near, far);
  for (const std::size_t axis : {near, far}) {
    if (array.shape(axis) < 2) continue;
    if (std::abs(array.stride(axis)) < taken) return false;
    taken += std::abs(array.stride(axis)) * static_cast<std::int64_t>(array.shape(axis) - 1);
  }
  return true;
}

template <class Name, class Array>
auto contiguous(const Name& name, const Array& array, const Dimensions& expected) {
  if (!has_shape(array, expected)) refuse(name, array, expected);
  std::int64_t stride = 1;
  if (array.size() == 0) return array.data();
  if (!is_aligned(array)) refuse(name, array, expected);
  for (std::size_t i = expected.size(); i-- > 0;) {
    if (array.shape(i) > 1 && array.stride(i) != stride) refuse(name, array, expected);
    stride *= static_cast<std::int64_t>(array.shape(i));
  }
  return array.data();
}

template <class Name, class Array>
auto contiguous(const Name& name, const std::optional<Array>& array, const Dimensions& expected) {
  return array ? contiguous(name, *array, expected) : nullptr;
}

// Of an array that may be of several types; int16 stands for the bits of bfloat16.
template <class Element, class Name>
const Element* contiguous_of(const Name& name, const Untyped& array, const Dimensions& expected) {
  if (array.dtype() != nb::dtype<Element>()) {
    const std::string text = std::string(name) + " is of another type than its precision takes";
    throw nb::type_error(text.c_str());
  }
  return static_cast<const Element*>(contiguous(name, array, expected));
}

// A copy, since nobody may change what was checked; so it need not be aligned either.
inline std::vector<std::int64_t> copied(const Lengths& numbers) {
  std::vector<std::int64_t> all(numbers.shape(0));
  if (!all.empty()) std::memcpy(all.data(), numbers.data(), all.size() * sizeof(std::int64_t));
  return all;
}

// (step, sample, size), the elements of a sample side by side.
template <class Float, class Array>
Grid<Float> grid(const char* name, const Array& array, const Dimensions& expected) {
  if (!has_shape(array, expected)) refuse(name, array, expected);
  if (array.size() == 0) return {array.data(), 0, 0};
  if (array.shape(2) > 1 && array.stride(2) != 1) refuse(name, array, expected);
  if (!is_aligned(array)) refuse(name, array, expected);
  if (!std::is_const_v<Float> && !has_places(array)) {
    throw std::invalid_argument(std::string(name) +
                                " has one place for several of its elements; it is written");
  }
  return {array.data(), array.stride(0), array.stride(1)};
}

// Where the arrays of a call lie: nothing may be written where something else is read or written.
class Places {
 public:
  template <class Array>
  void reads(const char* name, const Array& array) {
    add(name, array, false);
  }

  template <class Array>
  void writes(const char* name, const Array& array) {
    add(name, array, true);
  }

  // Arrays that interleave without an element in common are refused too; nobody needs them.
  void check() const {
    for (const Place& written : places_) {
      if (!written.is_written) continue;
      for (const Place& other : places_) {
        if (&other == &written || other.first >= written.end || written.first >= other.end) {
          continue;
        }
        throw std::invalid_argument(std::string(written.name) + " lies in the memory of " +
                                    other.name + "; give it memory of its own");
      }
    }
  }

 private:
  struct Place {
    const char* name;
    std::uintptr_t first, end;
    bool is_written;
  };

  template <class Array>
  void add(const char* name, const std::optional<Array>& array, bool is_written) {
    if (array) add(name, *array, is_written);
  }

  template <class Array>
  void add(const char* name, const std::vector<Array>& arrays, bool is_written) {
    for (const Array& array : arrays) add(name, array, is_written);
  }

  template <class... Kinds>
  void add(const char* name, const nb::ndarray<Kinds...>& array, bool is_written) {
    if (array.size() == 0) return;
    const auto data = reinterpret_cast<std::uintptr_t>(array.data());
    Place place{name, data, data + array.itemsize(), is_written};
    for (std::size_t axis = 0; axis < array.ndim(); ++axis) {
      const auto reach = static_cast<std::int64_t>(array.itemsize()) * array.stride(axis) *
                         static_cast<std::int64_t>(array.shape(axis) - 1);
      (reach < 0 ? place.first : place.end) += static_cast<std::uintptr_t>(reach);
    }
    places_.push_back(place);
  }

  std::vector<Place> places_;
};

// Sizes whose products can be counted.
inline void check_size(const char* name, std::size_t size) {
  constexpr std::size_t kMost = std::size_t{1} << 28;
  if (size > kMost) {
    throw std::invalid_argument(std::string(name) + " is " + std::to_string(size) +
                                "; it must be at most " + std::to_string(kMost));
  }
}

inline Crew crew_of(std::size_t threads) {
  constexpr std::size_t kMost = 1024;
  if (threads > kMost) {
    throw std::invalid_argument("threads are " + std::to_string(threads) +
                                "; they must be at most " + std::to_string(kMost));
  }
  return Crew(threads);
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
  throw std::invalid_argument("there is no cell '" + name +
                              "'; there are rnn_tanh, rnn_relu, gru and lstm");
}

}  // namespace unrolled
