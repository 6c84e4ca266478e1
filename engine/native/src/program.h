// A step program as the interpreter runs it: operations with their places in memory and packed weights. Read-only once
// built, so any number of lanes and threads share one.
#pragma once

#include <cstdint>
#include <vector>

#include "aligned.h"
#include "kernels.h"

namespace scanline {

enum class Scope : std::int64_t { map, vector, given_map, given_vector };
enum class PhaseKind : std::int64_t { admit, row, row_reverse, pixel };

// Where the numbers of a feature live.
enum class Storage {
  rows,      // of a slot: as many rows as are read; a row takes the place of one that nobody will read again
  image,     // of a slot: all rows, given with the request
  vector,    // of a slot: one cell
  cell,      // of a slot: a cell for each position that is drawn at once, for what is only read where it was written
  row_only,  // of the lane: one row, for what no later phase reads; slots run their row phases one after the other
};

struct Feature {
  Scope scope;
  int width;
  int level;
  Storage storage = Storage::rows;
  int rows_above = 0, rows_below = 0, columns_left = 0, columns_right = 0;  // how far it is read
  int lines_kept = 1;                                                       // of storage `rows`
  std::vector<float> top, left, right;                      // boundaries, `width` numbers each
  int first_line = 0;                                       // index of the present row in a slot's table of rows

  int stride() const { return storage == Storage::vector || storage == Storage::cell ? 0 : width; }
  int num_columns(int image_width) const { return ((image_width - 1) >> level) + 1; }
  int num_rows(int image_height) const { return ((image_height - 1) >> level) + 1; }
  // Floats from one row to the next.
  std::int64_t line_size(int image_width) const {
    return stride() ? std::int64_t{width} * (columns_left + num_columns(image_width) + columns_right) : width;
  }
};

// Channels of a feature at an offset. Seen from column c of a row: lines[line] + (c >> level) * stride + offset.
struct Access {
  int feature;
  int width;
  int start;
  int dy, dx;
  int line = 0;
  int level = 0;
  std::int64_t stride = 0;
  std::int64_t offset = 0;

  float* at(float* const* lines, int column) const { return lines[line] + (column >> level) * stride + offset; }
};

struct Operation {
  bool is_affine;
  int level;
  std::vector<Access> outs;
  std::vector<Access> ins;  // of an affine map: its taps; of a filter: the four inputs of each triple of taps
  // Affine only. Positions of residue (r mod up) * up + (c mod up) use the program's weights from weights[residue] on.
  std::vector<Access> addends;
  std::vector<int> tap_widths;  // of a filter: of each triple
  bool is_bf16 = false;  // weights and inputs are rounded
  int depth = 0;  // as in AffineCall
  int up = 1;
  int filter_step = 0;  // columns between the taps of a filter (row_filter.h), `weights` are then one a product; else 0
  AlignedFloats bias;
  std::vector<std::size_t> weights;
  Activation activation = Activation::none;
  bool reads_its_output = false;  // then it must not be written before all of it is computed
  Pointwise kind = Pointwise::add;  // pointwise only
};

struct Phase {
  PhaseKind kind;
  int group;
  std::vector<Operation> operations;
};

struct Head {
  HeadKind kind;
  int first_channel, num_channels;
  std::vector<Access> inputs;
  std::vector<float> tables;       // what `mcgsm` points into
  std::vector<double> deviations;  // this, too
  McgsmConstants mcgsm{};
  int scratch_size = 0;
};

class Program {
 public:
  // `words` and `parameters` as written by engine/native/encode.py. Throws std::runtime_error if they make no sense.
  Program(const std::int64_t* words, std::int64_t num_words, const float* parameters, std::int64_t num_parameters,
          const Kernels& chosen);

  const Kernels& kernels;
  int channels = 0;
  int num_levels = 0;  // 0 for a density
  int front_slope = 0;  // pixels with equal front_slope * row + column may be drawn together; 0: only one at a time
  std::vector<Feature> features;
  std::vector<Phase> phases;
  std::vector<Head> heads;
  AlignedFloats weights;  // of all operations in the order in which they run: one stream through the caches
  Access pixel;
  int num_lines = 0;     // of a slot's table of rows
  int max_pointers = 0;  // of one position and operation
  int max_width = 0;     // of an output
  int max_depth = 0;     // of an affine map
  int map_size = 0;  // numbers a pixel of the map that a request gives
};

}  // namespace scanline
