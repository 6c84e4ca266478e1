#include "slot.h"

#include <algorithm>

namespace scanline {
namespace {

void fill_cells(float* first, int num_cells, const std::vector<float>& value) {
  for (int i = 0; i < num_cells; ++i, first += value.size()) std::copy(value.begin(), value.end(), first);
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

Slot::Slot(const Program& program, int height, int width)
    : program_(program),
      height_(height),
      width_(width),
      slope_(program.front_slope ? std::min(program.front_slope, width) : width),
      rows_at_once_((width - 1) / slope_ + 1) {}

bool Slot::advance() {
  const int row = first_row();
  ++front_;
  return row < first_row();
}

int Slot::num_lines(const Feature& f) const {
  switch (f.storage) {
    case Storage::rows: return f.lines_kept;
    case Storage::image: return f.num_rows(height_);
    case Storage::vector: return 1;
    case Storage::cell: return std::min(rows_at_once_, kPositionsAtOnce);
    case Storage::row_only: return 0;
  }
  return 0;
}

void Slot::allocate(const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only) {
  lines_.resize(static_cast<std::size_t>(program_.num_lines * rows_at_once_));
  for (std::size_t i = 0; i < program_.features.size(); ++i) {
    const Feature& f = program_.features[i];
    memory_.push_back(make_lines(f, width_, num_lines(f)));
    float* only = f.storage == Storage::row_only ? row_only[i].data() : memory_[i].data();
    for (int row = 0; row < rows_at_once_; ++row)
      for (int d = -f.rows_below; d <= f.rows_above; ++d)
        lines_[static_cast<std::size_t>(row * program_.num_lines + f.first_line + d)] =
            d ? const_cast<float*>(tops[i].data()) : only;
  }
}

void Slot::admit(const Request& request, const std::vector<AlignedFloats>& tops, std::vector<AlignedFloats>& row_only) {
  if (memory_.size() < program_.features.size()) {  // also after an allocation that failed half-way
    memory_.clear();
    allocate(tops, row_only);
  }
  front_ = 0;
  seed = request.seed;
  sample = request.sample;
  stage = request.stage;
  temperature = request.temperature;
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
      const int columns = f.num_columns(width_);
      for (int p = 0; p < f.num_rows(height_) * columns; ++p) {
        const float* cell = request.context_map + std::int64_t{p} * program_.map_size + map_start;
        std::copy(cell, cell + f.width,
                  memory_[i].data() + p / columns * size + (f.columns_left + p % columns) * f.width);
      }
      map_start += f.width;
    }
  }
}

void Slot::begin_row(int row, const std::vector<AlignedFloats>& tops) {
  float** table = lines_.data() + row % rows_at_once_ * program_.num_lines;
  for (std::size_t i = 0; i < program_.features.size(); ++i) {
    const Feature& f = program_.features[i];
    if (f.storage == Storage::vector || f.storage == Storage::row_only || row % (1 << f.level)) continue;
    const std::int64_t size = f.line_size(width_);
    for (int d = -f.rows_below; d <= f.rows_above; ++d) {
      const int source = (row >> f.level) - d;
      const bool is_outside = source < 0 || source >= f.num_rows(height_);
      table[f.first_line + d] =
          is_outside ? const_cast<float*>(tops[i].data()) : memory_[i].data() + source % num_lines(f) * size;
    }
  }
}

}  // namespace scanline
