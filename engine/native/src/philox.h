// Philox4x32-10 (Salmon et al. 2011), the same numbers as engine/philox.py: key = seed, counter = (sample, position,
// channel, stage).
#pragma once

#include <cstdint>

namespace scanline {

// A number in (0, 1), a multiple of 2^-32 plus half a step.
inline double uniform(std::uint64_t seed, std::uint32_t sample, std::uint32_t position, std::uint32_t channel,
                      std::uint32_t stage) {
  std::uint32_t x0 = sample, x1 = position, x2 = channel, x3 = stage;
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * x0, p1 = std::uint64_t{0xCD9E8D57} * x2;
    x0 = static_cast<std::uint32_t>(p1 >> 32) ^ x1 ^ k0;
    x1 = static_cast<std::uint32_t>(p1);
    x2 = static_cast<std::uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return (x0 + 0.5) * 0x1p-32;
}

}  // namespace scanline
