// One image being drawn: where it stands, and its feature rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "program.h"

namespace scanline {

// What a request asks for. Pointers may be null where the program or the request has none; they are copied from.
struct Request {
  std::uint64_t seed;
  std::uint32_t sample;
  std::uint32_t stage;
  double temperature;
  const float* context;      // [vector_size]
  const float* context_map;  // [row][column][map_size] of the maps' level
  const float* known;        // [height][width][channels]
  const std::uint8_t* mask;   // [height][width], 1 where `known` is fed
};

// A front is drawn by so many positions at a time that what passes from one operation to the next stays in the caches.
constexpr int kPositionsAtOnce = 48;

class Slot {
 public:
  Slot(const Program& program, int height, int width);

  // Forget what was drawn here and begin a new image. `tops` and `row_only` are the lane's lines, one a feature.
  void admit(const Request& request, const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only);

  // The rows that the present front goes through: row r at column front - r * slope.
  int first_row() const { return front_ < width_ ? 0 : (front_ - width_) / slope_ + 1; }
  int end_row() const { return std::min(height_, front_ / slope_ + 1); }
  int column(int row) const { return front_ - row * slope_; }

  // Prepare the feature rows for `row`, which begins.
  void begin_row(int row, const std::vector<AlignedFloats>& tops);
  // Go on to the next front; true if that ends row first_row().
  bool advance();

  // A row's table: the row itself of each feature, and the rows above it.
  float* const* lines(int row) const { return lines_.data() + row % rows_at_once_ * program_.num_lines; }
  bool is_known(int pixel) const { return !mask_.empty() && mask_[static_cast<std::size_t>(pixel)]; }
  const float* known(int pixel) const { return known_.data() + std::int64_t{pixel} * program_.channels; }

  bool is_active = false;
  std::uint64_t seed = 0;
  std::uint32_t sample = 0, stage = 0;
  double temperature = 1;

 private:
  int num_lines(const Feature& f) const;
  void allocate(const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only);
  void set_context(const Request& request);

  const Program& program_;
  int height_, width_;
  int slope_;         // pixels with equal slope * row + column are drawn together: fronts, in the order of that number
  int rows_at_once_;  // that a front may go through
  int front_ = 0;
  std::vector<float*> lines_;  // [row modulo rows_at_once_][line] of each feature: rows below, the row itself, rows above
  std::vector<AlignedFloats> memory_;  // one a feature; allocated by the first image
  std::vector<float> known_;
  std::vector<std::uint8_t> mask_;
};

// Rows of a feature with their sides outside the image filled in; and the row that stands for all above the image.
AlignedFloats make_lines(const Feature& f, int image_width, int num_lines);
AlignedFloats make_top(const Feature& f, int image_width);

}  // namespace scanline
