// Which kernels run here. A build without x86 has the portable ones only.
#include <cstring>

#include "kernels.h"

namespace scanline {

#if !defined(__x86_64__)
const Kernels* avx2_kernels() { return nullptr; }
const Kernels* avx512_kernels() { return nullptr; }
const Kernels* avx512_bf16_kernels() { return nullptr; }
#endif

namespace {

const Kernels* runnable(const char* name) {
#if defined(__x86_64__)
  if (!std::strcmp(name, "avx512_bf16") && __builtin_cpu_supports("avx512bf16")) return avx512_bf16_kernels();
  if (!std::strcmp(name, "avx512") && __builtin_cpu_supports("avx512f")) return avx512_kernels();
  if (!std::strcmp(name, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return avx2_kernels();
#endif
  return std::strcmp(name, "portable") ? nullptr : portable_kernels();
}

}  // namespace

const Kernels* choose_kernels(const char* name) {
  if (name[0]) return runnable(name);
  for (const char* best : kKernelNames)
    if (const Kernels* kernels = runnable(best)) return kernels;
  return nullptr;
}

}  // namespace scanline
