// One image being drawn: where it stands, and its feature rows.
#pragma once

#include <cstdint>
#include <vector>

#include "program.h"

namespace scanline {

// What a request asks for. Pointers may be null where the program or the request has none; they are copied from.
struct Request {
  std::uint64_t seed;
  std::uint32_t sample;
  double temperature;
  const float* context;      // [vector_size]
  const float* context_map;  // [height][width][map_size]
  const float* known;        // [height][width][channels]
  const std::uint8_t* mask;   // [height][width], 1 where `known` is fed
};

class Slot {
 public:
  Slot(const Program& program, int height, int width) : program_(program), height_(height), width_(width) {}

  // Forget what was drawn here and begin a new image. `tops` and `row_only` are the lane's lines, one a feature.
  void admit(const Request& request, const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only);

  // Turn the feature rows so that `row` is the present one.
  void point_at_row(const std::vector<AlignedFloats>& tops);

  float* at(const Access& a, int column) const {
    return lines_[static_cast<std::size_t>(a.line)] + (column >> a.level) * a.stride + a.offset;
  }
  bool is_known() const { return !mask_.empty() && mask_[static_cast<std::size_t>(row * width_ + column)]; }
  const float* known() const { return known_.data() + (row * width_ + column) * program_.channels; }

  bool is_active = false;
  int row = 0, column = 0;
  std::uint64_t seed = 0;
  std::uint32_t sample = 0;
  double temperature = 1;
  double row_log_prob = 0, row_drawn_log_prob = 0;

 private:
  void allocate(const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only);
  void set_context(const Request& request);

  const Program& program_;
  int height_, width_;
  std::vector<float*> lines_;          // [line] the present row of each feature, then the rows above it
  std::vector<AlignedFloats> memory_;  // one a feature; allocated by the first image
  std::vector<float> known_;
  std::vector<std::uint8_t> mask_;
};

// Rows of a feature with their sides outside the image filled in; and the row that stands for all above the image.
AlignedFloats make_lines(const Feature& f, int image_width, int num_lines);
AlignedFloats make_top(const Feature& f, int image_width);

}  // namespace scanline
