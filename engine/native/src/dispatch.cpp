// Which kernels run here. A build without x86 has the portable ones only.
#include <cstring>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels.h"

namespace scanline {

#if !defined(__x86_64__)
const Kernels* avx2_kernels() { return nullptr; }
const Kernels* avx512_kernels() { return nullptr; }
const Kernels* avx512_bf16_kernels() { return nullptr; }
const Kernels* amx_bf16_kernels() { return nullptr; }
#endif

namespace {

// Whether this process may use AMX. The system must be asked: each thread that does has 8 kB more to be kept.
[[maybe_unused]] bool has_tiles() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr unsigned kBf16 = 1u << 22, kTiles = 1u << 24;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kBf16) || !(d & kTiles)) return false;
  static const bool is_permitted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return is_permitted;
#else
  return false;
#endif
}

const Kernels* runnable(const char* name) {
#if defined(__x86_64__)
  if (!std::strcmp(name, "amx_bf16") && __builtin_cpu_supports("avx512bf16") && has_tiles()) return amx_bf16_kernels();
  if (!std::strcmp(name, "avx512_bf16") && __builtin_cpu_supports("avx512bf16")) return avx512_bf16_kernels();
  if (!std::strcmp(name, "avx512") && __builtin_cpu_supports("avx512f")) return avx512_kernels();
  if (!std::strcmp(name, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return avx2_kernels();
#endif
  return std::strcmp(name, "portable") ? nullptr : portable_kernels();
}

}  // namespace

const Kernels* choose_kernels(const char* name) {
  const bool is_bf16 = !std::strcmp(name, "bf16");
  if (name[0] && !is_bf16) return runnable(name);
  for (const char* best : kKernelNames)
    if (const Kernels* kernels = runnable(best); kernels && (kernels->bf16 || !is_bf16)) return kernels;
  return nullptr;
}

}  // namespace scanline
