#include "vector_portable.h"

#include "kernel_set.h"

namespace scanline {

const Kernels* portable_kernels() {
  static const Kernels kernels = kernel_set("portable");
  return &kernels;
}

}  // namespace scanline
