#include "vector_avx2.h"

#include "kernel_set.h"

namespace scanline {

const Kernels* avx2_kernels() {
  static const Kernels kernels = kernel_set("avx2");
  return &kernels;
}

}  // namespace scanline
