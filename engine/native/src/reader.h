// Reads the words and parameters that engine/native/encode.py writes.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "program.h"

namespace scanline {

// Affine maps as they are encoded, before their weights are packed.
struct EncodedTap {
  std::int64_t weight;  // index of the first parameter
  int up;
};

class Reader {
 public:
  Reader(const std::int64_t* words, std::int64_t num_words, const float* parameters, std::int64_t num_parameters)
      : words_(words), left_(num_words), parameters_(parameters), num_parameters_(num_parameters) {}

  std::int64_t word() {
    if (left_-- <= 0) throw std::runtime_error("the encoded program ends too early");
    return *words_++;
  }
  int number() { return static_cast<int>(word()); }

  // Parameters from `start` on; -1 stands for zeros.
  std::vector<float> vector(std::int64_t start, int size) const {
    if (start < 0) return std::vector<float>(static_cast<std::size_t>(size), 0.0f);
    const float* first = span(start, size);
    return std::vector<float>(first, first + size);
  }
  const float* span(std::int64_t start, std::int64_t size) const {
    if (start < 0 || size < 0 || start > num_parameters_ - size)
      throw std::runtime_error("the encoded program names parameters that are not there");
    return parameters_ + start;
  }
  bool at_end() const { return left_ == 0; }

 private:
  const std::int64_t* words_;
  std::int64_t left_;
  const float* parameters_;
  std::int64_t num_parameters_;
};

}  // namespace scanline
