#include "vector_avx512.h"

#include "kernel_set.h"

#include "affine_bf16.h"

namespace scanline {

const Kernels* avx512_bf16_kernels() {
  static const Kernels kernels = {"avx512_bf16", Vector::panel, affine, affine_bf16, filter_inputs, filter_outputs,
                                  pointwise,
                                  {each_row<bernoulli>, each_row<categorical>, each_row<logistic_mixture>, mcgsm},
                                  bf16_work};
  return &kernels;
}

}  // namespace scanline
