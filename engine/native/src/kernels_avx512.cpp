#include "vector_avx512.h"

#include "kernel_set.h"

namespace scanline {

const Kernels* avx512_kernels() {
  static const Kernels kernels = kernel_set("avx512");
  return &kernels;
}

}  // namespace scanline
