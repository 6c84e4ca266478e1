#include "slot.h"

#include <algorithm>

namespace scanline {
namespace {

void fill_cells(float* first, int num_cells, const std::vector<float>& value) {
  for (int i = 0; i < num_cells; ++i, first += value.size()) std::copy(value.begin(), value.end(), first);
}

int num_lines(const Feature& f, int height) {
  if (f.storage == Storage::row_only) return 0;
  if (f.storage == Storage::image) return height;
  return f.stride() ? f.rows_above + 1 : 1;
}

}  // namespace

AlignedFloats make_lines(const Feature& f, int image_width, int num_lines) {
  const std::int64_t size = f.line_size(image_width);
  AlignedFloats lines(static_cast<std::size_t>(size * num_lines), 0.0f);
  if (!f.stride()) return lines;
  for (int i = 0; i < num_lines; ++i) {
    float* line = lines.data() + i * size;
    fill_cells(line, f.columns_left, f.left);
    fill_cells(line + size - std::int64_t{f.columns_right} * f.width, f.columns_right, f.right);
  }
  return lines;
}

AlignedFloats make_top(const Feature& f, int image_width) {
  const std::int64_t size = f.line_size(image_width);
  AlignedFloats line(static_cast<std::size_t>(size));
  fill_cells(line.data(), static_cast<int>(size / f.width), f.top);
  return line;
}

void Slot::allocate(const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only) {
  lines_.resize(static_cast<std::size_t>(program_.num_lines));
  for (std::size_t i = 0; i < program_.features.size(); ++i) {
    const Feature& f = program_.features[i];
    memory_.push_back(make_lines(f, width_, num_lines(f, height_)));
    float* only = f.storage == Storage::row_only ? row_only[i].data() : memory_[i].data();
    for (int d = 0; d <= f.rows_above; ++d)
      lines_[static_cast<std::size_t>(f.first_line + d)] = d ? const_cast<float*>(tops[i].data()) : only;
  }
}

void Slot::admit(const Request& request, const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only) {
  if (memory_.empty()) allocate(tops, row_only);
  row = column = 0;
  seed = request.seed;
  sample = request.sample;
  temperature = request.temperature;
  row_log_prob = row_drawn_log_prob = 0;
  const std::size_t pixels = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_);
  mask_.clear();
  if (request.mask) {
    mask_.assign(request.mask, request.mask + pixels);
    known_.assign(request.known, request.known + pixels * static_cast<std::size_t>(program_.channels));
  }
  set_context(request);
  is_active = true;
}

void Slot::set_context(const Request& request) {
  const float* vector = request.context;
  int map_start = 0;
  for (std::size_t i = 0; i < program_.features.size(); ++i) {
    const Feature& f = program_.features[i];
    if (f.scope == Scope::given_vector && vector) {
      std::copy(vector, vector + f.width, memory_[i].begin());
      vector += f.width;
    }
    if (f.scope == Scope::given_map && request.context_map) {
      const std::int64_t size = f.line_size(width_);
      for (int p = 0; p < height_ * width_; ++p) {
        const float* cell = request.context_map + std::int64_t{p} * program_.map_size + map_start;
        std::copy(cell, cell + f.width,
                  memory_[i].data() + p / width_ * size + (f.columns_left + p % width_) * f.width);
      }
      map_start += f.width;
    }
  }
}

void Slot::point_at_row(const std::vector<AlignedFloats>& tops) {
  for (std::size_t i = 0; i < program_.features.size(); ++i) {
    const Feature& f = program_.features[i];
    if ((f.storage != Storage::rows && f.storage != Storage::image) || row % (1 << f.level)) continue;
    const std::int64_t size = f.line_size(width_);
    const int num_lines = f.storage == Storage::image ? height_ : f.rows_above + 1;
    for (int d = 0; d <= f.rows_above; ++d) {
      const int above = (row >> f.level) - d;
      lines_[static_cast<std::size_t>(f.first_line + d)] =
          above < 0 ? const_cast<float*>(tops[i].data()) : memory_[i].data() + above % num_lines * size;
    }
  }
}

}  // namespace scanline
