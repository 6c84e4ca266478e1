// Floats at the beginning of a cache line; many of them on large pages.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace scanline {

template <class T>
struct CacheLineAllocator {
  using value_type = T;
  // Weights are read from end to end for every pixel; on pages of 4 kB that took 5 to 10 % longer.
  static constexpr std::size_t large_page = std::size_t{1} << 21;

  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  static std::align_val_t alignment(std::size_t n) {
    return std::align_val_t{n * sizeof(T) < large_page ? 64 : large_page};
  }
  T* allocate(std::size_t n) {
    void* p = ::operator new(n * sizeof(T), alignment(n));
#if defined(__linux__)
    if (n * sizeof(T) >= large_page) madvise(p, n * sizeof(T), MADV_HUGEPAGE);  // a hint: refused, it costs nothing
#endif
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t n) { ::operator delete(p, alignment(n)); }
  template <class U>
  bool operator==(const CacheLineAllocator<U>&) const {
    return true;
  }
  template <class U>
  bool operator!=(const CacheLineAllocator<U>&) const {
    return false;
  }
};

using AlignedFloats = std::vector<float, CacheLineAllocator<float>>;

}  // namespace scanline
