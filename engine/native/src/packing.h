// Weights in the order in which kernels read them: panel, tap, input, output.
#pragma once

#include <vector>

#include "program.h"

namespace scanline {

AlignedFloats pack_bias(const std::vector<float>& bias);

// Appends the weights of the inputs of `op`: [out][in] for each of op.tap_widths, in panels of `whole_panel` outputs.
void pack_weights(const std::vector<const float*>& weights, const Operation& op, int whole_panel, AlignedFloats& packed);

}  // namespace scanline
