// Affine maps of row phases whose taps are triples side by side: convolutions by minimal filtering (filter.h).
#pragma once

#include <vector>

#include "reader.h"

namespace scanline {

// The columns between the taps of each triple, if all taps of `op` make triples; else 0.
int triples_step(const Operation& op);

// Whether its products save more than what is before and after them costs.
bool filter_pays(const Operation& op);

// Makes `op`, read as an affine map, a filter: four accesses a triple, and weights of four products.
void make_filter(const Reader& reader, const std::vector<EncodedTap>& taps, Program& program, Operation& op);

class RowFilter {
 public:
  explicit RowFilter(const Program& program);

  // Computes `op` for a whole row of `width` columns, pairs of columns at a time. Pairs begin at the first column, so
  // that a row's bits depend on nothing else. `lines` are those of the row; `scratch` as in an AffineCall.
  void run(const Operation& op, float* const* lines, int width, void* scratch);

 private:
  void run_pairs(const Operation& op, float* const* lines, int width, void* scratch);
  FilterCall prepared(const Operation& op, float* const* lines, int width);
  void multiply(const Operation& op, int product, void* scratch);

  const Program& program_;
  std::vector<int> pairs_;  // first columns of those that wait to be computed
  std::vector<const float*> pointers_;  // what a FilterCall names, kPairsAtOnce a line
  std::vector<float*> inputs_, products_;  // [product][pair], rows of the memory below
  AlignedFloats memory_;
  AlignedFloats zeros_;  // a bias
};

}  // namespace scanline
