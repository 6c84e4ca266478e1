#include "vector_avx512.h"

#include "kernel_set.h"

#include "affine_bf16.h"

namespace scanline {

const Kernels* avx512_bf16_kernels() {
  static const Bf16Kernels bf16 = {kBf16Panel, 1, nullptr, affine_bf16, nullptr};
  static const Kernels kernels = kernel_set("avx512_bf16", &bf16);
  return &kernels;
}

}  // namespace scanline
