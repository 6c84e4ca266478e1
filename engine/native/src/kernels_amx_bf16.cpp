#include "vector_avx512.h"

#include "kernel_set.h"

#include "affine_amx.h"

namespace scanline {

const Kernels* amx_bf16_kernels() {
  static const Bf16Kernels bf16 = {kSide, kSide, begin_tiles, affine_amx, end_tiles};
  static const Kernels kernels = kernel_set("amx_bf16", &bf16);
  return &kernels;
}

}  // namespace scanline
