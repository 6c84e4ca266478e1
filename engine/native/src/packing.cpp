#include "packing.h"

#include <algorithm>
#include <cstring>

namespace scanline {
namespace {

int padded(int width) { return (width + kLanes - 1) / kLanes * kLanes; }

// The nearest bfloat16, ties to even; in the low half. Weights are finite.
std::uint32_t bfloat16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}

float pair(float first, float second) {
  const std::uint32_t bits = bfloat16(second) << 16 | bfloat16(first);
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

// As pack_tap, two inputs in the place of one.
void pack_tap_bf16(const float* weight, int num_outs, int num_ins, int column, int panel, float* packed) {
  for (int o = column; o < std::min(num_outs, column + panel); ++o) {
    const float* row = weight + std::int64_t{o} * num_ins;
    for (int i = 0; i < num_ins; i += 2)
      packed[i / 2 * panel + o - column] = pair(row[i], i + 1 < num_ins ? row[i + 1] : 0.0f);
  }
}

// One tap of [out][in] -> [in][panel] of the outputs that begin at `column`; beyond the last output zeros remain.
void pack_tap(const float* weight, int num_outs, int num_ins, int column, int panel, float* packed) {
  for (int o = column; o < std::min(num_outs, column + panel); ++o)
    for (int i = 0; i < num_ins; ++i) packed[i * panel + o - column] = weight[std::int64_t{o} * num_ins + i];
}

}  // namespace

AlignedFloats pack_bias(const std::vector<float>& bias) {
  AlignedFloats packed(bias.begin(), bias.end());
  packed.resize(static_cast<std::size_t>(padded(static_cast<int>(bias.size()))), 0.0f);
  return packed;
}

void pack_weights(const std::vector<const float*>& weights, const Operation& op, int whole_panel,
                  AlignedFloats& packed) {
  const int num_outs = op.outs[0].width;
  const std::size_t start = packed.size();
  packed.resize(start + static_cast<std::size_t>(padded(num_outs)) * static_cast<std::size_t>(op.depth), 0.0f);
  for (int column = 0; column < num_outs; column += whole_panel) {
    float* next = packed.data() + start + std::int64_t{column} * op.depth;
    const int panel = std::min(whole_panel, padded(num_outs) - column);
    for (std::size_t t = 0; t < weights.size(); ++t) {
      const int num_ins = op.tap_widths[t];
      (op.is_bf16 ? pack_tap_bf16 : pack_tap)(weights[t], num_outs, num_ins, column, panel, next);
      next += std::int64_t{panel} * (op.is_bf16 ? (num_ins + 1) / 2 : num_ins);
    }
  }
}

}  // namespace scanline
