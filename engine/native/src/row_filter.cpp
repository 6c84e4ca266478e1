#include "row_filter.h"

#include <algorithm>

#include "packing.h"

namespace scanline {
namespace {

constexpr int kProducts = 4;
constexpr int kPairsAtOnce = 24;  // what they pass on stays in the second cache
// A pair saves 2 multiply-adds for each input and output, and writes 4 numbers for each input, 6 for each output. Nets
// of 32 maps were 2 to 16 % slower with filters, nets of 48 and 64 maps 8 to 11 % faster. In bf16 a pair of inputs counts
// as one here, for it takes as long.
constexpr std::int64_t kMinSavedForWritten = 16;

bool side_by_side(const Access& left, const Access& right, int step) {
  return left.feature == right.feature && left.start == right.start && left.width == right.width &&
         left.dy == right.dy && left.dx + step == right.dx;
}

// The weights of one product for one triple; see filter.h.
float combined(const float* const (&g)[3], std::int64_t i, int product) {
  const double middle = g[1][i], sides = double{g[0][i]} + double{g[2][i]};
  switch (product) {
    case 0: return g[0][i];
    case 1: return static_cast<float>((sides + middle) / 2);
    case 2: return static_cast<float>((sides - middle) / 2);
    default: return g[2][i];
  }
}

// Of all triples; in bf16 the depth counts pairs.
int num_inputs(const Operation& op) { return op.is_bf16 ? 2 * op.depth : op.depth; }

}  // namespace

int triples_step(const Operation& op) {
  const std::vector<Access>& taps = op.ins;
  if (taps.empty() || taps.size() % 3) return 0;
  const int step = taps[1].dx - taps[0].dx;
  if (step <= 0) return 0;
  for (std::size_t t = 0; t < taps.size(); t += 3)
    if (!side_by_side(taps[t], taps[t + 1], step) || !side_by_side(taps[t + 1], taps[t + 2], step)) return 0;
  return step;
}

bool filter_pays(const Operation& op) {
  const std::int64_t ins = op.depth / 3, outs = op.outs[0].width;
  return 2 * ins * outs >= kMinSavedForWritten * (4 * ins + 6 * outs);
}

void make_filter(const Reader& reader, const std::vector<EncodedTap>& taps, Program& program, Operation& op) {
  op.filter_step = triples_step(op);
  std::vector<Access> ins;
  std::vector<int> widths;
  for (std::size_t t = 0; t < op.ins.size(); t += 3) {
    ins.insert(ins.end(), {op.ins[t], op.ins[t + 1], op.ins[t + 2], op.ins[t + 2]});
    ins.back().dx += op.filter_step;
    widths.push_back(op.ins[t].width);
  }
  op.ins = ins;
  op.tap_widths = widths;
  op.depth /= 3;
  const int panel = op.is_bf16 ? program.kernels.bf16->panel : program.kernels.panel;
  op.weights.clear();
  for (int product = 0; product < kProducts; ++product) {
    std::vector<std::vector<float>> matrices;
    for (std::size_t t = 0; t < widths.size(); ++t) {
      const std::int64_t size = std::int64_t{op.outs[0].width} * widths[t];
      const float* const g[3] = {reader.span(taps[3 * t].weight, size), reader.span(taps[3 * t + 1].weight, size),
                                 reader.span(taps[3 * t + 2].weight, size)};
      matrices.emplace_back(static_cast<std::size_t>(size));
      for (std::int64_t i = 0; i < size; ++i) matrices.back()[static_cast<std::size_t>(i)] = combined(g, i, product);
    }
    std::vector<const float*> rows;
    for (const std::vector<float>& matrix : matrices) rows.push_back(matrix.data());
    op.weights.push_back(program.weights.size());
    pack_weights(rows, op, panel, program.weights);
  }
}

RowFilter::RowFilter(const Program& program) : program_(program) {
  std::size_t pointers = 0, numbers = 0, outs = 0;  // the most that one filter needs, of a pair
  for (const Phase& phase : program.phases)
    for (const Operation& op : phase.operations) {
      if (!op.filter_step) continue;
      const auto inputs = static_cast<std::size_t>(num_inputs(op)), width = static_cast<std::size_t>(op.outs[0].width);
      pointers = std::max(pointers, op.ins.size() + 2 * op.addends.size() + 2);
      numbers = std::max(numbers, inputs + width);
      outs = std::max(outs, width);
    }
  pointers_.resize(pointers * kPairsAtOnce);
  memory_.resize(numbers * kProducts * kPairsAtOnce);
  inputs_.resize(kProducts * kPairsAtOnce);
  products_.resize(kProducts * kPairsAtOnce);
  zeros_.resize(outs + kLanes, 0.0f);
}

void RowFilter::run(const Operation& op, float* const* lines, int width, void* scratch) {
  for (int column = 0; column < width; column += 2 * op.filter_step)
    for (int first = column; first < std::min(width, column + op.filter_step); ++first) {
      pairs_.push_back(first);
      if (pairs_.size() == kPairsAtOnce) run_pairs(op, lines, width, scratch);
    }
  if (!pairs_.empty()) run_pairs(op, lines, width, scratch);
}

void RowFilter::run_pairs(const Operation& op, float* const* lines, int width, void* scratch) {
  const FilterCall call = prepared(op, lines, width);
  program_.kernels.filter_inputs(call);
  for (int product = 0; product < kProducts; ++product) multiply(op, product, scratch);
  program_.kernels.filter_outputs(call);
  pairs_.clear();
}

FilterCall RowFilter::prepared(const Operation& op, float* const* lines, int width) {
  const float** sources = pointers_.data();
  const float** addends = sources + op.ins.size() * kPairsAtOnce;
  const float** outs = addends + 2 * op.addends.size() * kPairsAtOnce;
  for (std::size_t pair = 0; pair < pairs_.size(); ++pair) {
    const int first = pairs_[pair], second = first + op.filter_step;
    const float** p = sources + pair;
    for (const Access& in : op.ins) *p = in.at(lines, first), p += kPairsAtOnce;
    for (const Access& addend : op.addends) {
      *p = addend.at(lines, first), p += kPairsAtOnce;
      *p = addend.at(lines, second), p += kPairsAtOnce;
    }
    *p = op.outs[0].at(lines, first), p += kPairsAtOnce;
    *p = second < width ? op.outs[0].at(lines, second) : nullptr;
  }
  float* next = memory_.data();
  for (float*& row : inputs_) row = next, next += num_inputs(op);
  for (float*& row : products_) row = next, next += op.outs[0].width;

  FilterCall call{};
  call.pairs = static_cast<int>(pairs_.size());
  call.stride = kPairsAtOnce;
  call.num_triples = static_cast<int>(op.tap_widths.size());
  call.widths = op.tap_widths.data();
  call.sources = sources;
  call.inputs = inputs_.data();
  call.products = products_.data();
  call.out_width = op.outs[0].width;
  call.num_addends = static_cast<int>(op.addends.size());
  call.addends = addends;
  call.outs = const_cast<float* const*>(outs);
  call.activation = op.activation;
  return call;
}

// The bias goes into the product that both outputs of a pair have with a plus.
void RowFilter::multiply(const Operation& op, int product, void* scratch) {
  const float* const* sources = inputs_.data() + product * kPairsAtOnce;
  AffineCall call{};
  call.rows = static_cast<int>(pairs_.size());
  call.stride = kPairsAtOnce;
  call.num_taps = 1;
  const int inputs = num_inputs(op);
  call.tap_widths = &inputs;
  call.sources = sources;
  call.bias = product == 1 ? op.bias.data() : zeros_.data();
  call.weights = program_.weights.data() + op.weights[static_cast<std::size_t>(product)];
  call.depth = op.depth;
  call.out_width = op.outs[0].width;
  call.outs = products_.data() + product * kPairsAtOnce;
  call.activation = Activation::none;
  call.scratch = scratch;
  (op.is_bf16 ? program_.kernels.bf16->affine : program_.kernels.affine)(call);
}

}  // namespace scanline
