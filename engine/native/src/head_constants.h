// What a head needs beside its inputs: scratch memory, and an MCGSM its weights, made ready.
#pragma once

#include "reader.h"

namespace scanline {

void prepare_head(Reader& reader, int num_levels, Head& head);

}  // namespace scanline
