// Weights in the order in which kernels read them: panel, tap, input, output.
#pragma once

#include <vector>

#include "reader.h"

namespace scanline {

AlignedFloats pack_bias(const std::vector<float>& bias);

// Appends the weights that positions of `residue` = (r mod up) * up + (c mod up) use, in panels of `whole_panel`
// outputs.
void pack_weights(const Reader& reader, const std::vector<EncodedTap>& taps, const Operation& op, int residue,
                  int whole_panel, AlignedFloats& packed);

}  // namespace scanline
