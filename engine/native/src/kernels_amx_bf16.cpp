#include "vector_avx512.h"

#include "kernel_set.h"

#if defined(__AMX_BF16__)  // else the compiler is too old for it
#include "affine_amx.h"
#endif

namespace scanline {

#if defined(__AMX_BF16__)
const Kernels* amx_bf16_kernels() {
  static const Bf16Kernels bf16 = {kSide, kSide, begin_tiles, affine_amx, end_tiles};
  static const Kernels kernels = kernel_set("amx_bf16", &bf16);
  return &kernels;
}
#else
const Kernels* amx_bf16_kernels() { return nullptr; }
#endif

}  // namespace scanline
